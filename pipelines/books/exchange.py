"""Exchange: bettors back and lay against each other; the house takes a commission on net winnings.

The book holds what rests, by selection, side and price, and what was traded. Orientation: resting
LAY orders are what is available to back (best: highest), resting BACK orders are available to lay
(best: lowest). Only `evolve` calls what changes it.
"""

from msgspec import Raw

from pipelines.books.book import Outcome
from pipelines.books.exchange_cross import plan_crossed, virtual_price_e4
from pipelines.books.exchange_ladder import ladder_of
from pipelines.books.exchange_levels import Levels, Resting
from pipelines.books.exchange_matching import NOTHING, Incoming, Plan, plan_direct, plan_killing
from pipelines.codes import Code
from pipelines.messages.images import SelectionImage
from pipelines.messages.operations import Market
from pipelines.messages.requests import BetRequest

__all__ = ["ExchangeBook", "Runner"]


class Runner:
    """One selection: resting orders, orders for the starting price, trades.

    `traded` is by price the size matched, counted once a trade (not for both sides), in the order
    in which prices were last traded. `shown` keeps
    what was last shown of it until something changes; it is no part of the state.
    """

    __slots__ = (
        "active",
        "backs",
        "last_odds_e4",
        "lays",
        "name",
        "shown",
        "sp_e4",
        "sp_orders",
        "traded",
        "traded_minor",
    )

    def __init__(self, name: str, depth: int) -> None:
        self.name = name
        self.active = True
        self.backs = Levels(highest_first=False, most=depth)
        self.lays = Levels(highest_first=True, most=depth)
        self.sp_orders: dict[tuple[str, str], Resting] = {}  # by bettor and bet id
        self.traded: dict[int, int] = {}
        self.traded_minor = 0
        self.last_odds_e4 = 0
        self.sp_e4 = 0
        self.shown: tuple[SelectionImage, Raw] | None = None

    def __getstate__(self) -> tuple[None, dict[str, object]]:
        """Return the state for a snapshot: without what can be shown anew."""
        return None, {name: getattr(self, name) for name in self.__slots__} | {"shown": None}


class ExchangeBook:
    """All selections of one market; `orders` counts those that were ever placed.

    `plain`: orders are matched with those of their own selection, and ask nothing else. `near`:
    a starting price is shown, which any order may move.
    """

    __slots__ = (
        "crossing",
        "depth",
        "ladder",
        "near",
        "orders",
        "plain",
        "reconciled",
        "runners",
        "self_match",
    )

    moves_on_bets = True
    needs_odds = False
    sells_shares = False

    def __init__(self, market: Market) -> None:
        self.ladder = ladder_of(market)
        self.crossing = market.cross_matching
        self.plain = not (market.cross_matching or market.loss_limit_minor or market.accounts)
        self.near = market.bsp_market
        self.self_match = market.self_match
        self.depth = market.depth
        self.runners = {s.selection_id: Runner(s.name, market.depth) for s in market.selections}
        self.orders = 0
        self.reconciled = False

    def plan(self, incoming: Incoming, killing: bool) -> Plan:
        """Return what an order is matched with now."""
        runner = self.runners[incoming.selection_id]
        opposite = runner.backs if incoming.lay else runner.lays
        if killing:
            return plan_killing(incoming, opposite, self.self_match)
        if self.crossing:
            others = self._others(incoming.selection_id, incoming.lay)
            return plan_crossed(incoming, opposite, others, self.ladder, self.self_match)
        best = opposite.best()
        if not best or (best > incoming.limit_e4 if incoming.lay else best < incoming.limit_e4):
            return NOTHING
        return plan_direct(incoming, opposite, self.self_match)

    def _others(self, selection_id: int, lay: bool) -> list[Levels]:
        return [
            runner.lays if lay else runner.backs
            for other, runner in self.runners.items()
            if other != selection_id and runner.active
        ]

    def best_e4(self, selection_id: int, lay: bool) -> int:
        """Return the best price at which one can back (or lay) now, virtual ones included."""
        runner = self.runners[selection_id]
        straight = (runner.backs if lay else runner.lays).best()
        virtual = self.virtual_e4(selection_id, lay)
        if not virtual or not straight:
            return virtual or straight
        return min(straight, virtual) if lay else max(straight, virtual)

    def virtual_e4(self, selection_id: int, lay: bool) -> int:
        """Return the best virtual price, 0 where there is none."""
        if not self.crossing or not self.runners[selection_id].active:
            return 0
        prices = [levels.best() for levels in self._others(selection_id, lay)]
        return virtual_price_e4(lay, prices, self.ladder)

    # --- changes, by `evolve` alone

    def rest(self, order: Resting, lay: bool) -> None:
        """An order waits."""
        runner = self.runners[order.selection_id]
        if (runner.lays if lay else runner.backs).add(order) or self.near:
            runner.shown = None

    def reduced(self, order: Resting, lay: bool, size_minor: int) -> None:
        """An order that waits has lost so much of its remainder."""
        runner = self.runners[order.selection_id]
        if (runner.lays if lay else runner.backs).reduced(order, size_minor) or self.near:
            runner.shown = None

    def take_from(self, order: Resting, lay: bool, size_minor: int) -> None:
        """So much of an order that waits was traded, at its own price."""
        runner = self.runners[order.selection_id]
        runner.shown = None
        (runner.lays if lay else runner.backs).reduced(order, size_minor)
        price, traded = order.asked_odds_e4, runner.traded
        traded[price] = traded.pop(price, 0) + size_minor
        runner.traded_minor += size_minor
        runner.last_odds_e4 = price

    def trade(self, selection_id: int, odds_e4: int, size_minor: int) -> None:
        """So much was traded at a price."""
        runner = self.runners[selection_id]
        runner.shown = None
        traded = runner.traded
        traded[odds_e4] = traded.pop(odds_e4, 0) + size_minor  # the price traded last stands last
        runner.traded_minor += size_minor
        runner.last_odds_e4 = odds_e4

    def rest_for_sp(self, order: Resting) -> None:
        """An order waits for the starting price."""
        runner = self.runners[order.selection_id]
        runner.shown = None
        runner.sp_orders[order.client_id, order.bet_id] = order

    def left_sp(self, order: Resting) -> None:
        """An order for the starting price has lost some or all of its remainder."""
        runner = self.runners[order.selection_id]
        runner.shown = None
        if not order.remaining_minor:
            del runner.sp_orders[order.client_id, order.bet_id]

    def reconcile(self, prices: tuple[tuple[int, int], ...]) -> None:
        """The starting prices are known."""
        self.reconciled = True
        self.near = False
        for selection_id, odds_e4 in prices:
            self.runners[selection_id].sp_e4 = odds_e4
        for runner in self.runners.values():
            runner.shown = None

    def remove(self, selection_id: int, deduction_e4: int = -1) -> None:
        runner = self.runners[selection_id]
        runner.active = False
        runner.shown = None

    def hashed(self) -> object:
        raise AssertionError("orders are hashed by their numbers")

    def hashed_by(self, numbers: dict[int, int]) -> object:
        """Return the state as plain values; `numbers` of the market's orders by their identity."""
        return (
            "exchange",
            self.orders,
            self.reconciled,
            [
                (
                    selection_id,
                    runner.active,
                    runner.last_odds_e4,
                    runner.sp_e4,
                    list(runner.traded.items()),
                    [numbers[id(order)] for order in runner.sp_orders.values()],
                    runner.backs.hashed(numbers),
                    runner.lays.hashed(numbers),
                )
                for selection_id, runner in self.runners.items()
            ],
        )

    # --- what every book can be asked

    def quote(self, selection_id: int) -> int:
        return self.runners[selection_id].lays.best()

    def odds(self, selection_id: int) -> int:
        return self.quote(selection_id)

    def price(self, request: BetRequest) -> int | Code:
        """Return the price at which one can back now; orders go through `plan`."""
        return self.quote(request.selection_id)

    def shown(self) -> dict[int, tuple[int, int]]:
        return {
            selection_id: (self.best_e4(selection_id, False), runner.traded_minor)
            for selection_id, runner in self.runners.items()
        }

    def take(
        self, selection_id: int, stake_minor: int, odds_e4: int, shares_minor: int = 0
    ) -> None:
        raise AssertionError("an exchange matches orders")

    def give_back(
        self, selection_id: int, stake_minor: int, odds_e4: int, shares_minor: int = 0
    ) -> None:
        raise AssertionError("an exchange matches orders")

    def set_prices(self, prices: tuple[tuple[int, int], ...]) -> None:
        raise AssertionError("an exchange has no prices to set")

    def outcome(self, winners: tuple[int, ...]) -> Outcome:
        return Outcome(refund=False, dividends=(), reason="")

    def payout(
        self,
        stake_minor: int,
        odds_e4: int,
        selection_id: int,
        winners: tuple[int, ...],
        dividends: tuple[tuple[int, int], ...],
    ) -> int:
        raise AssertionError("an exchange settles orders")

    def house_postings(
        self, staked_minor: int, paid_minor: int, refund: bool
    ) -> tuple[tuple[str, int], ...]:
        raise AssertionError("an exchange settles orders")
