"""Publishers and notifiers of another number, while bets flow: only these are replaced.

Those of the number before end before the new ones begin, so that nobody sees odds out of order;
what is committed meanwhile waits in Kafka. Which number there is, their names say: a supervisor
that comes back reads it there.
"""

import contextlib
import threading
import time
from dataclasses import replace
from math import lcm
from typing import TYPE_CHECKING, Any, Final

import ray

from actors.options import (
    CALL_TIMEOUT_S,
    NOTIFIER,
    PUBLISHER,
    fan_out_kind,
    partition_of,
)
from actors.watched import Watched, end_strays
from pipelines.errors import OverroundError, StackError
from pipelines.settings import Settings

if TYPE_CHECKING:
    from actors.supervisor import Supervisor

__all__ = ["FanOut", "refuse_while_away"]

READY_TIMEOUT_S: Final = 60.0
LOOK_S: Final = 0.05


def refuse_while_away(away: int) -> None:
    """Refuse other lanes while markets are where the present ones keep their order.

    Raises StackError.
    """
    if away:
        raise StackError(
            f"{away} markets of isolated events are away from home: bring them back with "
            "`overround rejoin EVENT`, then change the number of publishers or notifiers"
        )


class FanOut:
    """The supervisor's hand for another number of publishers and notifiers, one at a time."""

    def __init__(self, supervisor: "Supervisor") -> None:
        self.changing: frozenset[str] = frozenset()  # kinds of which none may be made now
        self.lanes = supervisor.settings.lanes  # what the shards are to keep to
        self._supervisor = supervisor
        self._one = threading.Lock()

    def change(self, publishers: int, notifiers: int) -> dict[str, object]:
        """Change the numbers, 0: as it is; the result has `error`, empty where it went well."""
        if not self._one.acquire(blocking=False):
            return self._result(error="another change of their number is under way")
        supervisor = self._supervisor
        before = supervisor.settings
        wanted = replace(
            before,
            publishers=publishers or before.publishers,
            notifiers=notifiers or before.notifiers,
        )
        try:
            wanted.validated()
            if wanted == before:
                return self._result()
            if wanted.lanes != before.lanes:
                # What is isolated from here on is right under both; then none may be away.
                self.lanes = lcm(before.lanes, wanted.lanes)
                refuse_while_away(self._told_all())
            return self._result(self._replaced(before, wanted))
        except (OverroundError, ray.exceptions.RayError) as error:
            return self._result(error=str(error))
        finally:
            self.lanes = supervisor.settings.lanes  # each shard is told as it is heard
            self.changing = frozenset()
            self._one.release()

    def tell(self, watched: Watched) -> None:
        """Tell a shard its lanes, where it said others."""
        said = watched.status.get("lanes")
        if said is not None and said != self.lanes:
            watched.handle.keep_lanes.remote(self.lanes)

    def _told_all(self) -> int:
        """Tell all copies of all shards; return how many markets are away. Raises StackError."""
        supervisor = self._supervisor
        with supervisor.lock:
            asked = {
                watched.handle.keep_lanes.remote(self.lanes): partition
                for name, watched in supervisor.watched.items()
                if (partition := partition_of(name)) is not None and watched.handle is not None
            }
        ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=CALL_TIMEOUT_S)
        away: dict[int, int] = {}
        for reference in ready:
            with contextlib.suppress(ray.exceptions.RayError):  # it has just ended
                known = ray.get(reference, timeout=CALL_TIMEOUT_S)
                if known is not None:
                    away[asked[reference]] = known
        silent = [p for p in range(supervisor.settings.partitions) if p not in away]
        if silent:
            raise StackError(
                f"the shards of partitions {', '.join(map(str, silent))} do not say whether "
                "markets are away from home: try again once `overround status` shows them running"
            )
        return sum(away.values())

    def _replaced(self, before: Settings, wanted: Settings) -> float:
        """End those of the number before, begin the others; return how long none ran (seconds)."""
        supervisor = self._supervisor
        kinds = {PUBLISHER} if wanted.publishers != before.publishers else set()
        kinds |= {NOTIFIER} if wanted.notifiers != before.notifiers else set()
        with supervisor.lock:
            self.changing = frozenset(kinds)
            for name in [n for n in supervisor.watched if fan_out_kind(n) in kinds]:
                del supervisor.watched[name]
        began_s = time.monotonic()
        end_strays(lambda name: fan_out_kind(name) in kinds)
        with supervisor.lock:
            supervisor.settings = wanted
            self.changing = frozenset()
            supervisor.complete()
            begun = [w for n, w in supervisor.watched.items() if fan_out_kind(n) in kinds]
        while time.monotonic() < began_s + READY_TIMEOUT_S:
            if all(_runs(watched.handle) for watched in begun):
                return time.monotonic() - began_s
            time.sleep(LOOK_S)
        names = ", ".join(watched.role.name for watched in begun)
        raise StackError(f"{names} have begun, but did not run after {READY_TIMEOUT_S:.0f} s")

    def _result(self, stall_s: float = 0.0, error: str = "") -> dict[str, object]:
        settings = self._supervisor.settings
        return {
            "publishers": settings.publishers,
            "notifiers": settings.notifiers,
            "stall_ms": round(1_000 * stall_s),
            "error": error,
        }


def _runs(handle: Any) -> bool:
    try:
        return bool(ray.get(handle.health.remote(), timeout=CALL_TIMEOUT_S)["state"] == "running")
    except ray.exceptions.RayError:
        return False  # being made
