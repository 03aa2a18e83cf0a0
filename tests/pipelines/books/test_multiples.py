"""Multiples: number of lines as bookmakers have it, and returns against a listing of every line."""

from fractions import Fraction
from itertools import combinations
from math import floor, prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.books.fixed import FixedBook
from pipelines.books.leg_terms import VOID, leg_terms
from pipelines.books.multiples import leg_returns, line_count, payout_minor, sizes_of
from pipelines.messages.operations import Market, Selection
from pipelines.messages.rules import FixedRules

LINES = {
    "DOUBLE": (2, 1),
    "TREBLE": (3, 1),
    "TRIXIE": (3, 4),
    "PATENT": (3, 7),
    "YANKEE": (4, 11),
    "LUCKY_15": (4, 15),
    "CANADIAN": (5, 26),
    "LUCKY_31": (5, 31),
    "HEINZ": (6, 57),
    "LUCKY_63": (6, 63),
    "SUPER_HEINZ": (7, 120),
    "GOLIATH": (8, 247),
}


@pytest.mark.parametrize(("bet_type", "legs", "lines"), [(k, *v) for k, v in LINES.items()])
def test_british_bookmakers_number_of_lines(bet_type: str, legs: int, lines: int) -> None:
    sizes = sizes_of(bet_type, legs, ())  # type: ignore[arg-type]
    assert line_count(legs, sizes) == lines
    assert sizes_of(bet_type, legs + 1, ()) == ()  # type: ignore[arg-type]
    assert sizes_of(bet_type, legs, (2,)) == ()  # type: ignore[arg-type]


def test_an_accumulator_has_one_line_of_all_legs() -> None:
    assert sizes_of("ACCUMULATOR", 7, ()) == (7,)


@pytest.mark.parametrize("sizes", [(), (3, 2), (2, 2), (1, 6)])
def test_a_system_needs_rising_sizes_that_its_legs_can_fill(sizes: tuple[int, ...]) -> None:
    assert sizes_of("SYSTEM", 5, sizes) == ()
    assert sizes_of("SYSTEM", 5, (2, 3)) == (2, 3)


def test_a_trixie_of_three_winners_at_evens_two_and_three() -> None:
    returns = [Fraction(2), Fraction(3), Fraction(4)]
    # Doubles 6 + 8 + 12, treble 24: 50 units of 10.
    assert payout_minor(10, (2, 3), [returns]) == 500


def test_a_void_leg_counts_one_and_a_lost_one_ends_its_lines() -> None:
    returns = [Fraction(2), Fraction(1), Fraction(0)]
    # Of a Patent: singles 2 + 1 + 0, doubles 2 + 0 + 0, treble 0.
    assert payout_minor(100, (1, 2, 3), [returns]) == 500


def test_a_dead_heat_in_one_leg_of_a_double() -> None:
    win, place = leg_returns(50_000, (1, 0, 2), (0, 0, 1))
    assert (win, place) == ((5, 2), (0, 1))
    assert payout_minor(100, (2,), [[Fraction(*win), Fraction(3)]]) == 750


def test_rule_4_reduces_a_leg_struck_before_the_withdrawal() -> None:
    # 10 at 8/1 less 25p in the pound returns 70 (mathematician-betting.co.uk).
    win, _ = leg_returns(90_000, (1, 0, 1), (0, 0, 1), 2_500)
    assert 10 * Fraction(*win) == 70


returns_of_legs = st.lists(
    st.fractions(min_value=0, max_value=50, max_denominator=12), min_size=2, max_size=8
)


@given(
    wins=returns_of_legs,
    places=returns_of_legs,
    unit=st.integers(1, 10_000),
    sizes=st.sets(st.integers(1, 8), min_size=1),
)
def test_all_lines_together_pay_what_listing_them_says(
    wins: list[Fraction], places: list[Fraction], unit: int, sizes: set[int]
) -> None:
    legs = min(len(wins), len(places))
    fitting = tuple(sorted(size for size in sizes if size <= legs)) or (legs,)
    parts = [wins[:legs], places[:legs]]
    listed = sum(
        (
            unit * Fraction(prod(line))
            for part in parts
            for size in fitting
            for line in combinations(part, size)
        ),
        Fraction(0),
    )
    assert payout_minor(unit, fitting, parts) == floor(listed)


def each_way_book() -> FixedBook:
    rules = FixedRules(each_way_divisor=5, each_way_places=3)
    selections = tuple(Selection(n, odds_e4=110_000) for n in range(1, 9))
    return FixedBook(Market("m", selections, fixed=rules))


def test_each_way_terms_of_the_winner_the_placed_and_the_others() -> None:
    book, finish = each_way_book(), ((1,), (2,), (3,), (4,))
    first = leg_returns(110_000, *leg_terms(book, 1, (1,), (), finish))
    assert first == ((11, 1), (3, 1))  # 10/1 to win, 2/1 for a place
    second = leg_returns(110_000, *leg_terms(book, 2, (1,), (), finish))
    assert second == ((0, 1), (3, 1))
    assert leg_returns(110_000, *leg_terms(book, 4, (1,), (), finish)) == ((0, 1), (0, 1))


def test_a_dead_heat_for_the_last_place_shares_it() -> None:
    book, finish = each_way_book(), ((1,), (2,), (3, 4))
    assert leg_returns(110_000, *leg_terms(book, 3, (1,), (), finish)) == ((0, 1), (3, 2))


def test_a_void_leg_returns_its_stake_both_ways() -> None:
    assert leg_returns(110_000, VOID, VOID) == ((1, 1), (1, 1))
