"""Late bets: what skipping the bet delay is expected to cost, and who may skip it."""

from fractions import Fraction
from typing import Any

import pytest

from pipelines.limits import JUMPS_REMEMBERED_MAX, LATE_WINDOW_MS
from pipelines.messages import entries as e
from pipelines.shard.risk import late_loss_e4
from tests.oracles import risk as oracle
from tests.pipelines.shard.desk import EVENT, Desk, fixed_market

CALM = {1: 20_000, 2: 30_000, 3: 40_000}


def trusted(prices: dict[int, int] = CALM, market: Any = None, **of_class: int) -> Desk:
    """An event in-play with a delay of five seconds, and a class for all."""
    book = {"in_play": True, "bet_delay_ms": 5_000} | (market or {})
    desk = Desk().open(fixed_market(**book))
    known = {"name": "known", "late_loss_max_e4": 500} | of_class
    desk.operate("risk_set", classes=[known], default_class="known")
    desk.operate_market("prices", prices=[*prices.items()])
    desk.now_ms += LATE_WINDOW_MS + 1
    return desk


def loss_e4(desk: Desk, selection: int = 1) -> int:
    event, market = desk.state.events[EVENT], desk.market()
    odds = market.book.odds(selection)
    return late_loss_e4(event, market, selection, odds, 5_000, desk.now_ms)


def right_e4(prices: dict[int, int], rises: list[Fraction], places: int = 1) -> Fraction:
    odds = [Fraction(one, 10_000) for one in prices.values()]
    return 10_000 * oracle.late_loss(odds[0], odds, odds[0], rises, Fraction(1, 12), places)


def test_a_price_that_is_taken_away_and_comes_back_has_jumped() -> None:
    desk = trusted()
    desk.operate_market("prices", prices=[[2, 0]])
    desk.operate_market("prices", prices=[[2, 15_000]])
    assert loss_e4(desk) == 10_000 * right_e4({**CALM, 2: 15_000}, [Fraction(2)]) // 10_000 > 0
    assert isinstance(desk.bet(odds_e4=20_000), e.BetPending)
    desk.check()


def test_many_small_moves_do_not_hide_a_large_one() -> None:
    desk = trusted()
    desk.operate_market("prices", prices=[[3, 20_000]])  # a goal: the probability doubled
    after_the_goal = loss_e4(desk)
    assert after_the_goal > 0
    for _ in range(JUMPS_REMEMBERED_MAX):
        desk.operate_market("prices", prices=[[2, 30_000]])
        desk.operate_market("prices", prices=[[2, 29_800]])
        desk.now_ms += 10
    desk.operate_market("prices", prices=[[2, 30_000]])
    assert loss_e4(desk) == after_the_goal
    jumps = desk.state.events[EVENT].risk.jumps  # type: ignore[union-attr]
    assert [len(one) for one in jumps.values()] == [JUMPS_REMEMBERED_MAX]
    desk.now_ms += LATE_WINDOW_MS
    assert loss_e4(desk) == 0
    desk.check()


def test_where_two_win_the_margin_is_that_of_two() -> None:
    prices = {1: 18_000, 2: 15_000, 3: 15_000}
    desk = trusted(prices, {"number_of_winners": 2})
    desk.operate_market("prices", prices=[[3, 12_000]])
    now, rises = {**prices, 3: 12_000}, [Fraction(5, 4)]
    right = right_e4(now, rises, places=2)
    assert right_e4(now, rises) == 0 < right  # in one book of 206 % there were room for it
    assert abs(loss_e4(desk) - right) <= 1 + right / 200
    desk.check()


def test_only_what_wins_little_skips_the_delay() -> None:
    desk = trusted(late_win_max_minor=1_000)
    assert isinstance(desk.bet("b1", odds_e4=20_000, stake_minor=1_000), e.BetAccepted)
    held = desk.bet("b2", odds_e4=20_000, stake_minor=1_001)
    assert isinstance(held, e.BetPending)
    assert held.due_ms == desk.now_ms + 5_000
    desk.check()


@pytest.mark.parametrize("late_loss_max_e4", [0, 500])
def test_a_class_without_trust_always_waits(late_loss_max_e4: int) -> None:
    desk = trusted(late_loss_max_e4=late_loss_max_e4)
    entry = desk.bet(odds_e4=20_000)
    assert isinstance(entry, e.BetAccepted if late_loss_max_e4 else e.BetPending)


def test_the_loss_is_a_part_of_what_the_house_keeps() -> None:
    """By hand: 2.0, 3.0, 4.0 make a book of 13/12, of which 1/13 is kept; one doubling in 60 s."""
    desk = trusted()
    desk.operate_market("prices", prices=[[3, 20_000]])
    desk.operate_market("prices", prices=[[3, 40_000]])
    # Fair 6/13; doubled it is worth 2 * 12/13 - 1 = 11/13: eleven margins, in 5 of 60 seconds.
    assert abs(loss_e4(desk) - 10_000 * Fraction(11, 12)) <= 2
