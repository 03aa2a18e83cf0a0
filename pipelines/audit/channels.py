"""What subscribers got: in order per market, nothing twice, and at the end what `odds` says last.

Images of a market may be passed over on the way to the edge, never reordered; the ids are
`<event>:<event_seq>`.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

from pipelines.audit.odds import Seen
from pipelines.audit.tally import Place, Tally
from pipelines.channels import odds_out
from pipelines.messages.images import OddsImage

__all__ = ["UNBOUNDED", "Behind", "HistoryBounds", "HistoryMessage", "check_channel"]


class HistoryMessage(NamedTuple):
    """One message of a channel's history, its data decoded from JSON; `size` in bytes."""

    id: str
    name: str
    data: Any
    timestamp_ms: int = 0
    size: int = 0


class HistoryBounds(NamedTuple):
    """What a channel's history holds at most; 0: no such bound."""

    messages: int = 0
    size: int = 0


UNBOUNDED: Final = HistoryBounds()


class Behind(NamedTuple):
    """Markets whose newest image has not reached the channel; it may still be on its way."""

    missing: tuple[tuple[Place, str], ...]


def check_channel(
    tally: Tally,
    event_id: str,
    newest: dict[str, Seen],
    messages: Iterable[HistoryMessage],
    bounds: HistoryBounds = UNBOUNDED,
) -> Behind:
    """Compare a channel's history, oldest first, with the newest images in `odds`, by market.

    Failures go to `tally`; what is missing at the end is returned, for the caller to wait for. Of
    a history that is full, images older than its oldest message are no longer retained.
    """
    channel = odds_out(event_id)
    extent = _Extent(bounds)
    ids: set[str] = set()
    last: dict[str, int] = {}
    equal: set[str] = set()
    for index, image in _images(tally, channel, ids, extent.of(messages)):
        place = Place(channel, -1, index)
        tally.count("messages")
        before = last.get(image.market_id)
        if before is not None and image.seq <= before:
            tally.fail(place, f"seq {image.seq} of market {image.market_id!r} after {before}")
        last[image.market_id] = max(image.seq, before or 0)
        seen = newest.get(image.market_id)
        if seen is not None and seen.image.seq == image.seq:
            equal.add(image.market_id)
            if seen.image != image:
                what = f"image {image.seq} of market {image.market_id!r} is not the one in odds"
                tally.fail(place, what)
    missing = []
    for market_id, seen in newest.items():
        reached = last.get(market_id, -1)
        if market_id in equal:
            tally.count("newest images")
        elif reached < 0 and extent.reaches_back_to() > seen.timestamp_ms:
            tally.count("newest images no longer retained")
        elif reached < seen.image.seq:
            what = f"market {market_id!r} ends at {reached}, in odds at {seen.image.seq}"
            missing.append((Place(channel, -1, -1), what if reached >= 0 else _never(market_id)))
        else:
            # Newer than what was audited, or the audited one was passed over on the way.
            tally.count("markets that moved on")
    return Behind(tuple(missing))


class _Extent:
    """Measures a history while it is read: how far back it goes, and whether it is full."""

    def __init__(self, bounds: HistoryBounds) -> None:
        self._bounds = bounds
        self._oldest_ms = 0
        self._messages = 0
        self._size = 0

    def of(self, messages: Iterable[HistoryMessage]) -> Iterator[HistoryMessage]:
        for message in messages:
            self._oldest_ms = self._oldest_ms or message.timestamp_ms
            self._messages += 1
            self._size += message.size
            yield message

    def reaches_back_to(self) -> int:
        """Return the time of the oldest message of a full history, 0 where nothing was dropped."""
        messages, size = self._bounds
        # Sizes are counted a little differently here and there.
        full = (messages and self._messages >= messages) or (size and self._size >= 0.9 * size)
        return self._oldest_ms if full else 0


def _never(market_id: str) -> str:
    return f"no image of market {market_id!r} is in the history"


def _images(
    tally: Tally, channel: str, ids: set[str], messages: Iterable[HistoryMessage]
) -> Iterator[tuple[int, OddsImage]]:
    for index, message in enumerate(messages):
        if message.name != "odds":
            continue
        place = Place(channel, -1, index)
        if message.id in ids:
            tally.fail(place, f"message id {message.id!r} stands twice in the history")
        ids.add(message.id)
        try:
            image = msgspec.convert(message.data, OddsImage)
        except msgspec.ValidationError as error:
            tally.fail(place, f"message {message.id!r} is no image: {error}")
            continue
        if message.id != f"{image.event_id}:{image.event_seq}":
            tally.fail(place, f"message {message.id!r} holds image {image.event_seq}")
        yield index, image
