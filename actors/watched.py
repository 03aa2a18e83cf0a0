"""What the supervisor knows of one actor, and of the nodes that may host it."""

import contextlib
import time
from collections.abc import Callable, Collection
from typing import Any, Final

import ray

from actors.cast import Role
from actors.options import NAMESPACE, NODE_ID, fan_out_kind
from pipelines.health import Backoff, Verdict, judge

__all__ = [
    "HEALTH_TIMEOUT_S",
    "Watched",
    "away_from",
    "end_all",
    "end_strays",
    "exists",
    "shard_nodes",
]

STOP_TIMEOUT_S: Final = 10.0
HEALTH_TIMEOUT_S: Final = 5.0
FENCED_WAIT_S: Final = 30.0  # long enough for a newer owner, where there is one, to be seen


class Watched:
    """One actor as last seen."""

    def __init__(self, role: Role) -> None:
        self.role = role
        self.handle: Any = None
        self.asked: Any = None  # at most one question waits at an actor that does not answer
        self.health: dict[str, Any] | None = None
        self.heard_s = time.monotonic()
        self.verdict = Verdict("well", "starting")
        self.backoff = Backoff()
        self.restarts = 0
        self.pid = 0
        self.fenced_s: float | None = None

    @property
    def node_id(self) -> str:
        """The node that it was last seen on, empty before."""
        return str(self.health.get("node_id", "")) if self.health is not None else ""

    @property
    def status(self) -> dict[str, Any]:
        """What its loop last said of itself, empty before."""
        return dict(self.health["status"]) if self.health is not None else {}

    @property
    def lifeline(self) -> tuple[str, int] | None:
        """Where its process' life can be watched, None where that is not known."""
        address = self.health.get("lifeline") if self.health is not None else None
        return (str(address[0]), int(address[1])) if address else None

    def hear(self, health: dict[str, Any], now_s: float) -> None:
        """Note what it says of itself."""
        if self.pid and health["pid"] != self.pid:
            self.restarts += 1
        self.pid = int(health["pid"])
        self.health, self.heard_s = health, now_s

    def is_unwell(self, now_s: float) -> bool:
        """Judge it; return whether to bounce it as soon as that may be."""
        silent_s = now_s - self.heard_s
        self.verdict = judge(self.health if silent_s < HEALTH_TIMEOUT_S else None, silent_s)
        verdict = self.verdict.name
        if verdict != "fenced":
            self.fenced_s = None
        elif self.fenced_s is None:
            self.fenced_s = now_s
        if self.fenced_s is not None and now_s - self.fenced_s > FENCED_WAIT_S:
            return True
        # Asked to end, yet still wanted: who asked was cut short.
        cut_short = verdict == "stopped" and fan_out_kind(self.role.name) != ""
        return verdict in ("stalled", "silent") or cut_short

    def shown(self, now_s: float) -> dict[str, object]:
        """Return what is known of it, as plain values."""
        return {
            "name": self.role.name,
            "verdict": self.verdict.name,
            "why": self.verdict.why,
            "restarts": self.restarts,
            "bounces": self.backoff.bounces,
            "gave_up": self.backoff.gave_up,
            "heard_s_ago": round(now_s - self.heard_s, 1),
            "health": self.health,
        }

    def end(self) -> None:
        """End it for good; the next round makes it anew if it is wanted."""
        if self.handle is not None:
            with contextlib.suppress(ray.exceptions.RayError):
                ray.kill(self.handle, no_restart=True)
        self.handle, self.health, self.asked, self.pid = None, None, None, 0


def shard_nodes() -> list[str]:
    """Return the ids of the living nodes that have slots for shards."""
    nodes = [n for n in ray.nodes() if n["Alive"] and n["Resources"].get("shard", 0) >= 1]
    return sorted(str(n["NodeID"]) for n in nodes)


def away_from(node_ids: Collection[str]) -> dict[str, object]:
    """Return options that keep an actor off these nodes, as long as there is another."""
    if not node_ids:
        return {}
    return {
        "label_selector": {NODE_ID: f"!in({','.join(sorted(node_ids))})"},
        "fallback_strategy": [{"label_selector": {}}],
    }


def end_all(these: Collection[Watched], timeout_s: float) -> list[str]:
    """End the loops of these, then the actors; return who did not end in time."""
    made = [watched for watched in these if watched.handle is not None]
    pending = {watched.handle.stop.remote(timeout_s): watched.role.name for watched in made}
    _, late = ray.wait(
        list(pending), num_returns=len(pending), timeout=timeout_s + HEALTH_TIMEOUT_S
    )
    for watched in these:
        watched.end()
    return [pending[reference] for reference in late]


def end_strays(is_stray: Callable[[str], bool]) -> None:
    """End the actors of such names that are there from before, their loops first."""
    strays = []
    for name in filter(is_stray, ray.util.list_named_actors()):
        with contextlib.suppress(ValueError):  # gone meanwhile
            strays.append(ray.get_actor(name, namespace=NAMESPACE))
    stopped = [stray.stop.remote(STOP_TIMEOUT_S) for stray in strays]
    if stopped:  # all at once; those that are dead or hang are killed all the same
        ray.wait(stopped, num_returns=len(stopped), timeout=STOP_TIMEOUT_S + 1.0)
    for stray in strays:
        with contextlib.suppress(ray.exceptions.RayError):
            ray.kill(stray, no_restart=True)


def exists(name: str) -> bool:
    """Return whether Ray knows an actor of this name."""
    try:
        ray.get_actor(name, namespace=NAMESPACE)
    except ValueError:
        return False
    return True
