"""Engine time and timers: which clock an event lives by, and what is due.

Time is the largest timestamp seen, so it never runs backwards. A wall event's time comes from all
records and ticks; a feed event's from the records of its feed alone, so a recording decides the
same at any speed. A timer fires before the first record that is not earlier than it is due, and
its entries carry the due time, so it makes no difference whether a record or a tick set it off.
"""

import heapq
from collections.abc import Iterator

from pipelines.shard.state import EventState, ShardState, Timer

__all__ = ["add_timer", "due_timers", "next_due_ms", "remove_timer", "time_of"]


def time_of(shard: ShardState, event: EventState | None, stated_ms: int, record_ms: int) -> int:
    """Return the engine time of a record: `stated_ms` is the feed's own, 0 where it has none."""
    if event is not None and event.feed_clock:
        return max(event.now_ms, stated_ms)
    return max(shard.now_ms, record_ms)


def heap_of(shard: ShardState, event: EventState | None, kind: str) -> list[Timer]:
    """Return the heap in which such a timer lives; forgetting goes by wall time for all."""
    if event is not None and event.feed_clock and kind != "retire":
        return event.timers
    return shard.timers


def due_timers(heap: list[Timer], at_ms: int) -> Iterator[Timer]:
    """Yield what is due, earliest first; each must be removed by its entry before the next."""
    while heap and heap[0][0] <= at_ms:
        yield heap[0]


def next_due_ms(shard: ShardState) -> int | None:
    """Return when the next wall timer is due, None where none waits."""
    return shard.timers[0][0] if shard.timers else None


def add_timer(heap: list[Timer], timer: Timer) -> None:
    """Add a timer. Only `evolve` calls this."""
    heapq.heappush(heap, timer)


def remove_timer(heap: list[Timer], kind: str, event_id: str, client: str, bet: str) -> None:
    """Remove a timer if it is there. Only `evolve` calls this."""
    if heap and heap[0][2:] == (kind, event_id, client, bet):
        heapq.heappop(heap)
        return
    for index, timer in enumerate(heap):
        if timer[2:] == (kind, event_id, client, bet):
            heap[index] = heap[-1]
            heap.pop()
            heapq.heapify(heap)
            return
