"""Second hop of a replay: stream messages to operations for topic `events`.

| in the recording                        | operation                                              |
|-----------------------------------------|--------------------------------------------------------|
| first definition of an event, a market  | event opened (clock `feed`), market opened             |
| prices moved (fixed odds only)          | prices, those that changed                             |
| status, in-play or bet delay changed    | market status                                          |
| runner REMOVED                          | selection removed                                      |
| CLOSED with WINNER and LOSER            | market status CLOSED if it was not, then result        |
| the recording ends without a result     | market status CLOSED, result `void` (or left, at will) |

Every operation has the message's publish time as `at_ms`, which never runs backwards. Prices come
before a reopening and after a suspension, so nobody is offered what was.
"""

from collections.abc import Iterator

from pipelines.betfair.market_cache import Handicapped, MarketCache, MarketImage
from pipelines.betfair.opening import (
    RUNNERS_GONE,
    Names,
    Rules,
    Translated,
    bet_delay_ms_of,
    event_id_of,
    event_opened,
    market_opened,
    status_of,
    translated,
)
from pipelines.betfair.selections import odds_of, selection_ids
from pipelines.betfair.stream import Definition, StreamMessage
from pipelines.limits import ID_LENGTH_MAX, MARKETS_PER_EVENT_MAX, SELECTIONS_PER_MARKET_MAX
from pipelines.messages import operations as o

__all__ = ["Translation"]

Operations = list[o.Operation]


class Translation:
    """Turns the messages of one or more recordings to operations. One object a replay."""

    def __init__(self, run_id: str, rules: Rules | None = None, names: Names | None = None) -> None:
        self.markets: dict[str, Translated] = {}  # by Betfair's market id
        #: Markets that cannot be played, and why.
        self.skipped: dict[str, str] = {}
        #: Markets that the last message changed: at all, or only the market's prices of a pool.
        self.touched: dict[str, Translated] = {}
        self._run_id = run_id
        self._rules = rules or Rules()
        self._names = names or Names()
        self._cache = MarketCache()
        self._markets_of: dict[str, int] = {}
        self._now_ms = 0

    def apply(self, message: StreamMessage) -> list[o.Operation]:
        """Return the operations that follow from one message; often there are none."""
        self._now_ms = max(self._now_ms, message.pt)
        self.touched = {}
        operations: Operations = []
        for change in message.mc:
            image = self._cache.apply(change, message.pt)
            definition = image.definition
            if definition is None or change.id in self.skipped:
                continue
            market = self.markets.get(change.id)
            if market is None:
                operations += self._open(image, definition)
            elif not market.settled:
                operations += self._changed(market, image, definition)
                if market.engine == "pool" and change.rc:
                    self._touch(market)  # a pool's bettors look at the prices elsewhere too
        return operations

    def finish(self, leave: bool = False) -> list[o.Operation]:
        """Close and void what had no result when the recording ended, or leave it as it is."""
        self.touched = {}
        operations: Operations = []
        for market in self.markets.values():
            if market.settled or leave:
                continue
            reason = "the recording ended without a result"
            operations += self._status(
                market, "CLOSED", market.in_play, market.bet_delay_ms, reason
            )
            operations += self._result(market, (), True, reason)
        return operations

    def _open(self, image: MarketImage, definition: Definition) -> Operations:
        if definition.status == "CLOSED":
            # A market that was over before the recording began has nothing to play.
            self.skipped[image.market_id] = "it was closed before the recording began"
            return []
        ids = selection_ids(definition)
        event_id = event_id_of(self._run_id, definition)
        problem = ""
        if not ids:
            problem = "it has no runners"
        elif len(ids) > SELECTIONS_PER_MARKET_MAX:
            problem = f"it has {len(ids)} runners, at most {SELECTIONS_PER_MARKET_MAX} fit a market"
        elif self._markets_of.get(event_id, 0) >= MARKETS_PER_EVENT_MAX:
            problem = f"its event has {MARKETS_PER_EVENT_MAX} markets already"
        elif max(len(event_id), len(image.market_id)) > ID_LENGTH_MAX:
            problem = f"its id is longer than {ID_LENGTH_MAX} characters"
        if problem:
            self.skipped[image.market_id] = problem
            return []
        operations: Operations = []
        market = translated(
            event_id,
            image,
            definition,
            ids,
            self._rules.engine_of(definition.marketType),
            self._now_ms,
        )
        if event_id not in self._markets_of:
            operations.append(
                event_opened(market, definition, self._names, self._rules, self._now_ms)
            )
        self._markets_of[event_id] = self._markets_of.get(event_id, 0) + 1
        self.markets[image.market_id] = market
        self._touch(market)
        operations.append(market_opened(market, definition, self._names, self._rules, self._now_ms))
        return operations + self._removals(market, definition)

    def _changed(
        self, market: Translated, image: MarketImage, definition: Definition
    ) -> Operations:
        operations = self._removals(market, definition)
        status = status_of(definition)
        change = self._status(market, status, definition.inPlay, bet_delay_ms_of(definition))
        if status == "OPEN":
            operations += [*self._prices(market, image), *change]
        elif status == "CLOSED":
            operations += [*change, *self._outcome(market, definition)]
        else:
            operations += [*change, *self._prices(market, image)]
        return operations

    def _removals(self, market: Translated, definition: Definition) -> Operations:
        operations: Operations = []
        for runner in definition.runners:
            selection_id = market.ids.get(Handicapped(runner.id, runner.hc))
            # A runner that the market did not open with cannot be added, nor taken away.
            if selection_id is None or runner.status not in RUNNERS_GONE:
                continue
            if selection_id in market.removed:
                continue
            market.removed.add(selection_id)
            market.odds[selection_id] = 0
            market.version += 1
            self._count(market)
            operations.append(
                o.SelectionRemoved(
                    market.event_id,
                    market.market_id,
                    selection_id,
                    "non-runner",
                    self._now_ms,
                )
            )
        return operations

    def _status(
        self,
        market: Translated,
        status: str,
        in_play: bool,
        bet_delay_ms: int,
        reason: str = "",
    ) -> Operations:
        if market.status == "CLOSED" or (status, in_play, bet_delay_ms) == (
            market.status,
            market.in_play,
            market.bet_delay_ms,
        ):
            return []
        market.status, market.in_play, market.bet_delay_ms = status, in_play, bet_delay_ms
        market.version += 1
        self._count(market)
        return [
            o.MarketStatus(
                market.event_id,
                market.market_id,
                status=status,  # type: ignore[arg-type]  # one of STATUSES, see status_of
                in_play=in_play,
                bet_delay_ms=bet_delay_ms,
                reason=reason,
                at_ms=self._now_ms,
            )
        ]

    def _prices(self, market: Translated, image: MarketImage) -> Iterator[o.Operation]:
        if market.engine != "fixed" or market.status == "CLOSED":
            return
        moved: list[tuple[int, int]] = []
        for key, selection_id in market.ids.items():
            if selection_id in market.removed:
                continue
            odds_e4 = odds_of(image.runners.get(key), market.ladder)
            # An empty book is no reason to take a price away: it is so at every suspension.
            if odds_e4 and odds_e4 != market.odds[selection_id]:
                moved.append((selection_id, odds_e4))
        if moved:
            market.odds.update(moved)
            self._count(market)
            yield o.Prices(market.event_id, market.market_id, tuple(moved), self._now_ms)

    def _outcome(self, market: Translated, definition: Definition) -> Operations:
        """Return the result where the definition has one; CLOSED alone is none yet."""
        by_status: dict[str, list[int]] = {}
        for runner in definition.runners:
            selection_id = market.ids.get(Handicapped(runner.id, runner.hc))
            if selection_id is not None and selection_id not in market.removed:
                by_status.setdefault(runner.status, []).append(selection_id)
        winners = by_status.get("WINNER", [])
        if len(winners) < market.places:
            winners = winners + by_status.get("PLACED", [])
        if winners:
            return self._result(market, tuple(winners), False, "")
        if by_status.get("LOSER") or not by_status:
            return self._result(market, (), True, "the market closed without a winner")
        return []

    def _result(
        self, market: Translated, winners: tuple[int, ...], void: bool, reason: str
    ) -> Operations:
        market.settled = True
        market.version += 1
        self._count(market)
        return [o.Result(market.event_id, market.market_id, winners, void, reason, self._now_ms)]

    def _count(self, market: Translated) -> None:
        market.at_ms = self._now_ms
        self._touch(market)

    def _touch(self, market: Translated) -> None:
        if market.market_id not in self.touched:
            self.touched[market.market_id] = market
            market.moments += 1
