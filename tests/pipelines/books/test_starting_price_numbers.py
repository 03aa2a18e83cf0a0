"""Betfair's starting price in published numbers, through `overround decide`."""

from typing import Any

import pytest

from tests.pipelines.decided import Decided, entries


def market(runners: int = 3, **rules: Any) -> Decided:
    return Decided().open(runners, engine="exchange", **({"ladder": "FINEST"} | rules))


def on_close(desk: Decided, bet_id: str, side: str, amount: int, limit: int = 0) -> None:
    kind = "LIMIT_ON_CLOSE" if limit else "MARKET_ON_CLOSE"
    found = desk.bet(bet_id, 1, amount, limit, who=bet_id, side=side, order_type=kind)
    assert found["type"] == "order_placed", found


def off(desk: Decided) -> tuple[int, dict[str, int]]:
    """Return the starting price, and what each order got at it."""
    found = desk.operate("market_status", in_play=True)
    (prices,) = entries(found, "starting_prices_set")
    matched = {
        x["bet_id"]: x["size_minor"] for x in entries(found, "bet_matched") if x["kind"] == "sp"
    }
    return dict(prices["prices"])[1], matched


def test_betfair_back_4_is_counted_and_back_6_lapses_at_5() -> None:
    # support.betfair.se, 2127: SP 5.0 takes the limit of 4.0, not that of 6.0.
    desk = market(bsp_market=True)
    on_close(desk, "moc", "BACK", 50_000)
    on_close(desk, "four", "BACK", 50_000, 40_000)
    on_close(desk, "six", "BACK", 30_000, 60_000)
    on_close(desk, "lay", "LAY", 400_000)
    assert off(desk) == (50_000, {"moc": 50_000, "four": 50_000, "lay": 100_000})
    lapsed = {x["bet_id"]: x["size_minor"] for x in entries(desk.printed, "order_lapsed")}
    assert lapsed == {"six": 30_000}
    assert desk.paid(winners=[1]) == {"moc": 250_000, "four": 250_000, "lay": 0}


@pytest.mark.parametrize(
    ("backs", "lays", "price"),
    [
        ((100_000,), (600_000,), 70_000),  # 1,000 against 6,000
        ((196_283,), (357_103,), 28_193),
        ((12_345,), (98_765,), 90_004),
        ((100,), (1,), 10_100),  # lays ask for less than 1.01: a part of the backs
        ((1,), (10**6,), 10_000_000),
    ],
)
def test_far_prices(backs: tuple[int, ...], lays: tuple[int, ...], price: int) -> None:
    desk = market(bsp_market=True)
    for number, stake in enumerate(backs):
        on_close(desk, f"b{number}", "BACK", stake)
    for number, liability in enumerate(lays):
        on_close(desk, f"l{number}", "LAY", liability)
    assert desk.image()[1]["exchange"]["sp_far_e4"] == price
    assert off(desk)[0] == price


def test_a_limit_that_is_met_exactly_takes_what_is_left() -> None:
    # 100 at any price against a liability of 300 is 4.0; a back limit of 3.0 more takes it to 3.0:
    # 150 of stakes, so 50 of the 200 with that limit.
    desk = market(bsp_market=True)
    on_close(desk, "moc", "BACK", 10_000)
    on_close(desk, "three", "BACK", 20_000, 30_000)
    on_close(desk, "lay", "LAY", 30_000)
    assert off(desk) == (30_000, {"moc": 10_000, "three": 5_000, "lay": 15_000})
    assert {x["bet_id"]: x["size_minor"] for x in entries(desk.printed, "order_lapsed")} == {
        "three": 15_000
    }


def test_a_lay_limit_below_the_price_is_not_matched() -> None:
    desk = market(bsp_market=True)
    on_close(desk, "moc", "BACK", 10_000)
    on_close(desk, "five", "LAY", 40_000, 50_000)
    on_close(desk, "two", "LAY", 40_000, 20_000)
    assert off(desk) == (50_000, {"moc": 10_000, "five": 10_000})


def test_near_price_with_unmatched_money_and_market_on_close_persistence() -> None:
    # Far 7.0; with 500 laid at 4.0 that wait, and a back of 200 at 6.0 that persists to the price.
    desk = market(bsp_market=True)
    on_close(desk, "moc", "BACK", 100_000)
    on_close(desk, "lay", "LAY", 600_000)
    desk.bet("rest", 1, 20_000, 80_000, who="rest", persistence="MARKET_ON_CLOSE")
    seen = desk.image()[1]["exchange"]
    assert (seen["sp_far_e4"], seen["sp_near_e4"]) == (70_000, 60_000)
    assert off(desk) == (60_000, {"moc": 100_000, "rest": 20_000, "lay": 120_000})
