"""The simulator's bettors: they bet at a fixed rate in sum, whatever the system does (open loop).

Each waits from the moment it meant to bet, so a slow system cannot hide how slow it is. One
connection sees the odds for all; each bettor has its own for bets and answers.
"""

import asyncio
import logging
from collections.abc import Iterable
from random import Random
from typing import Any, Final

import msgspec

from deploy.replay.decisions import bet_request, wishes
from deploy.replay.edge_link import NOT_CONNECTED, EdgeLink
from deploy.replay.seen import Seen
from deploy.replay.tally import Placed, Tally
from pipelines import channels
from pipelines.errors import EdgeError
from pipelines.messages.images import OddsImage
from pipelines.messages.requests import BetRequest

__all__ = ["Crowd"]

logger = logging.getLogger(__name__)

PUBLISH_TIMEOUT_S: Final = 10.0
IN_FLIGHT_MAX: Final = 2_000
LOST_AFTER_S: Final = 120.0
MEND_EVERY_S: Final = 2.0
CONNECT_TIMEOUT_S: Final = 20.0
HESITATION_S: Final = 3.0
BEHIND_MAX_S: Final = 5.0
ODDS_REWIND: Final = "20"
BETS_REWIND: Final = "2m"
WATCHER: Final = "simulator"


class Crowd:
    """All bettors of a simulation. Everything runs in one event loop."""

    def __init__(
        self, edge_url: str, key: str, bettors: int, rate: float, seed: int, run_id: str
    ) -> None:
        self.tally = Tally()
        self.seen = Seen()
        self.lost = 0  # bets that had no answer for two minutes
        self.unsent = 0  # bets that could not be handed to the edge
        self._rate = rate
        self._seed = seed
        self._run_id = run_id
        self._rng = Random(f"crowd:{seed}")  # noqa: S311 - made-up bettors, no secret
        self._watcher = EdgeLink(edge_url, key, f"{WATCHER}-{run_id}")
        self._links = [EdgeLink(edge_url, key, f"bettor-{n}") for n in range(1, bettors + 1)]
        self._ready: set[str] = set()  # client ids that are connected and subscribed
        self._watched: set[str] = set()
        self._wanted: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._number = 0

    @property
    def connected(self) -> int:
        """How many bettors have a connection."""
        return sum(link.client_id in self._ready for link in self._links)

    def watch(self, opened: Iterable[str], ended: Iterable[str]) -> None:
        """Follow the odds of these events, and of those no more."""
        self._wanted.update(opened)
        for event_id in ended:
            self._wanted.discard(event_id)

    async def keep_connected(self) -> None:
        """Connect everybody, and again whoever the SDK gave up on. Runs until cancelled."""
        while True:
            await self._mend()
            self._give_up()
            await asyncio.sleep(MEND_EVERY_S)

    async def bet(self) -> None:
        """Place bets at the rate. Runs until cancelled."""
        loop = asyncio.get_running_loop()
        if self._rate <= 0:
            await loop.create_future()  # nobody bets: wait for the cancellation
        due_s = loop.time()
        while True:
            due_s += self._rng.expovariate(self._rate)
            if loop.time() - due_s > BEHIND_MAX_S:
                due_s = loop.time()  # the machine slept: do not make up for hours
            await asyncio.sleep(max(due_s - loop.time(), 0.0))
            self._place_one(due_s)

    async def stop(self) -> None:
        """Disconnect all."""
        for task in self._tasks:
            task.cancel()
        links = (self._watcher, *self._links)
        await asyncio.gather(*(link.close() for link in links), return_exceptions=True)

    def _place_one(self, due_s: float) -> None:
        self._number += 1
        ready = [n for n, link in enumerate(self._links) if link.client_id in self._ready]
        images = [i for i in self.seen.images.values() if i.status == "OPEN"]
        if not ready or not images or len(self._tasks) >= IN_FLIGHT_MAX:
            return
        image = images[int(self._rng.random() * len(images))]
        wanted = wishes(self._seed, self._number, image, ready)
        if not wanted:
            return
        wish = wanted[0]
        request = bet_request(wish, image, f"{self._run_id}-{self._number}")
        link = self._links[wish.bettor]
        wait_s = HESITATION_S if wish.hesitates else 0.0
        task = asyncio.get_running_loop().create_task(
            self._send(link, request, image, due_s + wait_s, wait_s)
        )
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(
        self, link: EdgeLink, request: BetRequest, image: OddsImage, due_s: float, wait_s: float
    ) -> None:
        await asyncio.sleep(wait_s)
        bet = self.tally.sent(link.client_id, request, due_s)
        try:
            await link.publish(
                channels.bets_in(image.event_id),
                [("bet", msgspec.to_builtins(request))],
                PUBLISH_TIMEOUT_S,
            )
        except EdgeError as error:
            self.unsent += 1
            logger.info("bet not handed over code=%d reason=%s", error.code, error.message)
            refused = 40_000 <= error.code < 50_000 or error.code == NOT_CONNECTED
            if refused and bet.status == "sent":
                self.tally.forget(bet)  # no answer will come

    async def _mend(self) -> None:
        dead = [link for link in (self._watcher, *self._links) if not link.alive]
        for link in dead:
            self._ready.discard(link.client_id)
        await asyncio.gather(*(self._connect(link) for link in dead))
        if self._watcher.client_id not in self._ready:
            return
        try:
            for event_id in list(self._wanted - self._watched):
                await self._watcher.subscribe(channels.odds_out(event_id), self._odds, ODDS_REWIND)
                self._watched.add(event_id)
            for event_id in list(self._watched - self._wanted):
                self._watched.discard(event_id)
                self.seen.forget(event_id)
                self.tally.forget_event(event_id)
                for link in self._links:
                    link.release(channels.bets_in(event_id))
                await self._watcher.unsubscribe(channels.odds_out(event_id))
        except EdgeError as error:
            logger.info("odds cannot be followed now reason=%s", error.message)

    async def _connect(self, link: EdgeLink) -> None:
        try:
            await link.close()
            await link.open(CONNECT_TIMEOUT_S)
            if link is self._watcher:
                self._watched.clear()
            else:
                await link.subscribe(
                    channels.bets_out(link.client_id), self._receiver(link.client_id), BETS_REWIND
                )
        except EdgeError as error:
            logger.info("not connected reason=%s", error.message)
        else:
            self._ready.add(link.client_id)

    def _receiver(self, client_id: str) -> Any:
        def receive(name: str, data: dict[str, Any]) -> None:
            bet = self.tally.receipt(client_id, name, data, asyncio.get_running_loop().time())
            if bet is not None:
                self._answered(bet, name)

        return receive

    def _answered(self, bet: Placed, name: str) -> None:
        if bet.final:
            self.tally.forget(bet)
            return
        image = self.seen.images.get((bet.request.event_id, bet.request.market_id))
        if name == "accepted" and image is not None and image.engine == "pool":
            now_s = asyncio.get_running_loop().time()
            self.tally.moves_odds(bet, image.event_seq, now_s)

    def _odds(self, name: str, data: dict[str, Any]) -> None:
        image = self.seen.odds(data) if name == "odds" else None
        if image is not None:
            now_s = asyncio.get_running_loop().time()
            self.tally.image(image.event_id, image.market_id, image.event_seq, now_s)

    def _give_up(self) -> None:
        """Forget bets whose answer is long overdue, and those on events that are over."""
        now_s = asyncio.get_running_loop().time()
        for bet in list(self.tally.bets.values()):
            if bet.status == "sent" and now_s - bet.sent_s > LOST_AFTER_S:
                self.lost += 1
                self.tally.forget(bet)
            elif now_s - bet.sent_s > LOST_AFTER_S and bet.request.event_id not in self._wanted:
                self.tally.forget(bet)
