"""What a bet and a coupon return: lines, handicaps, each-way terms and multiples, at random."""

import random
from collections.abc import Iterable
from fractions import Fraction
from itertools import combinations
from math import floor, prod

from pipelines.books.fixed_terms import each_way_factors
from pipelines.books.handicap import LOST, handicap_factors, total_factors
from pipelines.books.multiples import payout_minor
from pipelines.books.rounding import factor_payout_minor
from tests.differential.exotic import finish_of
from tests.oracles import terms as oracle


def check_lines(number: int) -> set[str]:
    """Handicaps and totals, whole, half and quarter lines."""
    chance = random.Random(number)
    home, away, line = chance.randrange(9), chance.randrange(9), chance.randrange(-20, 21)
    stake, odds_e4 = chance.randrange(1, 10**6), chance.randrange(10_100, 200_000)
    is_handicap = chance.random() < 0.5
    factors = handicap_factors if is_handicap else total_factors
    line = line if is_handicap else abs(line)
    score = home - away if is_handicap else home + away
    for side, found in enumerate(factors(home, away, line)):
        right = oracle.line_payout(
            stake, Fraction(odds_e4, 10_000), score, Fraction(line, 4), is_handicap, side == 0
        )
        assert factor_payout_minor(stake, odds_e4, found) == right, f"number {number}"
    return {"handicap" if is_handicap else "total"}


def check_each_way(number: int) -> set[str]:
    """Each-way bets with dead heats of any number, for the win and for the places."""
    chance = random.Random(number)
    runners = chance.randrange(2, 9)
    finish = finish_of(chance, runners)
    places, divisor = chance.randrange(1, 5), chance.choice([1, 2, 3, 4, 5, 8])
    stake, odds_e4 = 2 * chance.randrange(1, 10**5), chance.randrange(10_100, 1_000_000)
    factors = each_way_factors(tuple(finish), places, divisor)
    for runner in range(1, runners + 1):
        right = oracle.each_way_payout(
            stake, Fraction(odds_e4, 10_000), runner, finish, places, divisor
        )
        found = factor_payout_minor(stake, odds_e4, factors.get(runner, LOST))
        assert found == right, f"number {number}, runner {runner}"
    return {"tied" if any(len(group) > 1 for group in finish) else "clear"}


def check_multiples(number: int) -> set[str]:
    """Coupons of any system against a listing of every line."""
    chance = random.Random(number)
    legs = chance.randrange(2, 9)
    sizes = tuple(sorted(chance.sample(range(1, legs + 1), chance.randrange(1, legs + 1))))
    parts = [_returns(chance, legs) for _ in range(chance.choice([1, 1, 2]))]
    unit = chance.randrange(1, 10_000)
    listed = sum(
        (unit * Fraction(prod(line)) for part in parts for line in _lines(part, sizes)),
        Fraction(0),
    )
    assert payout_minor(unit, sizes, parts) == floor(listed), f"number {number}"
    return {"each way" if len(parts) > 1 else "win"}


def _lines(part: list[Fraction], sizes: Iterable[int]) -> Iterable[tuple[Fraction, ...]]:
    for size in sizes:
        yield from combinations(part, size)


def _returns(chance: random.Random, legs: int) -> list[Fraction]:
    kinds = [Fraction(0), Fraction(1), Fraction(chance.randrange(101, 5_000), 100)]
    kinds.append(Fraction(chance.randrange(1, 90), chance.randrange(1, 12)))
    return [chance.choice(kinds) for _ in range(legs)]
