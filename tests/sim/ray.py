"""As much of Ray as the actors use: named actors that die, hang, restart, and are asked from afar.

The supervisor, the moves, the shards' own control calls and the notifier's queries are the
product's; they call this where they would call Ray.
"""

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Protocol

from ray import exceptions

from tests.sim.clock import Time
from tests.sim.faults import Faults

RESTART_MS_MAX = 3_000
CALL_LATE_MS_MAX = 8_000
LOOK_S = 0.05
SHARD_SLOTS = 8


class TaskError(exceptions.RayError):  # type: ignore[misc]
    """A call that raised in its actor."""


class Process(Protocol):
    """What runs of an actor, until it dies."""

    def call(self, method: str, arguments: Sequence[object]) -> Any: ...


class Reference:
    """The answer to a call, which may come late or never."""

    def __init__(self, actor: "Actor", method: str, arguments: Sequence[object]) -> None:
        self.actor = actor
        self.method = method
        self.arguments = arguments
        self.is_done = False
        self.value: Any = None
        self.error: exceptions.RayError | None = None

    def run(self, process: Process) -> None:
        """Call it now."""
        try:
            self.value = process.call(self.method, self.arguments)
        except Exception as error:
            self.error = TaskError(f"{type(error).__name__}: {error}")
        self.is_done = True

    def fail(self, error: exceptions.RayError) -> None:
        """Say that its actor is gone."""
        self.error, self.is_done = error, True


class Actor:
    """One name, and what runs under it; a handle too."""

    def __init__(
        self,
        cluster: "SimulatedRay",
        name: str,
        cls: type,
        arguments: Sequence[object],
        options: Mapping[str, Any],
    ) -> None:
        self.cluster = cluster
        self.name = name
        self.cls = cls
        self.arguments = arguments
        self.options = options
        self.node_id = ""
        self.pid = 0
        self.process: Process | None = None
        self.frozen_until_ms = 0
        self.restart_at_ms: int | None = 0
        self.is_gone = False
        self.waiting: list[tuple[int, Reference]] = []  # calls, and when they arrive

    def __getattr__(self, method: str) -> Any:
        if method.startswith("_"):
            raise AttributeError(method)

        def remote(*arguments: object) -> Reference:
            reference = Reference(self, method, arguments)
            self.cluster.take(reference)
            return reference

        return SimpleNamespace(remote=remote)


class SimulatedRay:
    """In the place of the module `ray`."""

    exceptions = exceptions

    def __init__(
        self,
        time: Time,
        faults: Faults,
        trace: Callable[[str], None],
        wait: Callable[[float], None],
        build: Callable[[Actor], Process],
        died: Callable[[Actor, int], None],
    ) -> None:
        self._time = time
        self._faults = faults
        self._trace = trace
        self._wait = wait
        self._build = build
        self._died = died
        self.starts = 0
        self.actors: dict[str, Actor] = {}
        self.living_nodes: list[str] = []
        self.util = SimpleNamespace(
            list_named_actors=lambda: list(self.actors), get_node_ip_address=lambda: "10.0.0.1"
        )

    # -- what the product calls --

    def nodes(self) -> list[dict[str, Any]]:
        slots = {"shard": float(SHARD_SLOTS)}
        return [{"NodeID": n, "Alive": True, "Resources": slots} for n in self.living_nodes]

    def get_actor(self, name: str, namespace: str = "") -> Actor:
        if name not in self.actors:
            raise ValueError(f"no actor {name}")
        return self.actors[name]

    def remote(self, **options: Any) -> Callable[[type], SimpleNamespace]:
        def made(cls: type) -> SimpleNamespace:
            return SimpleNamespace(remote=lambda *args: self._make(cls, options, args))

        return made

    def _make(self, cls: type, options: dict[str, Any], arguments: Sequence[object]) -> Actor:
        name = str(options["name"])
        actor = self.actors.get(name)
        if actor is None:
            actor = Actor(self, name, cls, arguments, options)
            actor.restart_at_ms = self._time.now_ms
            self.actors[name] = actor
            self._start(actor)
        return actor

    def get(self, asked: Reference, timeout: float | None = None) -> Any:
        deadline_ms = self._time.now_ms + 1_000 * (60.0 if timeout is None else timeout)
        while not asked.is_done and self._time.now_ms < deadline_ms:
            self._wait(LOOK_S)
        if not asked.is_done:
            raise exceptions.GetTimeoutError(f"{asked.actor.name}.{asked.method}")
        if asked.error is not None:
            raise asked.error
        return asked.value

    def wait(
        self, asked: Sequence[Reference], num_returns: int = 1, timeout: float | None = None
    ) -> tuple[list[Reference], list[Reference]]:
        deadline_ms = self._time.now_ms + 1_000 * (60.0 if timeout is None else timeout)
        while True:
            ready = [one for one in asked if one.is_done]
            if len(ready) >= num_returns or self._time.now_ms >= deadline_ms:
                return ready, [one for one in asked if one not in ready]
            self._wait(LOOK_S)

    def kill(self, actor: Actor, no_restart: bool = True) -> None:
        self._trace(f"kill {actor.name}{' for good' if no_restart else ''}")
        self.end(actor, for_good=no_restart)

    # -- what happens to it --

    def take(self, reference: Reference) -> None:
        """Let a call arrive, at once or late."""
        actor = reference.actor
        late = self._faults.strikes("call_late", f"{actor.name}.{reference.method}")
        late_ms = self._faults.random.randint(1, CALL_LATE_MS_MAX) if late else 0
        if actor.is_gone:
            reference.fail(exceptions.ActorDiedError())
        elif actor.process is None:
            reference.fail(exceptions.ActorUnavailableError(f"{actor.name} restarts", None))
        elif late or actor.frozen_until_ms > self._time.now_ms:
            actor.waiting.append((self._time.now_ms + late_ms, reference))
        else:
            reference.run(actor.process)

    def tick(self) -> None:
        """Start what may start, and let the calls arrive whose time has come."""
        now_ms = self._time.now_ms
        for actor in list(self.actors.values()):
            if actor.process is None:
                self._start(actor)
            elif actor.waiting and actor.frozen_until_ms <= now_ms:
                arrived = [one for at_ms, one in actor.waiting if at_ms <= now_ms]
                actor.waiting = [one for one in actor.waiting if one[0] > now_ms]
                for reference in arrived:
                    if actor.process is not None:
                        reference.run(actor.process)

    def _start(self, actor: Actor) -> None:
        if actor.restart_at_ms is None or actor.restart_at_ms > self._time.now_ms:
            return
        node_id = self._place(actor.options)
        if node_id is None:
            return
        self.starts += 1
        actor.node_id, actor.pid, actor.restart_at_ms = node_id, 100 + self.starts, None
        actor.frozen_until_ms = 0
        actor.process = self._build(actor)
        self._trace(f"start {actor.name} on {node_id} pid {actor.pid}")

    def _place(self, options: Mapping[str, Any]) -> str | None:
        selector = options.get("label_selector", {}).get("ray.io/node-id", "")
        allowed = list(self.living_nodes)
        if selector.startswith("!in("):
            avoided = selector[4:-1].split(",")
            allowed = [node for node in allowed if node not in avoided]
        elif selector:
            allowed = [node for node in allowed if node == selector]
        if not allowed and "fallback_strategy" in options:
            allowed = list(self.living_nodes)
        return self._faults.random.choice(allowed) if allowed else None

    def end(self, actor: Actor, for_good: bool = False) -> None:
        """Let the process of an actor die."""
        pid, actor.process = actor.pid, None
        for _, reference in actor.waiting:
            if for_good:
                reference.fail(exceptions.ActorDiedError())
            else:
                reference.fail(exceptions.ActorUnavailableError(f"{actor.name} restarts", None))
        actor.waiting.clear()
        if for_good:
            actor.is_gone, actor.restart_at_ms = True, None
            self.actors.pop(actor.name, None)
        else:
            wait_ms = self._faults.random.randint(0, RESTART_MS_MAX)
            actor.restart_at_ms = self._time.now_ms + wait_ms
        self._died(actor, pid)

    def end_node(self, node_id: str) -> None:
        """Let a node die with all its processes."""
        self.living_nodes.remove(node_id)
        for actor in self.on(node_id):
            self.end(actor)

    def on(self, node_id: str) -> list[Actor]:
        """Return the actors with a process on a node."""
        return [a for a in self.actors.values() if a.process is not None and a.node_id == node_id]
