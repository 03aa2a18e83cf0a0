"""Plays a script: the feed on topic `events`, bettors at the edge, in step with each other.

At a moment when somebody bets, the feed waits until the bettor has seen the odds of that moment,
the bettor bets at what it sees, and the feed goes on when the answers are there. So the same seed
gives the same decisions, and the same journal values, at any speed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Protocol

from deploy.replay.bettor import Bettor
from deploy.replay.decisions import Wish, bet_request, participants, takes_part, wishes
from deploy.replay.latency import Latencies
from deploy.replay.script import Script, Step
from deploy.replay.seen import shows
from pipelines.betfair.opening import Translated
from pipelines.errors import StackError
from pipelines.messages.images import OddsImage
from pipelines.messages.operations import EventOpened, Operation
from pipelines.messages.requests import BetRequest

__all__ = ["OperationSink", "Replayer"]

SEEN_TIMEOUT_S: Final = 20.0
ANSWER_TIMEOUT_S: Final = 60.0
MISSED_IN_A_ROW_MAX: Final = 3
MOMENTS_A_BETTOR: Final = 40
MOMENTS_A_MARKET_MIN: Final = 2
FOLLOWERS_OF_MANY: Final = 2
FEW_EVENTS: Final = 10
HESITATING_MAX: Final = 8
MILLION: Final = 1_000_000


class OperationSink(Protocol):
    """Where operations go; `deploy.replay.feed.Feed` writes them to Kafka."""

    def send(self, operation: Operation) -> None: ...


class Replayer:
    """One play of a script. `speed` times real time, 0 as fast as it goes."""

    def __init__(
        self,
        script: Script,
        run_id: str,
        feed: OperationSink,
        bettors: Sequence[Bettor],
        seed: int,
        speed: float,
        on_step: Callable[[Step], None],
        on_first: Callable[[], Awaitable[None]],
    ) -> None:
        self.markets: dict[str, Translated] = {}
        self.moments = 0
        self.unseen = 0  # moments whose odds nobody saw in time
        self.unanswered = 0
        self.feed_latency = Latencies()
        self._script = script
        self._run_id = run_id
        self._feed = feed
        self._bettors = bettors
        self._seed = seed
        self._speed = speed
        self._on_step = on_step
        self._on_first = on_first
        self._chances = _chances(
            script.moments, MOMENTS_A_BETTOR * len(bettors) * len(script.files)
        )
        self._followers: dict[str, tuple[int, ...]] = {}
        self._hesitating: dict[str, list[tuple[Wish, OddsImage]]] = {}
        self._missed_in_a_row = 0
        self._first = True

    async def play(self) -> None:
        """Play to the end. Raises StackError where the system does not follow any more."""
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        for step in self._script.steps():
            if self._speed:
                due_s = began_s + step.offset_ms / 1_000 / self._speed
                if due_s > loop.time():
                    await asyncio.sleep(due_s - loop.time())
            for operation in step.operations:
                if isinstance(operation, EventOpened):
                    await self._gather(operation.event_id)
                self._feed.send(operation)
            if step.operations and self._first:
                self._first = False
                await self._on_first()
            sent_s = loop.time() if step.operations else None
            for market in step.markets:
                self.markets[market.market_id] = market
                if await self._moment(market, sent_s):
                    sent_s = None  # the next market's odds have been there while this one bet
            self._on_step(step)
            if not step.markets and step.messages % 200 == 0:
                await asyncio.sleep(0)  # let the bettors read what has come

    async def _gather(self, event_id: str) -> None:
        """Those who will bet on an event watch its odds from before it opens."""
        count = len(self._bettors)
        each = count if len(self._script.events) <= FEW_EVENTS else FOLLOWERS_OF_MANY
        recorded_id = event_id.removeprefix(f"{self._run_id}-")
        chosen = participants(self._seed, recorded_id, count, each)
        self._followers[event_id] = chosen
        await asyncio.gather(*(self._bettors[index].watch(event_id) for index in chosen))

    async def _moment(self, market: Translated, sent_s: float | None) -> bool:
        """Let somebody bet on a market that has just changed; False where nobody wants to."""
        market_id, moment = market.market_id, market.moments
        hesitating = self._hesitating.pop(market_id, [])
        betting = market.status == "OPEN" and takes_part(
            self._seed, market_id, moment, self._chances[market_id]
        )
        # Who hesitated sends when the next one bets, or when it is too late.
        if not betting and (not hesitating or market.status == "OPEN"):
            if hesitating:
                self._hesitating[market_id] = hesitating
            return False
        self.moments += 1
        followers = self._followers[market.event_id]
        image = await self._look(market, followers, sent_s)
        if image is None:
            return True
        chosen = wishes(self._seed, moment, image, followers) if betting else []
        self._hesitating[market_id] = [(w, image) for w in chosen if w.hesitates][:HESITATING_MAX]
        now = [(wish, image) for wish in chosen if not wish.hesitates]
        await self._bet(market, moment, hesitating + now)
        return True

    async def _look(
        self, market: Translated, followers: Sequence[int], sent_s: float | None
    ) -> OddsImage | None:
        """Wait until the followers have seen the market as it is now."""
        key = (market.event_id, market.market_id)
        loop = asyncio.get_running_loop()
        saw = await asyncio.gather(
            *(
                bettor.seen.until(
                    lambda bettor=bettor: shows(bettor.seen.images.get(key), market),  # type: ignore[misc]
                    SEEN_TIMEOUT_S,
                )
                for bettor in (self._bettors[index] for index in followers)
            )
        )
        if all(saw):
            self._missed_in_a_row = 0
            if sent_s is not None:
                self.feed_latency.add(loop.time() - sent_s)
        else:
            self.unseen += 1
            self._miss(f"the odds of market {market.market_id} did not reach the bettors")
        return self._bettors[followers[0]].seen.images.get(key)

    async def _bet(
        self, market: Translated, moment: int, bets: list[tuple[Wish, OddsImage]]
    ) -> None:
        """Send one bettor's bets after the other's, so that their order is always the same."""
        by_bettor: dict[int, list[BetRequest]] = {}
        for number, (wish, image) in enumerate(bets):
            bet_id = f"{self._run_id}-{market.market_id}-{moment}-{number}"
            by_bettor.setdefault(wish.bettor, []).append(bet_request(wish, image, bet_id))
        for index, requests in by_bettor.items():
            missing = await self._bettors[index].place(requests, ANSWER_TIMEOUT_S)
            if missing:
                self.unanswered += len(missing)
                self._miss(f"{len(missing)} bets had no answer in {ANSWER_TIMEOUT_S:.0f} s")
            else:
                self._missed_in_a_row = 0

    def _miss(self, what: str) -> None:
        self._missed_in_a_row += 1
        if self._missed_in_a_row >= MISSED_IN_A_ROW_MAX:
            raise StackError(
                f"the system does not follow the replay: {what}, {self._missed_in_a_row} times in "
                "a row; see `overround status`"
            )


def _chances(moments_of: Mapping[str, int], wanted: int) -> dict[str, int]:
    """Return in millionths how likely somebody bets at a moment of each market.

    About `wanted` moments in all, spread evenly; but in each market there should be a few.
    """
    evenly = wanted * MILLION // max(sum(moments_of.values()), 1)
    return {
        market_id: min(max(evenly, MOMENTS_A_MARKET_MIN * MILLION // count), MILLION)
        for market_id, count in moments_of.items()
    }
