"""What shards sent each other, over all partitions: what was sent was received, once, in order.

Memory is a few numbers for each pair of partitions: what a sender's journal says and what the
receivers read is summed up as hashes, which are equal in the end or something is missing.
"""

import hashlib
from dataclasses import dataclass

import msgspec

from pipelines.audit.tally import Place, Tally
from pipelines.messages.bettor_entries import TransferSent
from pipelines.messages.transfers import Transfer
from pipelines.ports import Record

__all__ = ["Links"]

_decode = msgspec.msgpack.Decoder(Transfer).decode
_encode = msgspec.msgpack.Encoder().encode
_MODULUS = 2**128


@dataclass(slots=True)
class _Sum:
    count: int = 0
    digest: int = 0

    def add(self, transfer: Transfer) -> None:
        self.count += 1
        hashed = hashlib.blake2b(_encode(transfer), digest_size=16).digest()
        self.digest = (self.digest + int.from_bytes(hashed, "big")) % _MODULUS


class Links:
    """Shared by all partitions."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._sent: dict[int, _Sum] = {}
        self._received: dict[int, _Sum] = {}
        self._numbers: dict[tuple[int, int], int] = {}  # by sender and receiving partition
        self._lost = False

    def sent(self, place: Place, entry: TransferSent) -> None:
        """A shard's journal says that it sent this."""
        total = self._sent.setdefault(place.partition, _Sum())
        if entry.number != total.count + 1:
            what = f"transfer {entry.number} where {total.count + 1} follows"
            self._tally.fail(place, what)
        total.add(Transfer(1, place.partition, entry.number, entry.to, entry.body))

    def received(self, record: Record) -> Transfer | None:
        """A shard has read this record of `transfers`; return what it says, None: unreadable."""
        try:
            transfer = _decode(record.value or b"")
        except msgspec.MsgspecError:
            return None  # a dead letter, which has a check of its own
        pair = (transfer.sender, record.partition)
        before = self._numbers.get(pair, 0)
        if transfer.number <= before:
            place = Place(record.topic, record.partition, record.offset)
            self._tally.fail(place, f"transfer {transfer.number} comes after {before}")
        self._numbers[pair] = transfer.number
        self._received.setdefault(transfer.sender, _Sum()).add(transfer)
        return transfer

    def lost(self) -> None:
        """Retention has deleted a transfer: the sums cannot be compared any more."""
        self._lost = True

    def finish(self, complete: bool) -> None:
        """All partitions were read; with `complete`, nothing may be under way."""
        for sender in self._sent.keys() | self._received.keys():
            sent = self._sent.get(sender, _Sum())
            received = self._received.get(sender, _Sum())
            if self._lost or (sent.count != received.count and not complete):
                continue
            if sent != received:
                what = f"sent {sent.count} transfers, {received.count} were received"
                if sent.count == received.count:
                    what = "what was received is not what was sent"
                self._tally.fail(Place("transfers", sender, -1), what)
