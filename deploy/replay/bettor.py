"""A simulated bettor: sees odds and answers through the edge, bets at what it saw, as an app does.

A bet without an answer is sent again under the same id, which the engine answers as it did before.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from deploy.replay.edge_link import EdgeLink
from deploy.replay.seen import Seen
from deploy.replay.tally import Placed, Tally
from pipelines import channels
from pipelines.errors import EdgeError
from pipelines.messages.requests import BetRequest
from pipelines.publisher.odds import OUTBOUND_EVENTS

__all__ = ["Bettor"]

logger = logging.getLogger(__name__)

ACKNOWLEDGED_TIMEOUT_S: Final = 10.0
RESEND_AFTER_S: Final = 10.0
EVENTS_REWIND: Final = "100"
ODDS_REWIND: Final = "20"
BETS_REWIND: Final = "2m"


class Bettor:
    """One bettor under one name; all bettors of a run share the tally."""

    def __init__(self, name: str, link: EdgeLink, tally: Tally) -> None:
        self.name = name
        self.seen = Seen()
        self._link = link
        self._tally = tally
        self._watched: list[str] = []

    async def start(self) -> None:
        """Connect and listen to answers and to the list of events. Raises EdgeError."""
        await self._link.open()
        await self._link.subscribe(channels.bets_out(self.name), self._receipt, BETS_REWIND)
        await self._link.subscribe(OUTBOUND_EVENTS, self._event, EVENTS_REWIND)
        for event_id in self._watched:
            await self._link.subscribe(channels.odds_out(event_id), self._odds, ODDS_REWIND)

    async def watch(self, event_id: str) -> None:
        """See the odds of an event from now on. Raises EdgeError."""
        self._watched.append(event_id)
        await self._link.subscribe(channels.odds_out(event_id), self._odds, ODDS_REWIND)

    async def place(self, bets: Sequence[BetRequest], timeout_s: float) -> list[Placed]:
        """Send bets on one event in order, wait for every answer; return those without one."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        placed = [self._tally.sent(self.name, bet, loop.time()) for bet in bets]
        waiting = placed
        while waiting and loop.time() < deadline:
            await self._send([bet.request for bet in waiting])
            wait_s = max(min(RESEND_AFTER_S, deadline - loop.time()), 0.0)
            await self.seen.until(
                lambda: all(bet.status != "sent" for bet in placed), timeout_s=wait_s
            )
            waiting = [bet for bet in placed if bet.status == "sent"]
        return waiting

    async def stop(self) -> None:
        """Disconnect."""
        await self._link.close()

    async def _send(self, bets: list[BetRequest]) -> None:
        messages = [("bet", msgspec.to_builtins(bet)) for bet in bets]
        try:
            if not self._link.alive:
                await self._link.close()
                await self.start()
            await self._link.publish(
                channels.bets_in(bets[0].event_id), messages, ACKNOWLEDGED_TIMEOUT_S
            )
        except EdgeError as error:
            if 40_000 <= error.code < 40_100:  # refused for good: sending it again will not help
                raise
            logger.info("bets not handed over reason=%s", error.message)

    def _receipt(self, name: str, data: dict[str, Any]) -> None:
        bet = self._tally.receipt(self.name, name, data, asyncio.get_running_loop().time())
        if bet is None:
            return
        image = self.seen.images.get((bet.request.event_id, bet.request.market_id))
        if name == "accepted" and image is not None and image.engine == "pool":
            now_s = asyncio.get_running_loop().time()
            self._tally.moves_odds(bet, image.event_seq, now_s)
        self.seen.notify()

    def _odds(self, name: str, data: dict[str, Any]) -> None:
        image = self.seen.odds(data) if name == "odds" else None
        if image is not None:
            self._tally.image(
                image.event_id, image.market_id, image.event_seq, asyncio.get_running_loop().time()
            )

    def _event(self, name: str, data: dict[str, Any]) -> None:
        if name == "event":
            self.seen.event(data)
