"""The id under which a message goes out: a repeat has the same, and no two others have one."""

from functools import lru_cache

from pipelines.limits import EVENTS_PER_SHARD_MAX
from pipelines.topics import partition_of

__all__ = ["guest_partition", "message_id"]


def message_id(event_id: str, event_seq: int, guest: int) -> str:
    """Return `<event>:<event_seq>`, with `:<partition>` of a shard where the event is a guest.

    Each shard numbers the event by itself. `guest`: that partition, -1 at the event's home.
    """
    return f"{event_id}:{event_seq}" if guest < 0 else f"{event_id}:{event_seq}:{guest}"


@lru_cache(EVENTS_PER_SHARD_MAX)
def guest_partition(event_id: str, partition: int, partitions: int) -> int:
    """Return the partition if the event's home is another one, -1 if it is at home."""
    return -1 if partition_of(event_id.encode(), partitions) == partition else partition
