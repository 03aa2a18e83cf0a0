"""What one bettor has seen: the newest odds image of each market, and each market's status.

Messages that are not newer than what was seen are dropped, as any client of the edge should.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from pipelines.betfair.opening import Translated
from pipelines.messages.images import OddsImage

__all__ = ["Seen", "shows"]

MarketKey = tuple[str, str]  # event id, market id


class Seen:
    """Newest images and statuses by event and market; `until` waits for a change."""

    def __init__(self) -> None:
        self.images: dict[MarketKey, OddsImage] = {}
        self.statuses: dict[MarketKey, str] = {}
        self.images_count = 0
        self.stale_count = 0
        self.unreadable_count = 0
        self._changed = asyncio.Event()

    def odds(self, data: dict[str, Any]) -> OddsImage | None:
        """Take a message of an odds channel; return the image where it is news."""
        try:
            image = msgspec.convert(data, OddsImage)
        except msgspec.ValidationError:
            self.unreadable_count += 1
            return None
        key = (image.event_id, image.market_id)
        known = self.images.get(key)
        if known is not None and image.seq <= known.seq:
            self.stale_count += 1
            return None
        self.images[key] = image
        self.images_count += 1
        self.notify()
        return image

    def event(self, data: dict[str, Any]) -> None:
        """Take a message of the list of events."""
        self.statuses[str(data.get("event_id")), str(data.get("market_id"))] = str(
            data.get("status")
        )
        self.notify()

    def notify(self) -> None:
        """Wake those who wait."""
        self._changed.set()

    def forget(self, event_id: str) -> None:
        """Drop what was seen of an event."""
        self.images = {key: image for key, image in self.images.items() if key[0] != event_id}
        self.statuses = {key: status for key, status in self.statuses.items() if key[0] != event_id}

    async def until(self, holds: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until `holds()`, asked at every change; False when it does not in time."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not holds():
            left = deadline - loop.time()
            if left <= 0:
                return False
            self._changed.clear()
            try:
                async with asyncio.timeout(left):
                    await self._changed.wait()
            except TimeoutError:
                return holds()
        return True


def shows(image: OddsImage | None, market: Translated) -> bool:
    """Return whether an image shows what the feed has made of the market so far."""
    # Odds that go up and down again look as before: the time tells the images apart.
    if image is None or image.version < market.version or image.at_ms < market.at_ms:
        return False
    if market.settled:
        return image.status == "SETTLED"
    if (image.status, image.in_play) != (market.status, market.in_play):
        return False
    if market.engine == "pool":
        return True  # a pool's odds come from the bets
    return all(market.odds.get(s.selection_id) == s.odds_e4 for s in image.selections)
