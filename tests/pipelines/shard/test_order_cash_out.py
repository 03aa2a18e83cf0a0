"""Cash-out on an exchange: a quote, and the order that makes every result the same."""

import random
from typing import Any

import pytest

from pipelines.books.ladder import CLASSIC
from pipelines.messages import cash_out_entries as co
from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe
from tests.pipelines.audit.topics import decide
from tests.pipelines.shard.desk import EVENT, MARKET
from tests.pipelines.shard.exchange_desk import ExchangeDesk, exchange_market


def ask(desk: ExchangeDesk, bet_id: str, amount: int = 0, **more: Any) -> list[e.Entry]:
    value = {"type": "cash_out", "bet_id": bet_id, "event_id": EVENT, "market_id": MARKET}
    return desk.bets(value | {"amount_minor": amount} | more, "ann")


def betting(side: str = "BACK", size: int = 1_000) -> ExchangeDesk:
    """Ann has a bet of this size matched at 3.0 on selection 1."""
    desk = ExchangeDesk()
    desk.open(exchange_market())
    other = desk.lay if side == "BACK" else desk.back
    other("o1", 30_000, size, client_id="bob")
    desk.order("a1", side, 30_000, size, "ann")
    return desk


def results(desk: ExchangeDesk) -> list[int]:
    """What Ann makes of the market, for each winner."""
    found = []
    for winner in (1, 2, 3):
        entries = desk.settle(winner)
        paid = {x.bet_id: x.payout_minor for x in entries
                if isinstance(x, e.BetSettled) and x.client_id == "ann"}  # fmt: skip
        mine = [o for (who, _), o in desk.state.events[EVENT].bets.items() if who == "ann"]
        found.append(sum(paid.values()) - sum(getattr(one, "staked_minor", 0) for one in mine))
        desk.operate_market("result_rolled_back")
    return found


def test_a_back_is_worth_the_lay_that_hedges_it() -> None:
    desk = betting()
    desk.back("b1", 20_000, 5_000, client_id="cem")
    (quote,) = ask(desk, "a1")
    assert isinstance(quote, co.CashOutQuoted)
    assert (quote.amount_minor, quote.odds_e4) == (1_500, 20_000)
    placed = ask(desk, "a1", 1_500)[0]
    assert isinstance(placed, oe.OrderPlaced)
    assert (placed.bet_id, placed.side, placed.fills) == (
        "a1/cash-out", "LAY", ((20_000, 1_500, False),),
    )  # fmt: skip
    (again,) = ask(desk, "a1", 1_500)
    assert isinstance(again, e.BetRepeated)
    assert again.bet_id == "a1/cash-out"
    assert results(desk) == [500, 500, 500]
    desk.check()


def test_a_lay_is_worth_what_is_left_of_its_liability() -> None:
    desk = betting("LAY")
    desk.lay("b1", 40_000, 5_000, client_id="cem")
    (quote,) = ask(desk, "a1")
    assert isinstance(quote, co.CashOutQuoted)
    assert quote.amount_minor == 2_250
    ask(desk, "a1", 2_250)
    assert results(desk) == [250, 250, 250]


def test_less_than_asked_for_only_within_the_tolerance() -> None:
    desk = betting()
    desk.back("b1", 25_000, 5_000, client_id="cem")
    (refused,) = ask(desk, "a1", 1_500)
    assert isinstance(refused, co.CashOutRejected)
    assert (refused.code, refused.amount_minor) == ("ODDS_CHANGED", 1_200)
    assert isinstance(ask(desk, "a1", 1_500, tolerance_minor=300)[0], oe.OrderPlaced)


def test_too_little_waits() -> None:
    desk = betting()
    assert refusal(ask(desk, "a1")) == "CASH_OUT_UNAVAILABLE"
    desk.back("b1", 20_000, 1_000, client_id="cem")
    assert refusal(ask(desk, "a1")) == "CASH_OUT_UNAVAILABLE"


def refusal(entries: list[e.Entry]) -> str:
    (entry,) = entries
    assert isinstance(entry, co.CashOutRejected)
    return entry.code


def test_what_has_no_worth() -> None:
    desk = betting()
    desk.back("a2", 40_000, 500, client_id="ann")
    assert refusal(ask(desk, "a2")) == "BET_IN_PROGRESS"
    desk.operate_market("market_status", status="SUSPENDED")
    assert refusal(ask(desk, "a1")) == "MARKET_SUSPENDED"


@pytest.mark.parametrize("seed", range(80))
def test_whatever_wins_comes_to_the_same(seed: int) -> None:
    chance = random.Random(seed)
    desk = betting(chance.choice(["BACK", "LAY"]), chance.randrange(100, 5_000))
    middle = chance.randrange(20, 250)
    for number in range(chance.randrange(2, 12)):
        side = chance.choice(["BACK", "LAY"])
        odds = CLASSIC[middle + (1 if side == "BACK" else -1) * chance.randrange(1, 15)]
        desk.order(f"x{number}", side, odds, chance.randrange(50, 20_000), f"c{number % 3}")
    (quote,) = ask(desk, "a1")
    if isinstance(quote, co.CashOutQuoted):
        placed = ask(desk, "a1", quote.amount_minor)[0]
        assert isinstance(placed, oe.OrderPlaced)
        assert sum(size for _, size, _ in placed.fills) == placed.stake_minor
        found = results(desk)
        order = desk.of("a1", "ann")
        held = order.staked_minor
        # A unit at the worst odds is as near as whole sizes come.
        near = quote.odds_e4 // 10_000 + 2
        assert all(abs(one - (quote.amount_minor - held)) <= near for one in found), (quote, found)
    desk.check()
    records = [one for one in desk.sent if not isinstance(one, int)]
    report = decide([[one] for one in records]).audit()
    assert report.holds, [check.examples[:2] for check in report.checks if check.failures]
