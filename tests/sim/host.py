"""What runs under an actor's name in the simulation: stepped from outside, no thread, no socket.

The shards are the product's actor class on a host without a thread; publisher and notifier are the
product's loops. A fence ends a loop but not its process, any other failure ends both, as in
`actors/host.py`.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from actors.host import Host
from actors.shard_query import RayShardQuery
from pipelines.errors import BrokerError, EdgeError, FencedError
from pipelines.handover import take_over
from pipelines.notifier.notifier import Notifier
from pipelines.publisher.publisher import Publisher
from pipelines.settings import Settings
from pipelines.topics import JOURNAL, ODDS
from tests.sim.clock import SimulatedClock
from tests.sim.faults import Crashed
from tests.sim.readers import SimulatedNotices, SimulatedReader

if TYPE_CHECKING:
    from tests.sim.world import World

__all__ = ["FanOutProcess", "ShardProcess", "SimulatedHost"]


class SimulatedHost(Host):
    """A host whose loop somebody else steps; its health is the product's."""

    def __init__(
        self,
        name: str,
        version: str,
        build: Callable[[], Any],
        registry: object,
        log_level: str = "INFO",
        *,
        node_id: str = "",
        pid: int = 0,
        now_s: float = 0.0,
    ) -> None:
        self.name = name
        self.version = version
        self.hosted = build()
        self._node_id = node_id
        self._state = "running"
        self._error = ""
        self._began_s = now_s
        self._pid = pid

    def fenced(self, error: FencedError) -> None:
        """End the loop, as its partition has a newer owner."""
        self._state, self._error = "fenced", error.message

    @property
    def runs(self) -> bool:
        """Whether its loop has not ended."""
        return self._state == "running"

    def health(self) -> dict[str, object]:
        return super().health() | {"pid": self._pid}

    def stop(self, timeout_s: float) -> bool:
        self._state = "stopped"
        return True


class ShardProcess:
    """A process with the product's `BookShard`."""

    def __init__(self, world: "World", name: str, node_id: str, shard: Any, host: Any) -> None:
        self._world = world
        self._name = name
        self._node_id = node_id
        self.shard = shard
        self.host: SimulatedHost = host
        self._had_loop = False

    @property
    def copy(self) -> Any:
        """Its copy of the books."""
        return self.host.hosted.copy

    def step(self) -> None:
        """Fold, decide, take over, or step back. Raises Crashed, BrokerError: the process ends."""
        if not self.host.runs:
            return
        loop = self.copy._loop
        try:
            self.copy.step()
        except FencedError as error:
            self.host.fenced(error)
            self._world.trace(f"{self._name} fenced")
        now = self.copy._loop
        if now is not None and now is not loop and now.ready:
            self._world.took_over(self._name, self.copy.partition, now)

    def call(self, method: str, arguments: Sequence[object]) -> Any:
        """Answer a call from another process."""
        if method == "demote":
            arguments = (0.0,)  # it may not wait: nothing else would go on meanwhile
        return getattr(self.shard, method)(*arguments)


class FanOutProcess:
    """A process with a publisher's or a notifier's loop."""

    def __init__(
        self, world: "World", name: str, pid: int, node_id: str, kind: str, arguments: Any
    ) -> None:
        version, settings, partitions = arguments
        self._world = world
        self._kind = kind
        clock = SimulatedClock(world.time, lambda: world.skews.get(node_id, 0))
        draw = world.faults.random.random
        #: By which the next one finds this process.
        self.claim = f"{name}/{pid}"
        self._life = 0
        self._has_begun = False
        topics = (ODDS, JOURNAL) if kind == "publisher" else (JOURNAL,)
        self._reader = SimulatedReader(
            world.kafka, kind, topics, partitions, world.faults, self.claim
        )
        made = self._publisher if kind == "publisher" else self._notifier
        self.loop = made(settings, clock, draw)
        loop = self.loop

        class Hosted:
            def status(self) -> dict[str, object]:
                return loop.status()

        self.host = SimulatedHost(
            name, version, Hosted, None, node_id=node_id, pid=pid, now_s=clock.monotonic_s()
        )

    def _publisher(self, settings: Settings, clock: Any, draw: Any) -> Publisher:
        edge = self._world.edge
        edge.publisher_lives += 1
        self._life = edge.publisher_lives
        return Publisher(self._reader, edge, clock, settings, randomness=draw)

    def _notifier(self, settings: Settings, clock: Any, draw: Any) -> Notifier:
        world = self._world
        notices = SimulatedNotices(world.kafka, world.edge, world.faults)
        return Notifier(
            self._reader, RayShardQuery(), world.edge, notices, clock, settings, randomness=draw
        )

    def step(self) -> None:
        """Take over, or do one round. Raises Crashed."""
        if not self.host.runs:
            return
        try:
            if not self._has_begun:
                if not take_over(self._reader, self._world.mishaps.end_zombie):
                    raise FencedError("a newer process shows these partitions")
                self._reader.assign()
                self._has_begun = True
            self._world.edge.publisher_life = self._life
            self.loop.step(0)
        except Crashed:
            raise
        except FencedError as error:
            self.host.fenced(error)
            self._world.trace(f"{self._kind} fenced")
        except (BrokerError, EdgeError) as error:
            self._world.trace(f"{self._kind}: {type(error).__name__}")

    def call(self, method: str, arguments: Sequence[object]) -> Any:
        """Answer a call from another process."""
        return getattr(self.host, method)(*arguments)
