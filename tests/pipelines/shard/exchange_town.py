"""A town with an exchange market of accounts, and what must hold of its money at any moment."""

from collections import defaultdict
from itertools import combinations
from typing import Any

from pipelines.messages import bettor_entries as be
from pipelines.messages import entries as e
from pipelines.shard.bettor import BettorState, bettor_key
from pipelines.shard.order import Order
from pipelines.shard.state import MarketState
from tests.pipelines.shard.exchange_desk import check_market
from tests.pipelines.shard.town import Town

__all__ = ["RACE", "ExchangeTown"]

RACE = "race"


class ExchangeTown(Town):
    """One exchange `m` of the event `race`; bettors have accounts as soon as they are funded."""

    def start(self, runners: int = 3, **market: Any) -> None:
        self.operate(RACE, "event_opened", event_id=RACE)
        selections = [
            {"selection_id": s, "adjustment_factor_e4": 9_000 // runners}
            for s in range(1, runners + 1)
        ]
        definition = {"market_id": "m", "engine": "exchange", "accounts": True}
        definition |= {"selections": selections} | market
        self.operate(RACE, "market_opened", event_id=RACE, market=definition)

    def fund(self, client: str, amount_minor: int, credit_minor: int = 0) -> None:
        key = bettor_key(client)
        self.operate(key, "account_set", client_id=client, credit_minor=credit_minor)
        if amount_minor:
            self.deposit(client, amount_minor)

    def order(
        self, client: str, bet_id: str, side: str, odds_e4: int, stake: int, **more: Any
    ) -> list[e.Entry]:
        fields = {"selection_id": 1, "stake_minor": stake, "odds_e4": odds_e4, "side": side}
        return self.bet(client, RACE, bet_id, **fields | more)

    def back(self, client: str, bet_id: str, odds_e4: int, stake: int, **more: Any) -> None:
        """Place an order and let its money be held."""
        self.order(client, bet_id, "BACK", odds_e4, stake, **more)
        self.deliver_all()

    def lay(self, client: str, bet_id: str, odds_e4: int, stake: int, **more: Any) -> None:
        self.order(client, bet_id, "LAY", odds_e4, stake, **more)
        self.deliver_all()

    def change(self, client: str, kind: str, bet_id: str, **more: Any) -> list[e.Entry]:
        """Cancel, replace, update or cash out."""
        value = {"type": kind, "event_id": RACE, "market_id": "m", "bet_id": bet_id, **more}
        return self.request(RACE, client, value)

    def operate_market(self, kind: str, **fields: Any) -> list[e.Entry]:
        return self.operate(RACE, kind, event_id=RACE, market_id="m", **fields)

    def settle(self, *winners: int, **fields: Any) -> None:
        self.result(RACE, *winners, **fields)
        self.deliver_all()

    def of(self, client: str, bet_id: str) -> Order:
        found = self.the_bet(RACE, client, bet_id)
        assert isinstance(found, Order)
        return found

    def held(self, client: str) -> int:
        """Return what a bettor's account holds, which is what the market says once all is read."""
        return self.bettor(client).held_minor

    def rest(self) -> None:
        """Let every surplus go."""
        self.deliver_all()
        self.wait(1_000)
        self.deliver_all()

    def check(self) -> None:
        """Assert what holds at any moment, transfers under way or not."""
        market = self.market(RACE)
        check_market(market)
        funds = market.funds
        assert funds is not None
        for client in {one.client_id for one in market.bets} - funds.posted.keys():
            exposure = funds.bettors.get(client)
            held = exposure.held_minor if exposure is not None else 0
            worst = worst_loss(market, client)
            assert held >= worst, (client, held, worst)
        for bettor in self.bettors():
            parts = sum(bettor.holds.values()) + sum(bettor.exposures.values())
            assert bettor.held_minor == parts, bettor.client_id
        sums: dict[str, int] = defaultdict(int)
        for one in self.entries:
            if isinstance(one, be.FundsPosted):
                for account, amount in one.postings:
                    sums[account] += amount
        assert sum(sums.values()) == 0
        for bettor in self.bettors():
            assert sums[bettor_key(bettor.client_id)] == bettor.balance_minor

    def check_at_rest(self) -> None:
        """Assert what holds when nothing is under way: both sides say the same."""
        self.check()
        self.check_folds()
        market = self.market(RACE)
        assert market.funds is not None
        for bettor in self.bettors():
            exposure = market.funds.bettors.get(bettor.client_id)
            held = exposure.held_minor if exposure is not None else 0
            assert bettor.exposures == ({(RACE, "m"): held} if held else {})
            assert not bettor.holds
            if bettor.client_id not in market.funds.posted:
                assert held == (exposure.worst_minor if exposure is not None else 0)
        posted = sum(
            amount
            for one in self.entries
            if isinstance(one, be.FundsPosted) and one.of_market
            for account, amount in one.postings
            if account == f"event:{RACE}"
        )
        house = sum(amount for _, amount in market.postings) if market.settled else 0
        assert posted == house, "the house has what the bettors have not"
        if market.settled:
            assert not any(bettor.held_minor for bettor in self.bettors())

    def bettors(self) -> list[BettorState]:
        return [one for engine in self.engines for one in engine.state.bettors.values()]


def worst_loss(market: MarketState, client: str) -> int:
    """The most that a bettor can lose, tried for every set of winners; waiting orders count."""
    orders = [one for one in market.bets if isinstance(one, Order) and one.client_id == client]
    active = [s for s, status in market.selections.items() if status == "ACTIVE"]
    places = min(market.definition.number_of_winners, len(active))
    results = [sum(_worst(one, w) for one in orders) for w in combinations(active, places)]
    return max(0, -min(results))


def _worst(order: Order, winners: tuple[int, ...]) -> int:
    """What an order comes to, in the worse of the cases that it is matched and that it is not."""
    won = order.selection_id in winners
    if not order.lay:
        result = (order.value_e4 // 10_000 if won else 0) - order.size_minor
        return result - (0 if won else order.remaining_minor)
    if not won:
        return order.size_minor
    left = order.remaining_minor
    if order.order_type != "LIMIT":
        return -order.staked_minor - left
    exact = order.value_e4 - order.size_minor * 10_000 + left * (order.asked_odds_e4 - 10_000)
    return -exact // 10_000
