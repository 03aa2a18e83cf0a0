"""Puts the simulation under the product's actors: where they reach for Ray, time, Kafka or a thread
they get the simulated one, for as long as a world runs."""

import importlib
import logging
import pkgutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import actors
from tests.sim.clock import SimulatedClock
from tests.sim.host import FanOutProcess, ShardProcess, SimulatedHost
from tests.sim.logs import SimulatedShardLog, SimulatedSnapshots, SimulatedTail
from tests.sim.ray import Actor

if TYPE_CHECKING:
    from tests.sim.world import World

__all__ = ["Silent", "SimulatedLifelines", "build", "under_actors"]

#: What a move may take; short enough to be met in a run.
CATCH_UP_TIMEOUT_S = 20.0
TAKE_OVER_TIMEOUT_S = 10.0

MODULES = [
    importlib.import_module(f"actors.{m.name}") for m in pkgutil.iter_modules(actors.__path__)
]


class Silent:
    """Metrics that nobody reads."""

    registry = None

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *told: None


class SimulatedLifelines:
    """In the place of `actors.lifeline.Lifelines`: hears at once that a watched process ended."""

    def __init__(self, lost: Callable[[str], None]) -> None:
        self._lost = lost
        self._wanted: dict[str, tuple[str, int]] = {}
        self._ended: list[str] = []

    def want(self, addresses: Mapping[str, tuple[str, int]]) -> None:
        self._wanted = dict(addresses)

    def ended(self, pid: int) -> None:
        """Note that a process ended."""
        self._ended += [name for name, (_, watched) in self._wanted.items() if watched == pid]

    def tell(self) -> None:
        """Say what was noted."""
        ended, self._ended = self._ended, []
        for name in ended:
            self._lost(name)

    def stop(self) -> None:
        return None


class _Thread:
    """A thread of an actor: one that runs for ever is stepped by the world, others run at once."""

    def __init__(self, target: Callable[..., None], **options: Any) -> None:
        self._target = target
        self._options = options

    def start(self) -> None:
        if self._target.__name__ != "_run":
            self._target(*self._options.get("args", ()))


@contextmanager
def under_actors(world: "World") -> Iterator[None]:
    """Let the actors of this process live in a world."""
    kafka, faults = world.kafka, world.faults
    instead = {
        "ray": world.ray,
        "KafkaShardLog": lambda settings, p: SimulatedShardLog(kafka, p, faults),
        "KafkaJournalTail": lambda settings, p: SimulatedTail(kafka, p, faults),
        "KafkaSnapshotStore": lambda settings, p: SimulatedSnapshots(kafka, p, faults),
        "time": SimpleNamespace(
            monotonic=lambda: world.time.now_ms / 1_000,
            time_ns=lambda: (world.time.now_ms + world.supervisor_skew_ms) * 1_000_000,
            sleep=world.wait,
        ),
        "threading": SimpleNamespace(
            Thread=_Thread,
            RLock=threading.RLock,
            Lock=threading.Lock,
            Event=threading.Event,
        ),
        "Lifelines": world.new_lifelines,
        "CATCH_UP_TIMEOUT_S": CATCH_UP_TIMEOUT_S,
        "TAKE_OVER_TIMEOUT_S": TAKE_OVER_TIMEOUT_S,
    }
    with ExitStack() as stack:
        for module in MODULES:
            for name, value in instead.items():
                if hasattr(module, name) and not module.__name__.endswith("lifeline"):
                    stack.enter_context(mock.patch.object(module, name, value))
        logging.disable(logging.CRITICAL)
        stack.callback(logging.disable, logging.NOTSET)
        yield


def build(world: "World", actor: Actor) -> Any:
    """Make the process of an actor."""
    name = actor.cls.__name__
    if name == "BookShard":
        return _shard(world, actor)
    if name in ("Publisher", "Notifier"):
        _, version, settings, partitions = actor.arguments
        told = (version, settings, partitions)
        where = (actor.name, actor.pid, actor.node_id)
        return FanOutProcess(world, *where, name.lower(), told)
    return _Idle(
        SimulatedHost(
            actor.name,
            str(actor.arguments[1]),
            _Nothing,
            None,
            node_id=actor.node_id,
            pid=actor.pid,
            now_s=world.time.now_ms / 1_000,
        ),
        world,
    )


class _Nothing:
    def status(self) -> dict[str, object]:
        return {}


class _Idle:
    """An actor whose work the simulation has no part for, as a scrape target."""

    def __init__(self, host: SimulatedHost, world: "World") -> None:
        self.host = host
        self._world = world

    def step(self) -> None:
        return None

    def call(self, method: str, arguments: Any) -> Any:
        found = getattr(self.host, method)(*arguments)
        return found | {"idle_s": 0.0} if method == "health" else found


def _shard(world: "World", actor: Actor) -> ShardProcess:
    """Make a process with the product's shard on simulated adapters."""
    made: list[SimulatedHost] = []
    node_id, pid = actor.node_id, actor.pid

    def host(*arguments: Any) -> SimulatedHost:
        now_s = world.time.now_ms / 1_000
        made.append(SimulatedHost(*arguments, node_id=node_id, pid=pid, now_s=now_s))
        return made[0]

    adapters = {
        "SystemClock": lambda: SimulatedClock(world.time, lambda: world.skews.get(node_id, 0)),
        "ShardMetrics": lambda partition: Silent(),
        "Lifeline": lambda host: SimpleNamespace(address=("simulated", pid)),
        "Host": host,
    }
    with mock.patch.multiple("actors.book_shard", **adapters):
        shard = actor.cls(*actor.arguments)
    return ShardProcess(world, actor.name, node_id, shard, made[0])
