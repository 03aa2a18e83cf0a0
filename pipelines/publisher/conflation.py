"""Decides what goes with the next request to the edge, and how far each topic is done. No I/O.

Of images only the newest of each market waits; receipts all wait, in order per channel. One batch
is in flight at a time; it holds at most one message of a market and one receipt of a bettor, so a
message that is refused alone can never be overtaken by a later one of its kind.

A topic is done up to the first record whose message is still waiting. An image that a newer one
replaced counts as done when the newer one is. Each slot therefore keeps the offset of the first
record it stands for: memory is one slot a market, however long the edge is away.
"""

from collections import OrderedDict, deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec

from pipelines.limits import (
    ABLY_BATCH_BYTES_MAX,
    ABLY_CHANNELS_PER_BATCH_MAX,
    ABLY_MESSAGES_PER_BATCH_MAX,
    ABLY_MESSAGES_PER_CHANNEL_PER_SECOND,
)
from pipelines.ports import Publication, Taken

__all__ = ["Conflator", "Outcome", "Position", "wire_bytes"]

SECOND_MS: Final = 1_000
CHANNEL_RETRY_MS: Final = 250
WINDOWS_MAX: Final = 4_096
#: Name, braces and field names of one message in a request, generously.
MESSAGE_OVERHEAD_BYTES: Final = 160

TopicPartition = tuple[str, int]


class Position(NamedTuple):
    """Where a message came from; `timestamp_ms` is its record's."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int = 0


class Outcome(NamedTuple):
    """What became of one message of a batch; `receipt` tells receipts from images."""

    publication: Publication
    position: Position
    taken: Taken
    receipt: bool


@dataclass(slots=True)
class _Slot:
    """The newest message of a market, for the records from offset `first` on."""

    publication: Publication
    position: Position
    size: int
    first: int
    in_flight: Publication | None = None
    first_since_sent: int | None = None


class _Receipt(NamedTuple):
    publication: Publication
    position: Position
    size: int


class _Flight(NamedTuple):
    publication: Publication
    position: Position
    slot_key: Hashable | None  # None: a receipt


@dataclass(slots=True)
class _Batch:
    """The request being put together, within shares of its limits."""

    flights: list[_Flight] = field(default_factory=list)
    channels: set[str] = field(default_factory=set)
    size: int = 0

    def fits(self, channel: str, size: int, share: int) -> bool:
        """Say whether one more message fits into 1/share of the limits."""
        more = 0 if channel in self.channels else 1
        return (
            len(self.channels) + more <= ABLY_CHANNELS_PER_BATCH_MAX // share
            and len(self.flights) < ABLY_MESSAGES_PER_BATCH_MAX // share
            # A single message above the share still goes, alone: the edge decides on it.
            and (not self.flights or self.size + size <= ABLY_BATCH_BYTES_MAX // share)
        )

    def add(self, flight: _Flight, size: int) -> None:
        self.flights.append(flight)
        self.channels.add(flight.publication.channel)
        self.size += size


def wire_bytes(publication: Publication) -> int:
    """Bytes that a publication takes in a request: its data is JSON in a JSON string."""
    data = msgspec.json.encode(publication.data)
    escapes = data.count(b'"') + data.count(b"\\")
    ids = 2 * (len(publication.channel.encode()) + len(publication.id.encode()))
    return len(data) + escapes + ids + MESSAGE_OVERHEAD_BYTES


class Conflator:
    """What waits for the edge. Call `due`, publish its batch, then `settle` with the answers.

    `interval_ms`: least time between two images of one market.
    """

    def __init__(self, interval_ms: int) -> None:
        self._interval_ms = interval_ms
        self._slots: OrderedDict[Hashable, _Slot] = OrderedDict()
        self._slot_sent_ms: OrderedDict[Hashable, int] = OrderedDict()
        self._queues: OrderedDict[str, deque[_Receipt]] = OrderedDict()
        #: How many receipts of each record wait, by its offset.
        self._pending: dict[TopicPartition, OrderedDict[int, int]] = {}
        self._read: dict[TopicPartition, int] = {}
        self._in_flight: list[_Flight] = []
        self._windows: dict[str, deque[int]] = {}
        self._held_until_ms: dict[str, int] = {}
        self.receipts_waiting = 0
        self.conflated = 0

    @property
    def images_waiting(self) -> int:
        """Markets whose newest image or summary the edge has not taken."""
        return len(self._slots)

    def read(self, position: Position) -> None:
        """Note that a record was read; call it for each, with or without a message."""
        self._read[position.topic, position.partition] = position.offset + 1

    def offer_image(self, key: Hashable, publication: Publication, position: Position) -> None:
        """Let this be the newest message under a key, in place of the one that waited."""
        size = wire_bytes(publication)
        slot = self._slots.get(key)
        if slot is None:
            self._slots[key] = _Slot(publication, position, size, position.offset)
            return
        if slot.in_flight is not None and slot.first_since_sent is None:
            slot.first_since_sent = position.offset
        else:
            self.conflated += 1
        slot.publication, slot.position, slot.size = publication, position, size

    def offer_receipt(self, publication: Publication, position: Position) -> None:
        """Let a receipt wait behind the others of its channel."""
        receipt = _Receipt(publication, position, wire_bytes(publication))
        self._queues.setdefault(publication.channel, deque()).append(receipt)
        pending = self._pending.setdefault((position.topic, position.partition), OrderedDict())
        pending[position.offset] = pending.get(position.offset, 0) + 1
        self.receipts_waiting += 1

    def due(self, now_ms: int, images: bool = True) -> list[Publication]:
        """Return the next batch, empty when nothing may go now; it is in flight until `settle`.

        `images`: whether images may go at all.
        """
        assert not self._in_flight, "one request in flight"
        batch = _Batch()
        # Half for odds, then receipts, then odds again: neither can starve the other.
        if images:
            self._take_images(batch, now_ms, share=2)
        self._take_receipts(batch, now_ms)
        if images:
            self._take_images(batch, now_ms, share=1)
        self._in_flight = batch.flights
        self._forget_windows(now_ms)
        return [flight.publication for flight in batch.flights]

    def settle(self, answers: Sequence[Taken], now_ms: int) -> list[Outcome]:
        """Take the edge's answers to the batch in flight, in its order; none: nobody knows."""
        flights, self._in_flight = self._in_flight, []
        given = list(answers) or [Taken(0, True)] * len(flights)
        outcomes = []
        for flight, taken in zip(flights, given, strict=True):
            if taken.retry and answers:
                self._held_until_ms[flight.publication.channel] = now_ms + CHANNEL_RETRY_MS
            if flight.slot_key is not None:
                self._settle_slot(flight.slot_key, taken, now_ms)
            elif not taken.retry:
                self._settle_receipt(flight)
            outcomes.append(
                Outcome(flight.publication, flight.position, taken, flight.slot_key is None)
            )
        return outcomes

    def done(self) -> dict[TopicPartition, int]:
        """Return the next offset to commit for each partition that was read."""
        done = dict(self._read)
        for slot in self._slots.values():
            where = (slot.position.topic, slot.position.partition)
            done[where] = min(done.get(where, slot.first), slot.first)
        for where, pending in self._pending.items():
            if pending:
                first = next(iter(pending))
                done[where] = min(done.get(where, first), first)
        return done

    def _take_images(self, batch: _Batch, now_ms: int, share: int) -> None:
        for key, slot in self._slots.items():
            if len(batch.flights) >= ABLY_MESSAGES_PER_BATCH_MAX // share:
                return
            channel = slot.publication.channel
            sent_ms = self._slot_sent_ms.get(key)
            if (
                slot.in_flight is not None
                or (sent_ms is not None and now_ms - sent_ms < self._interval_ms)
                or not batch.fits(channel, slot.size, share)
                or not self._may_send(channel, now_ms)
            ):
                continue
            slot.in_flight = slot.publication
            self._slot_sent_ms[key] = now_ms
            self._slot_sent_ms.move_to_end(key)
            batch.add(_Flight(slot.publication, slot.position, key), slot.size)
        while self._slot_sent_ms:
            key, sent_ms = next(iter(self._slot_sent_ms.items()))
            if now_ms - sent_ms < self._interval_ms:
                break
            del self._slot_sent_ms[key]

    def _take_receipts(self, batch: _Batch, now_ms: int) -> None:
        for channel, queue in self._queues.items():
            if len(batch.channels) >= ABLY_CHANNELS_PER_BATCH_MAX:
                return
            head = queue[0]
            if batch.fits(channel, head.size, 1) and self._may_send(channel, now_ms):
                batch.add(_Flight(head.publication, head.position, None), head.size)

    def _may_send(self, channel: str, now_ms: int) -> bool:
        """Say whether a channel has room in its second; where it has, use it."""
        held_until_ms = self._held_until_ms.get(channel)
        if held_until_ms is not None:
            if now_ms < held_until_ms:
                return False
            del self._held_until_ms[channel]
        window = self._windows.setdefault(channel, deque())
        while window and now_ms - window[0] >= SECOND_MS:
            window.popleft()
        if len(window) >= ABLY_MESSAGES_PER_CHANNEL_PER_SECOND:
            return False
        window.append(now_ms)
        return True

    def _settle_slot(self, key: Hashable, taken: Taken, now_ms: int) -> None:
        slot = self._slots[key]
        since, slot.first_since_sent, slot.in_flight = slot.first_since_sent, None, None
        if taken.retry:
            # The next attempt carries the newest image, for the older records too.
            self._slot_sent_ms.pop(key, None)
            if since is not None:
                self.conflated += 1
        elif since is None:
            del self._slots[key]
        else:
            slot.first = since
            self._slots.move_to_end(key)

    def _settle_receipt(self, flight: _Flight) -> None:
        channel, position = flight.publication.channel, flight.position
        queue = self._queues[channel]
        queue.popleft()
        if queue:
            self._queues.move_to_end(channel)
        else:
            del self._queues[channel]
        pending = self._pending[position.topic, position.partition]
        pending[position.offset] -= 1
        if not pending[position.offset]:
            del pending[position.offset]
        self.receipts_waiting -= 1

    def _forget_windows(self, now_ms: int) -> None:
        if len(self._windows) <= WINDOWS_MAX:
            return
        stale = [c for c, w in self._windows.items() if not w or now_ms - w[-1] >= SECOND_MS]
        for channel in stale:
            del self._windows[channel]
        over = [c for c, until_ms in self._held_until_ms.items() if now_ms >= until_ms]
        for channel in over:
            del self._held_until_ms[channel]
