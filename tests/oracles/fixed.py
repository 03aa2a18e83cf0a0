"""The bookmaker's book by the rules: acceptable odds, worst case by trying every result."""

from collections.abc import Iterable
from fractions import Fraction
from itertools import combinations
from math import floor

#: One bet: selection, stake in minor units, odds.
Taken = tuple[int, int, Fraction]


def acceptable(
    asked: Fraction, offered: Fraction, policy: str, tolerance: Fraction
) -> Fraction | None:
    """The odds at which the bettor's wish and the offer meet, None where they do not."""
    if offered == 0:
        return None
    if policy == "any":
        return offered
    if policy == "better":
        return offered if offered >= asked - tolerance else None
    assert policy == "exact"
    if asked - tolerance <= offered <= asked + tolerance:
        return min(asked, offered)
    return None


def payout(bet: Taken, winners: Iterable[int], places: int) -> int:
    """Stake times odds; in a dead heat only so many parts of the stake as places to share."""
    on, stake, odds = bet
    placed = list(winners)
    if on not in placed:
        return 0
    part = Fraction(1)
    if len(placed) > places:
        part = Fraction(places, len(placed))
    return floor(stake * part * odds)


def worst_case(selections: Iterable[int], bets: list[Taken], places: int) -> int:
    """The house's profit in the result that is worst for it, over all results there can be."""
    everyone = list(selections)
    staked = sum(stake for _, stake, _ in bets)
    profits = [
        staked - sum(payout(bet, winners, places) for bet in bets)
        for winners in combinations(everyone, min(places, len(everyone)))
    ]
    return min(profits)
