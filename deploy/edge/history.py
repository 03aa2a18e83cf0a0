"""What a channel still knows: its last publications, bounded by age, count and bytes."""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator

from msgspec import Struct

from deploy.edge.bounds import HISTORY_BYTES_MAX, HISTORY_ENTRIES_MAX, MESSAGE_COST_BYTES
from deploy.edge.wire import Flag, Frame, Message

__all__ = ["Entry", "History"]


class Entry(Struct, frozen=True, gc=False):
    """One publication: its place in the channel, its messages, and its frame for sockets.

    `mode` is what an attachment needs to get it again. Changes of messages and annotations are
    not `listed`: a client that resumes gets them again, a query sees only what they led to.
    """

    channel_serial: str
    timestamp_ms: int
    messages: tuple[Message, ...]
    frame: Frame
    size: int
    mode: Flag = Flag.SUBSCRIBE
    listed: bool = True


class History:
    """Entries in channel order. `dropped` is the serial of the newest one that is gone."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self.bytes = 0
        self.dropped = ""

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def oldest_ms(self) -> int:
        """When the oldest publication was made; 0 where there is none."""
        return self._entries[0].timestamp_ms if self._entries else 0

    @property
    def memory_bytes(self) -> int:
        """What it takes in memory, roughly."""
        return self.bytes + MESSAGE_COST_BYTES * len(self._entries)

    def append(self, entry: Entry) -> list[Entry]:
        """Keep the newest publication; returns the oldest ones that gave way."""
        self._entries.append(entry)
        self.bytes += entry.size
        gone = []
        while len(self._entries) > HISTORY_ENTRIES_MAX or self.bytes > HISTORY_BYTES_MAX:
            gone.append(self._drop())
        return gone

    def expire(self, before_ms: int) -> list[Entry]:
        """Drop what is older, and return it."""
        gone = []
        while self._entries and self._entries[0].timestamp_ms < before_ms:
            gone.append(self._drop())
        return gone

    def shed(self, count: int) -> list[Entry]:
        """Drop so many of the oldest, and return them."""
        return [self._drop() for _ in range(min(count, len(self._entries)))]

    def _drop(self) -> Entry:
        gone = self._entries.popleft()
        self.bytes -= gone.size
        self.dropped = gone.channel_serial
        return gone

    def after(self, serial: str) -> list[Entry]:
        """Return what follows the serial, oldest first."""
        start = bisect_right(self._entries, serial, key=lambda entry: entry.channel_serial)
        return [self._entries[i] for i in range(start, len(self._entries))]

    def find(self, message_serial: str) -> Message | None:
        """Return the message of a serial as it was published."""
        channel_serial, _, index = message_serial.rpartition(":")
        at = bisect_left(self._entries, channel_serial, key=lambda entry: entry.channel_serial)
        if at == len(self._entries) or not index.isdigit():
            return None
        entry = self._entries[at]
        if not entry.listed or entry.channel_serial != channel_serial:
            return None
        return next((one for one in entry.messages if one.serial == message_serial), None)

    def newest(self, messages_max: int) -> list[Entry]:
        """Return the newest listed entries of at most so many messages, oldest first."""
        found: deque[Entry] = deque()
        for entry in reversed(self._entries):
            if not entry.listed:
                continue
            messages_max -= len(entry.messages)
            if messages_max < 0:
                break
            found.appendleft(entry)
        return list(found)

    def since(self, timestamp_ms: int) -> list[Entry]:
        """Return what was listed at or after the moment, oldest first."""
        return [e for e in self._entries if e.listed and e.timestamp_ms >= timestamp_ms]

    def messages(self, forwards: bool) -> Iterator[Message]:
        """Yield single messages, as published, in the direction asked for."""
        entries: Iterable[Entry] = self._entries if forwards else reversed(self._entries)
        for entry in entries:
            if entry.listed:
                yield from entry.messages if forwards else reversed(entry.messages)
