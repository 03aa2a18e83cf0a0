"""Rounding is always down, once, to the house's side, on whole numbers however large."""

from fractions import Fraction
from math import floor

from hypothesis import given
from hypothesis import strategies as st

from pipelines.books.rounding import dead_heat_payout_minor, floor_to, payout_minor
from pipelines.limits import ODDS_MAX_E4, STAKE_MAX_MINOR

stakes = st.integers(1, STAKE_MAX_MINOR)
odds = st.integers(0, ODDS_MAX_E4)


def test_published_payouts() -> None:
    assert payout_minor(1_000, 35_500) == 3_550
    assert payout_minor(1, 10_100) == 1
    assert payout_minor(99, 10_100) == 99
    # DraftKings: 50 at 2.5 in a dead heat of two returns 62.50.
    assert dead_heat_payout_minor(5_000, 25_000, 1, 2) == 6_250
    # BETDAQ: 60 at 6.0 in a dead heat of three for one place returns 120.
    assert dead_heat_payout_minor(6_000, 60_000, 1, 3) == 12_000


@given(stake=stakes, odds_e4=odds)
def test_payout_is_the_exact_product_rounded_down(stake: int, odds_e4: int) -> None:
    assert payout_minor(stake, odds_e4) == floor(Fraction(stake) * Fraction(odds_e4, 10_000))


@given(stake=stakes, odds_e4=odds, places=st.integers(1, 5), more=st.integers(1, 5))
def test_dead_heat_is_rounded_once(stake: int, odds_e4: int, places: int, more: int) -> None:
    tied = places + more
    exact = Fraction(stake) * Fraction(places, tied) * Fraction(odds_e4, 10_000)
    assert dead_heat_payout_minor(stake, odds_e4, places, tied) == floor(exact)


@given(amount=st.integers(0, 10**15), unit=st.integers(1, 10_000))
def test_floor_to_a_unit(amount: int, unit: int) -> None:
    floored = floor_to(amount, unit)
    assert floored % unit == 0
    assert 0 <= amount - floored < unit
