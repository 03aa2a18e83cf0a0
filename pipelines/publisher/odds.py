"""Odds images to publications: the image for its event, a summary for the list of events.

| channel               | name  | id                                               | data        |
|-----------------------|-------|--------------------------------------------------|-------------|
| outbound:odds:<event> | odds  | <event>:<event_seq>, see `message_id`            | full image  |
| outbound:events       | event | <event>:<market>:<version>:<settlement>:<status> | the summary |

The summary (event_id, event_name, market_id, name, market_type, status, in_play, start_ms,
settlement, version) goes out when version, status or settlement of a market changed.
"""

from collections import OrderedDict
from typing import Final

import msgspec

from pipelines import channels
from pipelines.limits import EVENTS_PER_SHARD_MAX
from pipelines.messages.images import OddsImage
from pipelines.ports import Publication
from pipelines.publisher.message_id import message_id

__all__ = ["OUTBOUND_EVENTS", "Newest", "Summaries", "odds_of"]

OUTBOUND_EVENTS: Final = "outbound:events"
SUMMARIES_REMEMBERED_MAX: Final = 2 * EVENTS_PER_SHARD_MAX


def odds_of(image: OddsImage, guest: int = -1) -> Publication:
    """Return the publication of an image; its data is the image as JSON values, keys in order.

    `guest`: as in `message_id`.
    """
    return Publication(
        channels.odds_out(image.event_id),
        message_id(image.event_id, image.event_seq, guest),
        "odds",
        msgspec.to_builtins(image),
    )


class Newest:
    """Remembers the number of each market's newest image: those of a market that changed its shard
    are read from two partitions, and the older may come last."""

    def __init__(self, remembered_max: int = SUMMARIES_REMEMBERED_MAX) -> None:
        self._remembered_max = remembered_max
        self._last: OrderedDict[tuple[str, str], int] = OrderedDict()

    def is_older(self, image: OddsImage) -> bool:
        """Return whether a newer image of the market was read before."""
        market = (image.event_id, image.market_id)
        if image.seq < self._last.get(market, 0):
            return True
        self._last[market] = image.seq
        self._last.move_to_end(market)
        if len(self._last) > self._remembered_max:
            self._last.popitem(last=False)
        return False


class Summaries:
    """Remembers the last summary of each market, to say what changed.

    Markets beyond the bound are forgotten, oldest first: their next image is summarised again.
    """

    def __init__(self, remembered_max: int = SUMMARIES_REMEMBERED_MAX) -> None:
        self._remembered_max = remembered_max
        self._last: OrderedDict[tuple[str, str], tuple[int, str, int, bool]] = OrderedDict()

    def changed(self, image: OddsImage) -> Publication | None:
        """Return the market's summary, or None where it says what the last one said."""
        market = (image.event_id, image.market_id)
        says = (image.version, image.status, image.settlement, image.in_play)
        if self._last.get(market) == says:
            return None
        self._last[market] = says
        self._last.move_to_end(market)
        if len(self._last) > self._remembered_max:
            self._last.popitem(last=False)
        return Publication(
            OUTBOUND_EVENTS,
            f"{image.event_id}:{image.market_id}:{image.version}:{image.settlement}:{image.status}",
            "event",
            {
                "event_id": image.event_id,
                "event_name": image.event_name,
                "market_id": image.market_id,
                "name": image.name,
                "market_type": image.market_type,
                "status": image.status,
                "in_play": image.in_play,
                "start_ms": image.start_ms,
                "settlement": image.settlement,
                "version": image.version,
            },
        )
