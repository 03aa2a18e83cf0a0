"""Who is well, judged by progress and not by a ping; the supervisor asks this once a second.

Pure: what an actor said of itself goes in, a verdict comes out.

- well      its loop moves, or it is still starting within its time
- silent    no answer for too long: its process hangs, or its node does
- stalled   it answers, but its loop does not move
- fenced    another owner has its partition; it has stopped by itself, and is tried again only
            after a pause, as two owners that each start at once would fight for ever
- failed    its loop has ended by an error; the process is about to end and be restarted
- stopped   it was asked to end
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

__all__ = ["Backoff", "Verdict", "judge"]

SILENT_S_MAX: Final = 20.0
#: Longer than what Kafka may keep a loop waiting for on a good day: a commit and its abort.
RUNNING_IDLE_S_MAX: Final = 60.0
#: A restore waits for the fence and, if the journal falls silent, for its time-out.
STARTING_IDLE_S_MAX: Final = 120.0
BOUNCE_WAIT_FIRST_S: Final = 5.0
BOUNCE_WAIT_MAX_S: Final = 300.0
BOUNCES_GIVEN_UP: Final = 6
SETTLED_S: Final = 2 * BOUNCE_WAIT_MAX_S

_STARTING: Final = frozenset({"starting", "building", "restoring"})
_ENDED: Final = frozenset({"fenced", "failed", "stopped"})


class Verdict(NamedTuple):
    """What the supervisor makes of an actor, and why, for people."""

    name: str
    why: str


def judge(health: Mapping[str, object] | None, silent_s: float) -> Verdict:
    """Judge what an actor last said (`None`: nothing lately); `silent_s` seconds ago."""
    if health is None:
        if silent_s > SILENT_S_MAX:
            return Verdict("silent", f"no answer for {silent_s:.0f} s")
        return Verdict("well", "starting")
    state = _state(health)
    if state in _ENDED:
        return Verdict(state, str(health.get("error", "")))
    idle_s = health.get("idle_s", 0.0)
    assert isinstance(idle_s, int | float)
    limit_s = STARTING_IDLE_S_MAX if state in _STARTING else RUNNING_IDLE_S_MAX
    if idle_s > limit_s:
        return Verdict("stalled", f"{state} without progress for {idle_s:.0f} s")
    return Verdict("well", "starting" if state in _STARTING else "")


def _state(health: Mapping[str, object]) -> str:
    """The actor's state, or its loop's where that says more: a running actor may be restoring."""
    state = str(health.get("state", ""))
    status = health.get("status")
    inner = status.get("state") if isinstance(status, Mapping) else None
    return str(inner) if state == "running" and inner else state


class Backoff:
    """When an actor may be bounced again: at once, then after waits that double up to a bound.

    After `BOUNCES_GIVEN_UP` in a row it counts as given up, which operators see; it is still
    tried at the longest interval, so that it comes back when what it needs does.
    """

    def __init__(self) -> None:
        self.bounces = 0
        self._bounced_s = 0.0

    @property
    def gave_up(self) -> bool:
        """Whether bouncing has not helped so far."""
        return self.bounces >= BOUNCES_GIVEN_UP

    def may_bounce(self, now_s: float) -> bool:
        """Whether the wait since the last bounce is over (monotonic seconds)."""
        if not self.bounces:
            return True
        since_s = now_s - self._bounced_s
        wait_s = BOUNCE_WAIT_FIRST_S * (1 << min(self.bounces - 1, 16))
        return since_s >= min(wait_s, BOUNCE_WAIT_MAX_S)

    def bounced(self, now_s: float) -> None:
        """Note a bounce; one after a long quiet time is the first again."""
        if self.bounces and now_s - self._bounced_s > SETTLED_S:
            self.bounces = 0
        self.bounces += 1
        self._bounced_s = now_s
