"""Multiples: which lines a bet type has, and what they return together, exactly.

A line of k selections returns its stake times the product of theirs. The sum over all lines of k
is the k-th elementary symmetric polynomial of the returns, so a Goliath's 247 lines, or the lines
of a long system, are never listed (Vieta; O(n^2) for n legs).
"""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import comb
from typing import Final

from pipelines.limits import ODDS_ONE
from pipelines.messages.coupon_requests import BetType

__all__ = ["leg_returns", "line_count", "payout_max_minor", "payout_minor", "sizes_of"]

#: Number of legs and sizes of the lines; the names are those of British bookmakers.
_BET_TYPES: Final[dict[str, tuple[int, range]]] = {
    "DOUBLE": (2, range(2, 3)),
    "TREBLE": (3, range(3, 4)),
    "TRIXIE": (3, range(2, 4)),
    "PATENT": (3, range(1, 4)),
    "YANKEE": (4, range(2, 5)),
    "LUCKY_15": (4, range(1, 5)),
    "CANADIAN": (5, range(2, 6)),
    "LUCKY_31": (5, range(1, 6)),
    "HEINZ": (6, range(2, 7)),
    "LUCKY_63": (6, range(1, 7)),
    "SUPER_HEINZ": (7, range(2, 8)),
    "GOLIATH": (8, range(2, 9)),
}


def sizes_of(bet_type: BetType, legs: int, sizes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the sizes of the lines, () where the bet type does not go with so many legs.

    `sizes` are asked for with SYSTEM alone, rising.
    """
    if bet_type == "SYSTEM":
        rising = all(a < b for a, b in pairwise(sizes))
        return sizes if sizes and rising and sizes[-1] <= legs else ()
    if sizes:
        return ()
    if bet_type == "ACCUMULATOR":
        return (legs,)
    wanted, found = _BET_TYPES[bet_type]
    return tuple(found) if legs == wanted else ()


def line_count(legs: int, sizes: Sequence[int]) -> int:
    """Return how many lines there are: the stake is so many units, twice that each-way."""
    return sum(comb(legs, size) for size in sizes)


def payout_minor(
    unit_stake_minor: int, sizes: Sequence[int], parts: Sequence[list[Fraction]]
) -> int:
    """Return what all lines pay together, rounded down once.

    `parts` are the legs' returns a unit staked: to win, and for a place where it is each-way.
    """
    total = Fraction(0)
    for returns in parts:
        sums = _symmetric(returns, max(sizes))
        total += sum((sums[size] for size in sizes), Fraction(0))
    return int(unit_stake_minor * total)


def payout_max_minor(
    unit_stake_minor: int, sizes: Sequence[int], odds_e4: Sequence[int], each_way: bool
) -> int:
    """Return what all lines pay at most: every leg won; a place never pays more than a win."""
    returns = [Fraction(one, ODDS_ONE) for one in odds_e4]
    return payout_minor(unit_stake_minor, sizes, [returns] * (2 if each_way else 1))


def _symmetric(values: Sequence[Fraction], size_max: int) -> list[Fraction]:
    """Return the elementary symmetric polynomials of the values, of degree 0 to `size_max`."""
    sums = [Fraction(1)] + [Fraction(0)] * size_max
    for value in values:
        for size in range(size_max, 0, -1):
            sums[size] += sums[size - 1] * value
    return sums


def leg_returns(
    odds_e4: int, win: tuple[int, int, int], place: tuple[int, int, int], deduction_e4: int = 0
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return a leg's returns to win and for a place, as (numerator, denominator) in lowest terms.

    Factors (a, b, d) return (a * odds + b) / d; Rule 4 takes its deduction off the odds above 1
    (betting.md 1.2).
    """
    odds = Fraction(
        ODDS_ONE * ODDS_ONE + (odds_e4 - ODDS_ONE) * (ODDS_ONE - deduction_e4), ODDS_ONE * ODDS_ONE
    )
    found = [(a * odds + b) / d for a, b, d in (win, place)]
    return found[0].as_integer_ratio(), found[1].as_integer_ratio()
