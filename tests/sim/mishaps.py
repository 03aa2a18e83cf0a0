"""What befalls processes, nodes, clocks and the broker between two steps, drawn like all else."""

from typing import TYPE_CHECKING

import msgspec

from pipelines.errors import BrokerError, FencedError
from pipelines.messages.entries import JournalRecord
from pipelines.topics import BETS, EVENTS, JOURNAL, TRANSFERS
from tests.sim.faults import Crashed
from tests.sim.host import FanOutProcess, ShardProcess

if TYPE_CHECKING:
    from tests.sim.world import World

__all__ = ["Mishaps"]

CLOCK_JUMP_MS_MAX = 5_000


class Mishaps:
    """Strikes a world, and mends what mends itself."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._nodes_made = 0
        self._nodes_back_ms: list[int] = []
        #: Processes that Ray believes dead, and that go on.
        self.zombies: list[tuple[str, ShardProcess | FanOutProcess]] = []

    def strike(self) -> None:
        """Let some of it happen."""
        world, faults = self._world, self._world.faults
        self._strike_a_process()
        self._strike_kafka()
        if faults.strikes("node_dies", "a node") and len(world.ray.living_nodes) > 1:
            self.replace_node(faults.random.choice(world.ray.living_nodes))
        if faults.strikes("supervisor_dies", "the supervisor"):
            world.supervisor_may_die()
        if faults.strikes("clock_jump", "a node"):
            node_id = faults.random.choice([*world.ray.living_nodes, "supervisor"])
            skew_ms = faults.random.randint(-CLOCK_JUMP_MS_MAX, CLOCK_JUMP_MS_MAX)
            world.trace(f"clock of {node_id} is off by {skew_ms}")
            if node_id == "supervisor":
                world.supervisor_skew_ms = skew_ms
            else:
                world.skews[node_id] = skew_ms

    def _strike_a_process(self) -> None:
        world, faults = self._world, self._world.faults
        actors = world.named("shard", "standby", "publisher", "notifier")
        if not actors:
            return
        actor = faults.random.choice(actors)
        if faults.strikes("freeze", actor.name):
            length_ms = faults.random.choice([500, 4_000, 10_000, 25_000, 70_000])
            actor.frozen_until_ms = world.time.now_ms + length_ms
            world.trace(f"{actor.name} hangs for {length_ms}")
        process = actor.process
        # One that is amid a request would be waiting under its old name.
        may_live_on = isinstance(process, ShardProcess | FanOutProcess) and not (
            world.runs(actor.name)
        )
        if faults.strikes("cut_off", actor.name) and may_live_on:
            self.zombies.append((f"{actor.name} of process {actor.pid}", process))
            world.ray.end(actor)

    def step_a_zombie(self) -> None:
        """Let a process go on that was replaced: once another has taken over, it does no harm."""
        if not self.zombies:
            return
        world = self._world
        name, process = world.faults.random.choice(self.zombies)
        if world.runs(name):
            return
        before = self._written(process)
        with world.running(name):
            try:
                process.step()
                ended = world.faults.random.random() < 0.02 or not process.host.runs
            except (Crashed, BrokerError, FencedError) as error:
                world.trace(f"cut off {name} ends: {type(error).__name__}")
                ended = True
        if self._written(process) != before:
            world.trace(f"cut off {name} still wrote")
        if ended:
            self._forget(process)

    def _written(self, process: ShardProcess | FanOutProcess) -> int:
        """Return what a process changes if it is at it at all."""
        if isinstance(process, ShardProcess):
            return self._world.kafka.end(JOURNAL, process.copy.partition)
        edge = self._world.edge
        return sum(map(len, edge.heard.values())) + len(edge.pushes)

    def _forget(self, process: ShardProcess | FanOutProcess) -> None:
        self.zombies = [one for one in self.zombies if one[1] is not process]

    def end_zombie(self, claim: str) -> bool:
        """End who noted this claim, wherever it runs, as `actors/handover.py` does.

        Raises BrokerError where it is amid a request: who asks waits for it.
        """
        world = self._world
        living = [(actor.name, actor.process) for actor in world.named("publisher", "notifier")]
        for name, process in [*self.zombies, *living]:
            if isinstance(process, FanOutProcess) and process.claim == claim:
                if world.runs(name):
                    raise BrokerError(f"simulated: {name} has not ended yet")
                process.host.fenced(FencedError("a newer process shows these partitions"))
                self._forget(process)
                world.trace(f"{name} has made way")
        return True

    def _strike_kafka(self) -> None:
        world, faults, kafka = self._world, self._world.faults, self._world.kafka
        partition = faults.random.randrange(kafka.partitions)
        if faults.strikes("transaction_times_out", f"shard {partition}"):
            kafka.time_out(f"overround-{partition}")
        length_ms = faults.random.choice([200, 2_000, 8_000, 20_000])
        if faults.strikes("broker_away", f"the broker, for {length_ms}"):
            kafka.away_until_ms = world.time.now_ms + length_ms
        if faults.strikes("disk_full", f"the broker, for {length_ms}"):
            kafka.full_until_ms = world.time.now_ms + length_ms
        if faults.strikes("retention", f"partition {partition}"):
            self._delete_inputs(partition)

    def _delete_inputs(self, partition: int) -> None:
        """Delete input records that were decided; a restore must not need them."""
        kafka, last = self._world.kafka, None
        for _, stored in kafka.read(JOURNAL, partition, 0):
            last = stored.value
        if last is None:
            return
        record = msgspec.msgpack.decode(last, type=JournalRecord)
        reached = (record.bets_next, record.events_next, record.transfers_next)
        for topic, offset in zip((BETS, EVENTS, TRANSFERS), reached, strict=True):
            kafka.delete_before(topic, partition, offset)

    def replace_node(self, node_id: str) -> None:
        """Let a node die; another comes after a while."""
        world = self._world
        if node_id in world.ray.living_nodes and len(world.ray.living_nodes) > 1:
            world.trace(f"{node_id} dies")
            world.ray.end_node(node_id)
            back_ms = world.time.now_ms + world.faults.random.randint(2_000, 30_000)
            self._nodes_back_ms.append(back_ms)

    def tick(self) -> None:
        """Let the nodes come whose time it is."""
        world = self._world
        for _ in [at_ms for at_ms in self._nodes_back_ms if at_ms <= world.time.now_ms]:
            self._nodes_made += 1
            world.ray.living_nodes.append(f"new-node-{self._nodes_made}")
            world.trace(f"new-node-{self._nodes_made} joins")
        self._nodes_back_ms = [at for at in self._nodes_back_ms if at > world.time.now_ms]

    def end_all(self) -> None:
        """Let all be well."""
        world = self._world
        self.zombies.clear()
        world.kafka.away_until_ms = world.kafka.full_until_ms = 0
        for actor in world.ray.actors.values():
            actor.frozen_until_ms = 0
