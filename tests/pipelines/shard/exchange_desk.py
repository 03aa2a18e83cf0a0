"""A desk for exchange markets: orders in, and what must hold of them checked."""

from typing import Any

from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe
from pipelines.shard.exposure import exposure_minor
from pipelines.shard.fold import fold
from pipelines.shard.hash import state_hash
from pipelines.shard.order import Order
from pipelines.shard.state import MarketState
from tests.pipelines.shard.desk import EVENT, MARKET, Desk, bet


def exchange_market(runners: int = 3, **changes: object) -> dict[str, object]:
    """An exchange of so many selections, numbered from 1."""
    return {
        "market_id": MARKET,
        "engine": "exchange",
        "selections": [{"selection_id": s} for s in range(1, runners + 1)],
        **changes,
    }


class ExchangeDesk(Desk):
    """A desk with one exchange market."""

    def order(
        self, bet_id: str, side: str, odds_e4: int, stake: int, client_id: str = "", **more: Any
    ) -> list[e.Entry]:
        """Place an order of the bettor (by default one of its own)."""
        selection = more.pop("selection", 1)
        request = bet(
            bet_id, selection_id=selection, stake_minor=stake, odds_e4=odds_e4, side=side,
            market_version=0, **more,
        )  # fmt: skip
        return self.bets(request, client_id or f"client-{bet_id}")

    def back(self, bet_id: str, odds_e4: int, stake: int, **more: Any) -> list[e.Entry]:
        return self.order(bet_id, "BACK", odds_e4, stake, **more)

    def lay(self, bet_id: str, odds_e4: int, stake: int, **more: Any) -> list[e.Entry]:
        return self.order(bet_id, "LAY", odds_e4, stake, **more)

    def change(self, kind: str, bet_id: str, client_id: str = "", **more: Any) -> list[e.Entry]:
        """Cancel, replace or update."""
        value = {"type": kind, "event_id": EVENT, "market_id": MARKET, "bet_id": bet_id, **more}
        return self.bets(value, client_id or f"client-{bet_id}")

    def of(self, bet_id: str, client_id: str = "") -> Order:
        found = self.state.events[EVENT].bets[client_id or f"client-{bet_id}", bet_id]
        assert isinstance(found, Order)
        return found

    def settle(self, *winners: int, **more: Any) -> list[e.Entry]:
        """Suspend the market and give its result."""
        self.operate_market("market_status", status="SUSPENDED")
        return self.operate_market("result", winners=list(winners), **more)

    def check(self) -> None:
        """Assert what must hold at any moment, the same after a fold."""
        assert state_hash(fold(0, self.journal)) == self.hash()
        for event in self.state.events.values():
            for market in event.markets.values():
                if market.exchange is not None:
                    check_market(market)


def check_market(market: MarketState) -> None:
    """Assert conservation, an uncrossed book in the right order, and sums of zero."""
    orders = [one for one in market.bets if isinstance(one, Order)]
    assert len(orders) == len(market.bets)
    held = paid = 0
    for one in orders:
        parts = (one.matched_minor, one.remaining_minor, one.lapsed_minor, one.cancelled_minor)
        assert min(*parts, one.voided_minor) >= 0, one
        assert one.stake_minor == sum(parts) + one.voided_minor, one
        assert one.size_minor == sum(size for _, size, _ in one.fills)
        assert one.value_e4 == sum(odds * size for odds, size, _ in one.fills)
        held += one.staked_minor
        paid += one.payout_minor
    posted = sum(amount for _, amount in market.postings)
    assert market.escrow_minor == held - paid - posted + sum(market.commissions.values())
    if market.settled:
        assert market.escrow_minor == 0
        assert not any(one.remaining_minor for one in orders)
    check_book(market, orders)


def check_book(market: MarketState, orders: list[Order]) -> None:
    """Assert that the book holds what waits, in order, and that no two of it would trade."""
    book = market.exchange
    assert book is not None
    waiting: dict[tuple[int, bool], list[Order]] = {}
    for one in orders:
        if one.remaining_minor and one.rests():
            waiting.setdefault((one.selection_id, one.lay), []).append(one)
    for selection_id, runner in book.runners.items():
        for lay, levels in ((False, runner.backs), (True, runner.lays)):
            expected = waiting.get((selection_id, lay), [])
            sign = -1 if lay else 1
            expected.sort(key=lambda one: sign * one.asked_odds_e4)  # the older ones first
            assert [id(one) for one in levels.in_turn()] == [id(one) for one in expected]
            sizes: dict[int, int] = {}
            for one in expected:
                sizes[one.asked_odds_e4] = sizes.get(one.asked_odds_e4, 0) + one.remaining_minor
            assert list(levels.levels()) == list(sizes.items())
            shown = list(sizes.items())[: market.definition.depth or None]
            assert levels.depth() == tuple(shown)
        back, lay_best = runner.backs.best(), runner.lays.best()
        assert not back or not lay_best or back > lay_best, "the book is crossed"


def worst_results(market: MarketState, client_id: str) -> tuple[int, int]:
    """The exposure that the engine states, and the worst that settling now could bring."""
    orders = [o for o in market.bets if isinstance(o, Order) and o.client_id == client_id]
    stated = exposure_minor(market, orders)
    worst = 0
    for winner, status in market.selections.items():
        if status == "REMOVED":
            continue  # it cannot win
        result = 0
        for one in orders:
            won = one.selection_id == winner
            if one.lay:
                result += -one.staked_minor if won else one.size_minor
            else:
                result += (one.value_e4 // 10_000 if won else 0) - one.size_minor
        worst = min(worst, result)
    return stated, worst


def matched(entries: list[e.Entry]) -> list[tuple[str, int, int]]:
    """Who was matched by an order that came: bet id, odds, size."""
    return [(x.bet_id, x.odds_e4, x.size_minor) for x in entries if isinstance(x, oe.BetMatched)]


def fills(entries: list[e.Entry]) -> tuple[tuple[int, int, bool], ...]:
    """What the order itself was matched at."""
    found = [x.fills for x in entries if isinstance(x, oe.OrderPlaced | oe.OrderConfirmed)]
    assert len(found) == 1
    return found[0]
