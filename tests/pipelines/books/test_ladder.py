"""The ladders against Betfair's definition and the numbers of published clients."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.books.ladder import CLASSIC, LADDERS, prices_of

# Betfair's table in decimal odds: from, to, step.
BANDS = [
    ("1.01", "2", "0.01"),
    ("2", "3", "0.02"),
    ("3", "4", "0.05"),
    ("4", "6", "0.1"),
    ("6", "10", "0.2"),
    ("10", "20", "0.5"),
    ("20", "30", "1"),
    ("30", "50", "2"),
    ("50", "100", "5"),
    ("100", "1000", "10"),
]


def slow_classic() -> list[int]:
    prices = {Fraction("1.01")}
    for first, last, step in BANDS:
        price = Fraction(first)
        while price < Fraction(last):
            price += Fraction(step)
            prices.add(price)
    return sorted(int(price * 10_000) for price in prices)


def test_classic_has_betfairs_350_prices() -> None:
    assert len(CLASSIC) == 350
    assert list(CLASSIC) == slow_classic()


def test_finest_is_every_hundredth() -> None:
    finest = LADDERS["FINEST"].prices
    assert finest[0] == 10_100
    assert finest[-1] == 10_000_000
    assert {b - a for a, b in pairwise(finest)} == {100}


@pytest.mark.parametrize("price", [41_500, 67_000, 225_000, 570_000, 9_950_000, 10_000, 10_010_000])
def test_prices_between_the_steps_are_not_on_the_ladder(price: int) -> None:
    assert price not in LADDERS["CLASSIC"].valid


@pytest.mark.parametrize(
    ("price", "ticks", "expected"),
    [
        (15_000, 5, 15_500),
        (20_000, 5, 21_000),
        (100_000, 5, 125_000),
        (21_000, -5, 20_000),
        (10_100, -3, 10_100),
        (10_000_000, 1, 10_000_000),
        (30_000, 0, 30_000),
    ],
)
def test_ticks_cross_the_bands(price: int, ticks: int, expected: int) -> None:
    assert LADDERS["CLASSIC"].ticks_away(price, ticks) == expected


@pytest.mark.parametrize("name", sorted(LADDERS))
@given(odds_e4=st.integers(0, 12_000_000))
def test_at_or_below_is_the_highest_not_above(name: str, odds_e4: int) -> None:
    ladder = LADDERS[name]
    expected = max((p for p in slow_classic() if p <= odds_e4), default=0)
    if name == "FINEST":
        expected = min(odds_e4 - odds_e4 % 100, 10_000_000) if odds_e4 >= 10_100 else 0
    if name == "ANY":
        expected = min(odds_e4, 10_000_000) if odds_e4 >= 10_100 else 0
    assert ladder.at_or_below(odds_e4) == expected


@given(index=st.integers(0, 349), ticks=st.integers(-400, 400))
def test_ticks_up_and_back_down_are_where_they_began(index: int, ticks: int) -> None:
    ladder = LADDERS["CLASSIC"]
    moved = ladder.ticks_away(CLASSIC[index], ticks)
    assert moved == CLASSIC[min(max(index + ticks, 0), 349)]


def test_bands_of_another_house_make_its_ladder() -> None:
    # BETDAQ's steps end elsewhere than Betfair's.
    steps = ((30_000, 100), (40_000, 500), (100_000, 1_000), (200_000, 5_000))
    prices = prices_of((*steps, (500_000, 10_000), (2_000_000, 20_000), (10_000_000, 50_000)))
    assert list(prices) == sorted(set(prices))
    assert prices[0] == 10_100
    assert prices[-1] == 10_000_000
    assert 30_500 in prices
    assert 30_100 not in prices
    assert 60_000 in prices
    assert 61_000 in prices
    assert 62_500 not in prices
    assert prices_of(((10_300, 100),)) == (10_100, 10_200, 10_300)
