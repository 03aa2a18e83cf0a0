"""What a channel still knows: its last publications, bounded by age, count and bytes."""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from deploy.edge.bounds import HISTORY_BYTES_MAX, HISTORY_ENTRIES_MAX
from deploy.edge.wire import Frame, Message

__all__ = ["Entry", "History"]


class Entry(NamedTuple):
    """One publication: its place in the channel, its messages, and its frame for sockets."""

    channel_serial: str
    timestamp_ms: int
    messages: tuple[Message, ...]
    frame: Frame
    size: int


class History:
    """Entries in channel order. `dropped` is the serial of the newest one that is gone."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self.bytes = 0
        self.dropped = ""

    def __len__(self) -> int:
        return len(self._entries)

    def append(self, entry: Entry) -> None:
        """Keep the newest publication; the oldest give way."""
        self._entries.append(entry)
        self.bytes += entry.size
        while len(self._entries) > HISTORY_ENTRIES_MAX or self.bytes > HISTORY_BYTES_MAX:
            self._drop()

    def expire(self, before_ms: int) -> None:
        """Drop what is older."""
        while self._entries and self._entries[0].timestamp_ms < before_ms:
            self._drop()

    def _drop(self) -> None:
        gone = self._entries.popleft()
        self.bytes -= gone.size
        self.dropped = gone.channel_serial

    def after(self, serial: str) -> list[Entry]:
        """Return what follows the serial, oldest first."""
        start = bisect_right(self._entries, serial, key=lambda entry: entry.channel_serial)
        return [self._entries[i] for i in range(start, len(self._entries))]

    def newest(self, messages_max: int) -> list[Entry]:
        """Return the newest entries that hold at most so many messages, oldest first."""
        found: deque[Entry] = deque()
        for entry in reversed(self._entries):
            messages_max -= len(entry.messages)
            if messages_max < 0:
                break
            found.appendleft(entry)
        return list(found)

    def since(self, timestamp_ms: int) -> list[Entry]:
        """Return what was published at or after the moment, oldest first."""
        return [entry for entry in self._entries if entry.timestamp_ms >= timestamp_ms]

    def messages(self, forwards: bool) -> Iterator[Message]:
        """Yield single messages in the direction asked for."""
        entries: Iterable[Entry] = self._entries if forwards else reversed(self._entries)
        for entry in entries:
            yield from entry.messages if forwards else reversed(entry.messages)
