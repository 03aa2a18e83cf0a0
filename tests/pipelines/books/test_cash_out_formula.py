"""What a bet is bought back for: the fair value at today's odds, less the margin."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from pipelines.books.cash_out import cash_out_minor

odds = st.integers(10_100, 10_000_000)
parts = st.integers(0, 10_000)


def test_odds_that_halved_double_the_stake() -> None:
    assert cash_out_minor(1_000, 40_000, 20_000, 0, 0) == 2_000


def test_odds_that_doubled_halve_the_stake() -> None:
    assert cash_out_minor(1_000, 20_000, 40_000, 0, 0) == 500


def test_the_margin_is_the_houses() -> None:
    assert cash_out_minor(1_000, 40_000, 20_000, 500, 0) == 1_900


def test_rule_4_counts_before_the_buy_back() -> None:
    # 10 at 9.0 less 25p in the pound returns 70, at odds of 3.5 it is worth 20.
    assert cash_out_minor(1_000, 90_000, 35_000, 0, 2_500) == 2_000


def test_nothing_without_odds() -> None:
    assert cash_out_minor(1_000, 40_000, 0, 0, 0) == 0


@given(st.integers(1, 10**12), odds, odds, parts, parts)
def test_as_in_fractions_and_never_above_what_the_bet_may_pay(
    stake: int, taken: int, now: int, margin: int, deduction: int
) -> None:
    returns = stake * (1 + (Fraction(taken, 10_000) - 1) * (1 - Fraction(deduction, 10_000)))
    exact = returns * (1 - Fraction(margin, 10_000)) / Fraction(now, 10_000)
    paid = cash_out_minor(stake, taken, now, margin, deduction)
    assert paid <= exact < paid + 1
    assert paid <= returns
