"""Engine time and timers: which clock an event lives by, and what is due.

Time is the largest timestamp seen, so it never runs backwards. A wall event's time comes from all
records and ticks; a feed event's from the records of its feed alone, so a recording decides the
same at any speed. A timer fires before the first record that is not earlier than it is due, and
its entries carry the due time, so it makes no difference whether a record or a tick set it off.
"""

from collections.abc import Iterator

from pipelines.shard.state import EventState, ShardState
from pipelines.shard.timers import Timer, Timers

#: Forgetting, what is between shards and long settlements go by wall time for all events.
WALL_KINDS = frozenset({"retire", "hold", "settle", "surplus"})

__all__ = ["due_timers", "next_due_ms", "time_of", "timers_of"]


def time_of(shard: ShardState, event: EventState | None, stated_ms: int, record_ms: int) -> int:
    """Return the engine time of a record: `stated_ms` is the feed's own, 0 where it has none."""
    if event is not None and event.feed_clock:
        return max(event.now_ms, stated_ms)
    return max(shard.now_ms, record_ms)


def timers_of(shard: ShardState, event: EventState | None, kind: str) -> Timers:
    """Return the timers among which such a one waits."""
    if event is not None and event.feed_clock and kind not in WALL_KINDS:
        return event.timers
    return shard.timers


def due_timers(timers: Timers, at_ms: int) -> Iterator[Timer]:
    """Yield what is due, earliest first; each must be removed by its entry before the next."""
    while timers.due_ms <= at_ms:
        yield timers.first()


def next_due_ms(shard: ShardState) -> int | None:
    """Return when the next wall timer is due, None where none waits."""
    return shard.timers.due_ms if shard.timers else None
