"""Published numbers of exchanges, one test each, named after the source."""

import pytest

from pipelines.books.exchange import ExchangeBook
from pipelines.books.exchange_cross import virtual_price_e4
from pipelines.books.exchange_ladder import bands_problem, ladder_of
from pipelines.books.exchange_money import (
    average_odds_e4,
    back_payout_minor,
    commission_minor,
    lay_payout_minor,
    market_worst_case,
    reduced_liability_minor,
    reduced_odds_e4,
    staked_minor,
)
from pipelines.books.exchange_sp import SpInterest, starting_price_e4
from pipelines.books.ladder import CLASSIC, LADDERS
from pipelines.messages.operations import Market, Selection


def back(*parts: tuple[int, int]) -> tuple[int, int]:
    """Win and lose of backs (odds_e4, size), exactly."""
    size = sum(s for _, s in parts)
    value = sum(o * s for o, s in parts)
    return back_payout_minor(value, 1, 1) - size, -size


def lay(*parts: tuple[int, int]) -> tuple[int, int]:
    size = sum(s for _, s in parts)
    value = sum(o * s for o, s in parts)
    staked = staked_minor(True, size, value)
    return lay_payout_minor(staked, size, value, 1, 1) - staked, size


def both(*positions: tuple[int, int]) -> tuple[int, int]:
    return sum(win for win, _ in positions), sum(lose for _, lose in positions)


# --- exposure (flumine's tests), in minor units of 0.01


def test_flumine_matched_exposure() -> None:
    assert back((56_000, 200)) == (920, -200)
    assert lay((56_000, 200)) == (-920, 200)
    assert lay((56_000, 200), (58_000, 200)) == (-1_880, 400)
    backs = back((56_000, 200), (1_000_000, 2_000))
    assert both(backs, lay((56_000, 200))) == (198_000, -2_000)
    assert both(backs, lay((100_000, 100_000))) == (-701_080, 97_800)


def test_flumine_market_worst_case() -> None:
    one = both(back((56_000, 200)), lay((52_000, 300)))
    two = lay((48_000, 400))
    three = (-1_000, -600)  # unmatched starting price: a back of 6, a lay with liability 10
    positions = [one, two, three]
    assert market_worst_case(positions, 1, 6) == -2_020
    assert market_worst_case(positions, 2, 6) == -2_460


def test_flumine_greened_book() -> None:
    positions = [
        both(back((56_000, 200)), lay((52_000, 210))),
        both(back((48_000, 400)), lay((40_000, 420))),
        both(back((100_000, 200)), lay((80_000, 220))),
    ]
    assert market_worst_case(positions, 1, 6) == 50


# --- dead heats


def test_flumine_dead_heat_back_of_10_at_4() -> None:
    assert back_payout_minor(40_000 * 1_000, 1, 2) - 1_000 == 1_000


def test_flumine_dead_heat_lay_of_20_at_5() -> None:
    staked = staked_minor(True, 2_000, 50_000 * 2_000)
    assert lay_payout_minor(staked, 2_000, 50_000 * 2_000, 1, 2) - staked == -3_000


def test_betdaq_three_way_dead_heat() -> None:
    assert back_payout_minor(60_000 * 6_000, 1, 3) == 12_000


# --- withdrawals


@pytest.mark.parametrize(
    ("odds_e4", "factor_e4", "reduced_e4"),
    [
        (80_000, 2_500, 60_000),
        (86_000, 1_620, 72_100),
        (40_000, 969, 36_100),
        (21_200, 5_000, 10_600),
        (10_500, 5_000, 10_100),
        (80_000, 249, 80_000),
        (80_000, 250, 78_000),
    ],
)
def test_betfair_reduction_of_win_odds(odds_e4: int, factor_e4: int, reduced_e4: int) -> None:
    assert reduced_odds_e4(odds_e4, factor_e4, False) == reduced_e4


def test_betfair_profit_of_10_at_8_6_after_16_2_percent() -> None:
    odds = reduced_odds_e4(86_000, 1_620, False)
    assert back_payout_minor(odds * 1_000, 1, 1) - 1_000 == 6_210


def test_betfair_reduction_of_place_odds() -> None:
    assert reduced_odds_e4(30_000, 4_000, True) == 22_000


def test_flumine_reduction_of_starting_price_liabilities() -> None:
    assert reduced_liability_minor(10_000, 2_500, 0, False) == 7_500
    assert reduced_liability_minor(10_000, 2_500, 5_000, False) == 5_000
    assert reduced_liability_minor(10_000, 249, 5_000, False) == 10_000
    assert reduced_liability_minor(10_000, 2_500, 5_000, True) == 7_500


# --- commission


def test_betfair_commission_of_7_percent() -> None:
    assert commission_minor(15_000, 700, 0) == 1_050
    assert commission_minor(10_000, 700, 0) == 700
    assert commission_minor(-5_000, 700, 0) == 0
    assert commission_minor(10_000, 700, 2_000) == 560


# --- starting price


def test_betfair_far_price_1000_against_6000() -> None:
    assert starting_price_e4(SpInterest(100_000, 600_000)) == 70_000


def test_betfair_far_price_1962_83_against_3571_03() -> None:
    assert starting_price_e4(SpInterest(196_283, 357_103)) == 28_193


def test_limits_at_the_starting_price() -> None:
    # A back that wants 8.0 at least comes in at 8.0 and no lower.
    assert starting_price_e4(SpInterest(100, 800, back_limits=((80_000, 1_000),))) == 80_000
    # A lay that goes up to 5.0 holds the price there.
    assert starting_price_e4(SpInterest(100, 100, lay_limits=((50_000, 10_000),))) == 50_000
    # Unmatched lays at 3.0 take all there.
    assert starting_price_e4(SpInterest(100, 10, lay_orders=((30_000, 1_000),))) == 30_000
    assert starting_price_e4(SpInterest(100, 0)) == 0
    assert starting_price_e4(SpInterest(0, 100)) == 0


def test_flumine_weighted_average_price() -> None:
    assert average_odds_e4(200, 15_000 * 100 + 16_000 * 100) == 15_500


# --- ladders


def test_betfair_ladder_has_350_prices() -> None:
    assert len(CLASSIC) == 350
    ladder = LADDERS["CLASSIC"]
    assert ladder.ticks_away(15_000, 5) == 15_500
    assert ladder.ticks_away(20_000, 5) == 21_000
    assert ladder.ticks_away(100_000, 5) == 125_000
    assert not ladder.valid & {41_500, 67_000, 225_000, 570_000, 9_950_000}


def custom(*bands: tuple[int, int]) -> Market:
    return Market("1.1", (Selection(1),), "exchange", ladder="CUSTOM", ladder_bands=bands)


def test_betdaq_ladder() -> None:
    market = custom(
        (30_000, 100), (40_000, 500), (100_000, 1_000), (200_000, 5_000), (500_000, 10_000),
        (2_000_000, 20_000), (10_000_000, 50_000),
    )  # fmt: skip
    assert bands_problem(market) == ""
    prices = ladder_of(market).prices
    assert prices[0] == 10_100
    assert {30_000, 30_500, 41_000, 105_000, 210_000, 520_000, 2_050_000} < set(prices)
    assert not {30_100, 40_500, 101_000, 2_020_000} & set(prices)


@pytest.mark.parametrize(
    "bands",
    [(), ((10_000, 100),), ((20_000, 300),), ((20_000, 100), (15_000, 100)), ((10_000_000, 1),)],
)
def test_ladders_that_cannot_be(bands: tuple[tuple[int, int], ...]) -> None:
    assert bands_problem(custom(*bands))


# --- cross-matching


def test_virtual_prices_of_two_selections() -> None:
    ladder = LADDERS["CLASSIC"]
    assert virtual_price_e4(False, [20_000], ladder) == 20_000
    # Backs that wait at 2.16 lay the other at 1 / (1 - 1 / 2.16) = 1.862..: 1.86, not 1.87.
    assert virtual_price_e4(False, [21_600], ladder) == 18_600
    assert virtual_price_e4(True, [21_600], ladder) == 18_700
    assert virtual_price_e4(False, [40_000, 40_000], ladder) == 20_000
    assert virtual_price_e4(False, [40_000, 0], ladder) == 0
    assert virtual_price_e4(False, [15_000, 20_000], ladder) == 10_000_000
    assert virtual_price_e4(True, [15_000, 20_000], ladder) == 0


def test_an_empty_book_shows_nothing() -> None:
    book = ExchangeBook(Market("1.1", (Selection(1), Selection(2)), "exchange"))
    assert book.shown() == {1: (0, 0), 2: (0, 0)}


def test_flumine_place_lay_of_2_at_1_87() -> None:
    """An outright place costs the layer 1.74; one shared by two, a backer gets half."""
    staked = staked_minor(True, 200, 18_700 * 200)
    assert lay_payout_minor(staked, 200, 18_700 * 200, 1, 1) - staked == -174
    assert lay_payout_minor(staked, 200, 18_700 * 200, 1, 2) - staked == 200 - 187
