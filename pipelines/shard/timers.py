"""What waits for a time on one clock, earliest first: part of a shard's state.

A heap whose removed entries are dropped when they come to its top, so that a result with many
pending bets does not search the heap for each of them.
"""

import heapq
from collections.abc import Iterator
from typing import Final

__all__ = ["NEVER_MS", "Timer", "Timers"]

#: (due in ms, order, kind, event id, client id, bet id); kinds: bet, hold, start, retire,
#: coupon, settle (whose market stands in place of the client), surplus (in place of the bet).
Timer = tuple[int, int, str, str, str, str]

NEVER_MS: Final = 2**62
STALE_MAX: Final = 1_000  # entries removed but still in the heap, beside as many as wait


class Timers:
    """Timers by due time, one for each name (kind, event, client, bet). Only `evolve` changes it.

    `due_ms` is that of the earliest, NEVER_MS where none waits.
    """

    __slots__ = ("_heap", "_waiting", "due_ms")

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._waiting: dict[tuple[str, ...], Timer] = {}
        self.due_ms = NEVER_MS

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Timer]:
        """Iterate over what waits, earliest first."""
        return iter(sorted(self._waiting.values()))

    def first(self) -> Timer:
        """Return the earliest; there must be one."""
        return self._heap[0]

    def named(self, *name: str) -> Timer | None:
        """Return the one of this name (kind, event, client, bet), if it waits."""
        return self._waiting.get(name)

    def add(self, timer: Timer) -> None:
        """Let one wait."""
        self._waiting[timer[2:]] = timer
        heapq.heappush(self._heap, timer)
        self._tidy()

    def remove(self, *name: str) -> None:
        """Let the one of this name (kind, event, client, bet) wait no more, if it does."""
        if self._waiting.pop(name, None) is not None:
            self._tidy()

    def _tidy(self) -> None:
        heap, waiting = self._heap, self._waiting
        if len(heap) > 2 * len(waiting) + STALE_MAX:
            heap[:] = sorted(waiting.values())
        while heap and waiting.get(heap[0][2:]) is not heap[0]:
            heapq.heappop(heap)
        self.due_ms = heap[0][0] if heap else NEVER_MS
