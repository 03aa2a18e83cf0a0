"""One simulated run: actors are stepped in a drawn order, fail as drawn, and come back.

Whoever waits (the supervisor for answers, a move for a copy to catch up, a publisher for a slow
edge) lets the others go on meanwhile: `wait` runs them, nested in the call that waits.
"""

import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ray import exceptions

from actors.supervisor import Supervisor
from pipelines.errors import BrokerError, EdgeError, FencedError
from pipelines.settings import Settings
from pipelines.shard.fold import fold
from pipelines.shard.hash import state_hash
from pipelines.shard_loop import ShardLoop
from pipelines.topics import JOURNAL, ODDS
from tests.sim.clock import Time
from tests.sim.edge import SimulatedEdge
from tests.sim.faults import Crashed, Faults, Odds
from tests.sim.ground import SimulatedLifelines, build, under_actors
from tests.sim.host import ShardProcess
from tests.sim.kafka import SimulatedKafka
from tests.sim.mishaps import Mishaps
from tests.sim.ray import Actor, SimulatedRay
from tests.sim.traffic import Traffic

PARTITIONS = 2
NODES = 3
REST_ROUNDS_MAX = 4_000
QUIET_ROUNDS = 70  # longer than any back-off, bet delay, or wait of the supervisor's


class World:
    """All parts of the engine, and what happens to them."""

    def __init__(self, seed: int, odds: Odds | None = None, **changes: Any) -> None:
        """`changes`: settings that are not drawn."""
        self.lines: list[str] = []
        self.time = Time()
        self.faults = Faults(seed, odds or Odds(), self.trace)
        self.skews: dict[str, int] = {}
        self.supervisor_skew_ms = 0
        self.kafka = SimulatedKafka(self.time, PARTITIONS)
        self.edge = SimulatedEdge(self.time, self.faults, self.wait)
        draw = self.faults.random
        self.traffic = Traffic(self.kafka, self.edge, PARTITIONS, draw, self.trace)
        self.settings = Settings(
            partitions=PARTITIONS,
            transaction_records_max=50,
            standbys=int(draw.random() < 0.75),
            publishers=draw.choice([1, 1, 1, 2]),
            snapshot_records=draw.choice([0, 15, 40]),
        )
        self.settings = replace(self.settings, **changes)
        self.ray = SimulatedRay(
            self.time, self.faults, self.trace, self.wait, lambda one: build(self, one), self._died
        )
        self.ray.living_nodes = [f"node-{number}" for number in range(NODES)]
        self.lifelines: SimulatedLifelines | None = None
        self.supervisor: Supervisor | None = None
        self.mishaps = Mishaps(self)
        self.takeovers = 0
        self._running: list[tuple[str, Actor | None, int]] = []
        self._engine: list[Callable[[], None]] = [
            *[self._step_a_shard] * 14,
            *[lambda: self._step_a("publisher")] * 4,
            *[lambda: self._step_a("notifier")] * 2,
            *[self._supervise] * 3,
            self.mishaps.step_a_zombie,
        ]
        self._outside: list[Callable[[], None]] = [
            *[self.traffic.bet] * 8,
            *[self.traffic.operate] * 2,
            *[self._pass_time] * 4,
            *[self.mishaps.strike] * 2,
            self._move,
        ]

    def trace(self, line: str) -> None:
        """Note what happened, and when."""
        self.lines.append(f"{self.time.now_ms} {line}")

    def digest(self) -> str:
        """Return one value for the whole run; equal for equal seeds."""
        return hashlib.blake2b("\n".join(self.lines).encode(), digest_size=16).hexdigest()

    def run(self, steps: int, verdict: Callable[["World"], None] = lambda world: None) -> None:
        """Let everything happen, faults included, let it come to rest, and judge it there."""
        with under_actors(self):
            for _ in range(steps):
                self._act()
            self.rest()
            verdict(self)

    def _act(self) -> None:
        self._tick()
        self.faults.random.choice(self._engine + self._outside)()

    def _tick(self) -> None:
        self.kafka.tick()
        self.edge.tick()
        self.ray.tick()
        self.mishaps.tick()
        if self.lifelines is not None:
            self.lifelines.tell()

    def wait(self, seconds: float) -> None:
        """Let time pass and the others go on. A wait may last longer than it was asked for.

        Raises Crashed where the process that waits is ended meanwhile.
        """
        _, waiting, pid = self._running[-1] if self._running else ("", None, 0)
        until_ms = self.time.now_ms + round(1_000 * seconds)
        is_first = True
        while is_first or self.time.now_ms < until_ms:
            is_first = False
            self.time.now_ms += self.faults.random.choice([1, 20, 100, 400])
            self._tick()
            acts = self._engine if self.faults.is_quiet else self._engine + self._outside
            self.faults.random.choice(acts)()
        if waiting is not None and (waiting.process is None or waiting.pid != pid):
            raise Crashed("ended while it waited")

    def rest(self) -> None:
        """End the faults, settle what is open, and run until nothing is left to do."""
        self.faults.is_quiet = True
        self.mishaps.end_all()
        self.traffic.finish_all()
        quiet = 0
        for _ in range(REST_ROUNDS_MAX):
            before = self._marks()
            self.go_on()
            quiet = quiet + 1 if self._marks() == before else 0
            if quiet > QUIET_ROUNDS:
                return
        raise AssertionError("the system does not come to rest")

    def go_on(self, rounds: int = 1) -> None:
        """Let half a second pass, and everybody do something, so many times."""
        for _ in range(rounds):
            self.time.now_ms += 500
            self._tick()
            self._supervise()
            for actor in list(self.ray.actors.values()):
                self._step(actor)

    def _marks(self) -> tuple[object, ...]:
        topics = itertools.product((JOURNAL, ODDS), range(PARTITIONS))
        return (
            *(self.kafka.end(topic, partition) for topic, partition in topics),
            *sorted(self.kafka.group_offsets.items()),
            len(self.edge.pushes),
            sum(map(len, self.edge.heard.values())),
            self.edge.awaits,
            self.ray.starts,
            len(self.named("shard", "standby", "publisher", "notifier")),
        )

    def _pass_time(self) -> None:
        self.time.now_ms += self.faults.random.choice([0, 1, 5, 20, 100, 700, 3_000])

    # -- who runs --

    def named(self, *kinds: str) -> list[Actor]:
        """Return the actors whose names begin so."""
        return [actor for name, actor in self.ray.actors.items() if name.startswith(kinds)]

    def _step_a_shard(self) -> None:
        self._step_a("shard", "standby")

    def _step_a(self, *kinds: str) -> None:
        actors = self.named(*kinds)
        if actors:
            self._step(self.faults.random.choice(actors))

    def _step(self, actor: Actor) -> None:
        process = actor.process
        if process is None or actor.frozen_until_ms > self.time.now_ms or self.runs(actor.name):
            return
        with self.running(actor.name, actor):
            try:
                process.step()  # type: ignore[attr-defined]
            except (Crashed, BrokerError, EdgeError, FencedError) as error:
                self.trace(f"{actor.name} ends: {type(error).__name__}")
                if actor.process is process:
                    self.ray.end(actor)

    def runs(self, name: str) -> bool:
        """Return whether it is amid a step or a call."""
        return any(name == running for running, _, _ in self._running)

    @contextmanager
    def running(self, name: str, actor: Actor | None = None) -> Iterator[None]:
        """Note who runs, so that it is not run again while it waits."""
        self._running.append((name, actor, actor.pid if actor is not None else 0))
        try:
            yield
        finally:
            self._running.pop()

    def took_over(self, name: str, partition: int, loop: ShardLoop) -> None:
        """Compare what a new owner has restored with the fold of the whole journal."""
        self.takeovers += 1
        records = self.kafka.all_that_was(JOURNAL, partition)
        state = fold(partition, (stored.value for _, stored in records if stored.value is not None))
        found = loop.state_hash()
        self.trace(f"{name} owns at {found}")
        assert found == (state.shard_seq, state_hash(state)), f"{name} restored another state"

    # -- supervisor and operator --

    def new_lifelines(self, lost: Callable[[str], None]) -> SimulatedLifelines:
        """Make those of a new supervisor."""
        self.lifelines = SimulatedLifelines(lost)
        return self.lifelines

    def _died(self, actor: Actor, pid: int) -> None:
        if self.lifelines is not None:
            self.lifelines.ended(pid)

    def supervisor_may_die(self) -> None:
        """End the supervisor, unless somebody is amid a call of it."""
        if not self.runs("supervisor") and not self.runs("operator"):
            self.supervisor = self.lifelines = None

    def _supervise(self) -> None:
        if self.runs("supervisor"):
            return
        with self.running("supervisor"):
            if self.supervisor is None:
                self.supervisor = Supervisor("supervisor", "simulated", self.settings)
            try:
                self.supervisor._round()
            except exceptions.RayError as error:
                self.trace(f"round: {type(error).__name__}")

    def _move(self) -> None:
        """Let the operator move a partition, spread the owners, or empty a node."""
        supervisor, draw = self.supervisor, self.faults.random
        if supervisor is None or self.runs("operator") or draw.random() < 0.6:
            return
        node_id = draw.choice(self.ray.living_nodes)
        with self.running("operator"):
            told: Mapping[str, object] | list[dict[str, object]]
            kind = draw.choice(["move", "move", "move", "spread", "drain"])
            try:
                if kind == "move":
                    told = supervisor.move(draw.randrange(PARTITIONS), node_id)
                elif kind == "spread":
                    told = supervisor.spread(draw.randint(1, len(self.ray.living_nodes)))
                else:
                    told = supervisor.drain(node_id)
                    self.mishaps.replace_node(node_id)
            except exceptions.RayError as error:
                told = {"error": type(error).__name__}
            self.trace(f"{kind} {node_id}: {told}")

    def owners(self, partition: int) -> list[ShardProcess]:
        """Return the processes whose copy owns a partition."""
        found = []
        for actor in self.named(f"shard-{partition:03d}", f"standby-{partition:03d}"):
            process = actor.process
            if isinstance(process, ShardProcess) and process.copy.owns:
                found.append(process)
        return found
