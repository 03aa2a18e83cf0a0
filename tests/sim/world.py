"""One simulated run: actors are stepped in a drawn order, fail as drawn, and come back."""

import hashlib
import itertools
from collections.abc import Callable, Sequence
from typing import TypeVar

from pipelines.errors import OverroundError
from pipelines.notifier.notifier import Notifier
from pipelines.notifier.query import Page, SettledBet, ShardUnavailable, holder
from pipelines.publisher.publisher import Publisher
from pipelines.settings import Settings
from pipelines.shard_loop import ShardLoop
from pipelines.topics import JOURNAL, ODDS
from tests.sim.clock import SimulatedClock, Time
from tests.sim.edge import SimulatedEdge, SimulatedNotices
from tests.sim.faults import Crashed, Faults, Odds
from tests.sim.kafka import SimulatedKafka, SimulatedReader, SimulatedShardLog
from tests.sim.traffic import Traffic

PARTITIONS = 2
REST_ROUNDS_MAX = 4_000
Made = TypeVar("Made")


class Silent:
    """Metrics that nobody reads."""

    def answers(self, counts: dict[str, int]) -> None:
        return None

    def committed(
        self, inputs: int, journal_records: int, odds_images: int, duration_s: float
    ) -> None:
        return None

    def bet_latencies(self, seconds: Sequence[float]) -> None:
        return None

    def restored(self, seconds: float, entries: int) -> None:
        return None


class World:
    """All parts of the engine, and what happens to them."""

    def __init__(self, seed: int, odds: Odds | None = None) -> None:
        self.lines: list[str] = []
        self.time = Time()
        self.faults = Faults(seed, odds or Odds(), self.trace)
        self.kafka = SimulatedKafka(self.time, PARTITIONS)
        self.edge = SimulatedEdge(self.time, self.faults)
        self.traffic = Traffic(self.kafka, self.edge, PARTITIONS, self.faults.random, self.trace)
        self.settings = Settings(partitions=PARTITIONS, transaction_records_max=50)
        self.owners: dict[int, ShardLoop | None] = dict.fromkeys(range(PARTITIONS))
        #: Loops that were frozen when another took their partition over.
        self.frozen: list[ShardLoop] = []
        self.publisher: Publisher | None = None
        self.notifier: Notifier | None = None
        self.skews = dict.fromkeys(range(PARTITIONS), 0)

    def trace(self, line: str) -> None:
        self.lines.append(f"{self.time.now_ms} {line}")

    def digest(self) -> str:
        """Return one value for the whole run; equal for equal seeds."""
        return hashlib.blake2b("\n".join(self.lines).encode(), digest_size=16).hexdigest()

    def run(self, steps: int) -> None:
        """Let everything happen, faults included, then let it come to rest."""
        acts: list[Callable[[], None]] = [
            *[self._shard] * 8,
            *[self._publish] * 4,
            *[self._notify] * 2,
            *[self.traffic.bet] * 8,
            *[self.traffic.operate] * 2,
            *[self._pass_time] * 4,
            self._disturb,
        ]
        for _ in range(steps):
            self.faults.random.choice(acts)()
        self.rest()

    def rest(self) -> None:
        """End the faults, settle what is open, and run until nothing is left to do."""
        self.faults.is_quiet = True
        for race in self.traffic.races:
            if not race.settled:
                self.traffic.finish(race)
        quiet = 0
        for _ in range(REST_ROUNDS_MAX):
            before = self._marks()
            self.time.now_ms += 500
            for partition in range(PARTITIONS):
                self._step_shard(partition)
            self._publish()
            self._notify()
            quiet = quiet + 1 if self._marks() == before else 0
            if quiet > 60:  # longer than any back-off or bet delay
                return
        raise AssertionError("the system does not come to rest")

    def _marks(self) -> tuple[object, ...]:
        topics = itertools.product((JOURNAL, ODDS), range(PARTITIONS))
        return (
            *(len(self.kafka.log(topic, partition)) for topic, partition in topics),
            *sorted(self.kafka.group_offsets.items()),
            len(self.edge.pushes),
            sum(map(len, self.edge.channels.values())),
        )

    def _pass_time(self) -> None:
        self.time.now_ms += self.faults.random.choice([0, 1, 5, 20, 100, 700, 3_000])

    def _shard(self) -> None:
        self._step_shard(self.faults.random.randrange(PARTITIONS))

    def _step_shard(self, partition: int) -> None:
        loop = self.owners[partition]
        try:
            if loop is None:
                self.owners[partition] = loop = self._new_shard(partition)
                loop.restore()
                self.trace(f"shard {partition} restored at {loop.state_hash()}")
            loop.step()
        except (Crashed, OverroundError) as error:
            self.trace(f"shard {partition} ends: {type(error).__name__}")
            self.owners[partition] = None

    def _new_shard(self, partition: int) -> ShardLoop:
        log = SimulatedShardLog(self.kafka, partition, self.faults)
        clock = SimulatedClock(self.time, self.skews[partition])
        return ShardLoop(partition, log, clock, self.settings, Silent())

    def _disturb(self) -> None:
        """Freeze a shard so that another takes over, wake one, or move a clock."""
        partition = self.faults.random.randrange(PARTITIONS)
        loop = self.owners[partition]
        if loop is not None and self.faults.strikes("freeze", f"shard {partition}"):
            self.frozen.append(loop)
            self.owners[partition] = None
        if self.faults.strikes("freeze", "a transaction that lasts too long"):
            self.kafka.time_out(f"overround-{partition}")
        if self.faults.strikes("clock_jump", f"shard {partition}"):
            self.skews[partition] = self.faults.random.randint(-5_000, 5_000)
        if self.frozen and self.faults.random.random() < 0.5:
            self._wake(self.frozen.pop(self.faults.random.randrange(len(self.frozen))))

    def _wake(self, loop: ShardLoop) -> None:
        """Let an old owner go on: once another has fenced it, it may change nothing."""
        before = [len(self.kafka.log(JOURNAL, p)) for p in range(PARTITIONS)]
        fenced_first = self.owners[loop.partition] is not None
        try:
            loop.step()
        except (Crashed, OverroundError) as error:
            self.trace(f"frozen shard {loop.partition} ends: {type(error).__name__}")
        if fenced_first:
            after = [len(self.kafka.log(JOURNAL, p)) for p in range(PARTITIONS)]
            assert before == after, "a fenced shard wrote to the journal"

    def _publish(self) -> None:
        if self.publisher is None:
            reader = SimulatedReader(
                self.kafka, "publisher", (ODDS, JOURNAL), range(PARTITIONS), self.faults
            )
            clock = SimulatedClock(self.time)
            draw = self.faults.random.random
            self.publisher = Publisher(reader, self.edge, clock, self.settings, randomness=draw)
        try:
            self.publisher.step(0)
        except Crashed:
            self.publisher = None
        except OverroundError as error:
            self.trace(f"publisher: {type(error).__name__}")

    def _notify(self) -> None:
        if self.notifier is None:
            reader = SimulatedReader(
                self.kafka, "notifier", (JOURNAL,), range(PARTITIONS), self.faults
            )
            self.notifier = Notifier(
                reader,
                _Query(self),
                self.edge,
                SimulatedNotices(self.kafka, self.edge, self.faults),
                SimulatedClock(self.time),
                self.settings,
                randomness=self.faults.random.random,
            )
        try:
            self.notifier.step(0)
        except Crashed:
            self.notifier = None
        except OverroundError as error:
            self.trace(f"notifier: {type(error).__name__}")


class _Query:
    """Port `ShardQuery`: the owner of the partition answers, where there is one."""

    def __init__(self, world: World) -> None:
        self._world = world

    def _owner(self, partition: int) -> ShardLoop:
        loop = self._world.owners[partition]
        if loop is None:
            raise ShardUnavailable(f"shard {partition} is away")
        return loop

    def _holder(self, partition: int, event_id: str, market_id: str) -> int:
        return holder(lambda asked: self._owner(asked).holder_of(event_id, market_id), partition)

    def settled_bets(
        self, partition: int, event_id: str, market_id: str, settlement: int, after: int, limit: int
    ) -> Page:
        partition = self._holder(partition, event_id, market_id)
        rows, following = self._owner(partition).settled_bets(
            event_id, market_id, settlement, after, limit
        )
        return Page([SettledBet(*row) for row in rows], following)

    def bettors_of(self, partition: int, event_id: str) -> Sequence[str]:
        return self._owner(partition).bettors_of(event_id)

    def names(self, partition: int, event_id: str, market_id: str) -> tuple[str, str]:
        if market_id:
            partition = self._holder(partition, event_id, market_id)
        return self._owner(partition).names(event_id, market_id)
