"""The odds that bettors saw are those that the journal gives: none other, none missing, in order.

A transaction ends where offsets of the journal leave a gap: Kafka's own marker takes one. At each
end the fold shows the markets that changed, and those images must be the next records of `odds`,
byte for byte.
"""

from collections.abc import Iterator

import msgspec

from pipelines.audit.tally import Place, Tally
from pipelines.messages import entries as e
from pipelines.messages.images import OddsImage
from pipelines.ports import Record
from pipelines.shard.image import UNSEEN, image_of
from pipelines.shard.state import ShardState
from pipelines.topics import ODDS

_TAKEN = e.BetAccepted | e.BetPartlyAccepted | e.BetConfirmed | e.BetPartlyConfirmed

__all__ = ["Odds", "Seen"]

#: (event id, market id, the market's number) of an image.
_Key = tuple[str, str, int]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(OddsImage).decode


class Seen(msgspec.Struct, frozen=True):
    """The newest image of a market in `odds`, and when it was written."""

    image: OddsImage
    place: Place
    timestamp_ms: int


class Odds:
    """Follows one partition's `odds` along with its fold.

    `trimmed`: retention has deleted the first records. `settled_end`: records before this offset
    belong to transactions that the journal has; later ones may be of transactions after its end.
    `keep_from_ms`: the newest image of each market written since then is kept in `newest`, of
    events with older images only the id in `older`; None keeps none.
    """

    def __init__(
        self,
        tally: Tally,
        records: Iterator[Record],
        trimmed: bool = False,
        settled_end: int | None = None,
        keep_from_ms: int | None = None,
    ) -> None:
        self._tally = tally
        self._records = records
        self._trimmed = trimmed
        self._settled_end = settled_end
        self._keep_from_ms = keep_from_ms
        self._ahead: Record | None = None
        self._changed: dict[tuple[str, str], None] = {}
        self._broken = False
        self.read = 0
        self.newest: dict[tuple[str, str], Seen] = {}
        self.older: set[str] = set()

    def see(self, state: ShardState, entry: e.Entry) -> None:
        """Look at an entry that the state has taken in."""
        if not entry.market_seq or type(entry) in UNSEEN:
            return
        if isinstance(entry, _TAKEN):
            market = state.events[entry.event_id].markets[entry.market_id]
            if not market.book.moves_on_bets:
                return
        self._changed[entry.event_id, entry.market_id] = None

    def committed(self, state: ShardState) -> None:
        """A transaction ends: its images follow in `odds`."""
        changed, self._changed = self._changed, {}
        for event_id, market_id in changed:
            event = state.events.get(event_id)
            market = event.markets.get(market_id) if event is not None else None
            if event is not None and market is not None:
                self._expect(state, image_of(event, market))

    def broken(self, place: Place, why: str) -> None:
        """The journal cannot be folded further, so nothing after it can be compared."""
        self._broken = True
        self._tally.fail(place, f"cannot be compared from here on: {why}")

    def finish(self, state: ShardState) -> None:
        """The journal ends here; what `odds` holds beyond it must be newer."""
        while (record := self._next()) is not None:
            image = self._read(record)
            if self._broken:
                continue
            later = self._settled_end is not None and record.offset >= self._settled_end
            if image is not None and not (later and _is_later(state, _key(image))):
                self._extra(record, image)

    def _expect(self, state: ShardState, expected: OddsImage) -> None:
        raw = _encode(expected)
        while (record := self._next()) is not None:
            self._tally.count("odds images")
            if record.value == raw:
                self._trimmed = False
                self._keep(record, expected)
                return
            image = self._read(record)
            if image is None:
                continue
            if _key(image) == _key(expected):
                self._trimmed = False
                self._tally.fail(_place(record), _difference(image, expected))
                return
            if _is_later(state, _key(image)):
                # It belongs to a transaction further on, so the expected one is not there.
                self._ahead = record
                break
            self._extra(record, image)
        if not self._trimmed:
            name = f"market {expected.market_id!r} of {expected.event_id!r}"
            place = Place(ODDS, state.partition, record.offset if record is not None else -1)
            self._tally.fail(place, f"the image of {name} with seq {expected.seq} is missing")

    def _extra(self, record: Record, image: OddsImage) -> None:
        name = f"market {image.market_id!r} of {image.event_id!r}"
        self._tally.fail(_place(record), f"the journal gives no image {image.seq} of {name} here")

    def _next(self) -> Record | None:
        if self._ahead is not None:
            record, self._ahead = self._ahead, None
            return record
        following = next(self._records, None)
        if following is not None:
            self.read += 1
        return following

    def _read(self, record: Record) -> OddsImage | None:
        try:
            image = _decode(record.value or b"")
        except msgspec.MsgspecError as error:
            self._tally.fail(_place(record), f"is no image: {error}")
            return None
        self._keep(record, image)
        return image

    def _keep(self, record: Record, image: OddsImage) -> None:
        if self._keep_from_ms is None:
            return
        if record.timestamp_ms < self._keep_from_ms:
            self.older.add(image.event_id)
        else:
            where = (image.event_id, image.market_id)
            self.newest[where] = Seen(image, _place(record), record.timestamp_ms)


def _key(image: OddsImage) -> _Key:
    return image.event_id, image.market_id, image.seq


def _place(record: Record) -> Place:
    return Place(record.topic, record.partition, record.offset)


def _is_later(state: ShardState, key: _Key) -> bool:
    """Return whether the fold has not come to this image yet."""
    event = state.events.get(key[0])
    market = event.markets.get(key[1]) if event is not None else None
    return key[0] not in state.retired and (market is None or key[2] > market.seq)


def _difference(found: OddsImage, expected: OddsImage) -> str:
    name = f"market {expected.market_id!r} of {expected.event_id!r} at seq {expected.seq}"
    for field in found.__struct_fields__:
        here, right = getattr(found, field), getattr(expected, field)
        if here != right:
            if field == "selections":
                pairs = zip(here, right, strict=False)
                here, right = next(((h, r) for h, r in pairs if h != r), (here, right))
            return f"{name}: {field} is {here}, the journal gives {right}"
    return f"{name}: written in other bytes than the journal gives"
