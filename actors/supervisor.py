"""Actor `supervisor`: keeps the cast complete and moving.

Every second it asks each actor for its health. One that is missing is made again; one that makes
no progress is bounced (killed so that Ray restarts it), with a growing pause between bounces. One
that was fenced has stopped by itself; it is tried again after a while, because a broker also
fences a shard that was paused for longer than its transaction may last, and then there is no newer
owner. The supervisor holds nothing that it cannot find out again, so its own restart is harmless.
"""

import contextlib
import logging
import threading
import time
from typing import Any, Final

import ray

from actors.cast import Role, cast_of, make
from pipelines.health import Backoff, Verdict, judge
from pipelines.settings import Settings

__all__ = ["Supervisor"]

logger = logging.getLogger(__name__)

ROUND_S: Final = 1.0
HEALTH_TIMEOUT_S: Final = 5.0
FENCED_WAIT_S: Final = 30.0  # long enough for a newer owner, where there is one, to be seen


class _Watched:
    """What the supervisor knows of one actor."""

    def __init__(self, role: Role) -> None:
        self.role = role
        self.handle: Any = None
        self.asked: Any = None  # at most one question waits at an actor that does not answer
        self.health: dict[str, object] | None = None
        self.heard_s = time.monotonic()
        self.verdict = Verdict("well", "starting")
        self.backoff = Backoff()
        self.restarts = 0
        self.pid = 0
        self.fenced_s: float | None = None


class Supervisor:
    """Watches the cast in a thread of its own."""

    def __init__(self, name: str, version: str, settings: Settings) -> None:
        logging.basicConfig(
            level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s"
        )
        self._name = name
        self._version = version
        self._settings = settings
        self._watched: dict[str, _Watched] = {}
        self._error = ""
        self._round_s = time.monotonic()
        self._stop = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while not self._stop.is_set():
            began_s = time.monotonic()
            try:
                self._round()
                self._error = ""
            except Exception as error:
                # The next round starts from what Ray says then; only the words are kept.
                self._error = f"{type(error).__name__}: {error}"
                logger.exception("a round failed")
            self._round_s = time.monotonic()
            self._stop.wait(max(0.0, ROUND_S - (self._round_s - began_s)))

    def _round(self) -> None:
        nodes = [n["NodeID"] for n in ray.nodes() if n["Alive"]]
        cast = {role.name: role for role in cast_of(self._settings, nodes)}
        for name in self._watched.keys() - cast.keys():
            # Its node is gone: a metrics actor cannot run elsewhere.
            gone = self._watched[name]
            if gone.handle is not None:
                self._end(gone)
        self._watched = {
            name: self._watched.get(name) or _Watched(role) for name, role in cast.items()
        }
        asked: dict[Any, _Watched] = {}
        for watched in self._watched.values():
            if watched.handle is None:
                watched.handle = make(watched.role, self._version)
            if watched.asked is None:
                watched.asked = watched.handle.health.remote()
            asked[watched.asked] = watched
        ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=HEALTH_TIMEOUT_S)
        now_s = time.monotonic()
        for reference in ready:
            asked[reference].asked = None
            self._hear(asked[reference], reference, now_s)
        for watched in self._watched.values():
            self._judge(watched, now_s)

    def _hear(self, watched: _Watched, reference: Any, now_s: float) -> None:
        try:
            health = ray.get(reference, timeout=HEALTH_TIMEOUT_S)
        except ray.exceptions.ActorDiedError:
            # Ended for good, by hand or by a failed constructor: make it anew.
            watched.handle = None
            return
        except ray.exceptions.RayError:
            return  # restarting: heard of again when it is back
        if watched.pid and health["pid"] != watched.pid:
            watched.restarts += 1
        watched.pid = int(health["pid"])
        watched.health, watched.heard_s = health, now_s
        if health["version"] != self._version:
            logger.info("replacing actor=%s version=%s", watched.role.name, health["version"])
            self._end(watched)

    def _judge(self, watched: _Watched, now_s: float) -> None:
        silent_s = now_s - watched.heard_s
        health = watched.health if silent_s < HEALTH_TIMEOUT_S else None
        watched.verdict = judge(health, silent_s)
        if watched.verdict.name != "fenced":
            watched.fenced_s = None
        elif watched.fenced_s is None:
            watched.fenced_s = now_s
        fenced_too_long = watched.fenced_s is not None and now_s - watched.fenced_s > FENCED_WAIT_S
        unwell = watched.verdict.name in ("stalled", "silent") or fenced_too_long
        if unwell and watched.handle is not None and watched.backoff.may_bounce(now_s):
            logger.warning("bouncing actor=%s: %s", watched.role.name, watched.verdict.why)
            watched.backoff.bounced(now_s)
            ray.kill(watched.handle, no_restart=False)
            watched.heard_s, watched.asked, watched.fenced_s = now_s, None, None

    def _end(self, watched: _Watched) -> None:
        with contextlib.suppress(ray.exceptions.RayError):
            ray.kill(watched.handle, no_restart=True)
        watched.handle, watched.health, watched.asked, watched.pid = None, None, None, 0

    def overview(self) -> dict[str, object]:
        """Return all actors as the supervisor last saw them, as plain values."""
        now_s = time.monotonic()
        return {
            "supervisor": {
                "version": self._version,
                "error": self._error,
                "round_age_s": round(now_s - self._round_s, 1),
            },
            "actors": [
                {
                    "name": name,
                    "verdict": watched.verdict.name,
                    "why": watched.verdict.why,
                    "restarts": watched.restarts,
                    "bounces": watched.backoff.bounces,
                    "gave_up": watched.backoff.gave_up,
                    "heard_s_ago": round(now_s - watched.heard_s, 1),
                    "health": watched.health,
                }
                for name, watched in self._watched.items()
            ],
        }

    def names_on(self, node_id: str) -> list[str]:
        """Return the actors whose metrics the node's target shows."""
        return [
            name
            for name, watched in self._watched.items()
            if watched.health is not None and watched.health.get("node_id") == node_id
        ]

    def metrics(self) -> bytes:
        """Return nothing of its own; `overround_actor_up` says who lives."""
        return b""

    def stop_all(self, timeout_s: float) -> list[str]:
        """Stop watching, end every loop, then the actors; return who did not end in time."""
        self._stop.set()
        pending = {
            w.handle.stop.remote(timeout_s): name
            for name, w in self._watched.items()
            if w.handle is not None
        }
        _, late = ray.wait(
            list(pending), num_returns=len(pending), timeout=timeout_s + HEALTH_TIMEOUT_S
        )
        for watched in self._watched.values():
            if watched.handle is not None:
                self._end(watched)
        return [pending[reference] for reference in late]
