"""What was pushed already: topic `notices` behind a port, and the part that can still matter.

One journal entry is worked off at a time in a partition: pushes, then notices, then the commit of
the journal's offset. So a push can only be repeated for entries at or after the committed offset.
At start just the notices of those entries are kept (each notice names the offset of its entry),
and when an entry is committed its notices are forgotten: memory is the bettors of one market.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from pipelines.messages.notices import Notice

__all__ = ["NoticeLog", "SentLog"]

_Key = tuple[str, str, str, str, int]


class NoticeLog(Protocol):
    """Durable notices of a partition."""

    def append(self, partition: int, notices: Sequence[Notice]) -> None:
        """Write notices; returns when they are kept. Raises BrokerError: some may not be."""

    def read(self, partition: int) -> Iterator[Notice]:
        """Iterate over all notices, oldest first. Raises BrokerError."""

    def close(self) -> None:
        """Release connections; safe to call twice."""


class SentLog:
    """The sent-log of one partition."""

    def __init__(self, log: NoticeLog, partition: int) -> None:
        self._log = log
        self._partition = partition
        self._keys: set[_Key] = set()

    def __len__(self) -> int:
        return len(self._keys)

    def restore(self, committed: int) -> None:
        """Read back the notices of entries from offset `committed` on. Raises BrokerError."""
        self._keys = {
            _key(notice)
            for notice in self._log.read(self._partition)
            # A notice that does not know its entry may be of any: it is kept.
            if notice.journal_offset < 0 or notice.journal_offset >= committed
        }

    def sent(self, notice: Notice) -> bool:
        """Say whether this push was noted before; its amount and time do not matter."""
        return _key(notice) in self._keys

    def note(self, notices: Sequence[Notice]) -> None:
        """Keep what was pushed, durably. Raises BrokerError."""
        # In memory first: where the log fails, this process at least does not push again.
        self._keys.update(_key(notice) for notice in notices)
        self._log.append(self._partition, notices)

    def forget(self) -> None:
        """Drop the keys: the entry they belong to is committed."""
        self._keys.clear()


def _key(notice: Notice) -> _Key:
    return (
        notice.event_id,
        notice.market_id,
        notice.client_id,
        notice.kind,
        notice.settlement,
    )
