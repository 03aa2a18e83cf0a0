"""Handicaps, totals and each-way bets as the rules tell them, bet by bet."""

from fractions import Fraction
from math import floor


def line_payout(
    stake: int, odds: Fraction, score: int, line: Fraction, handicap: bool, first: bool
) -> int:
    """`score`: the lead of home, or the goals in all; a quarter line is two half bets."""
    if (line * 2).denominator == 1:
        lines = [line, line]
    else:
        lines = [line - Fraction(1, 4), line + Fraction(1, 4)]
    paid = Fraction(0)
    for one in lines:
        ahead = score + one if handicap else score - one
        if not first:
            ahead = -ahead
        half = Fraction(stake, 2)
        if ahead > 0:
            paid += half * odds
        elif ahead == 0:
            paid += half
    return floor(paid)


def each_way_payout(
    stake: int, odds: Fraction, runner: int, finish: list[tuple[int, ...]], places: int, d: int
) -> int:
    """Averages over all ways in which the dead heats could have been told apart."""
    before = 0
    for group in finish:
        if runner in group:
            paid = Fraction(0)
            for position in range(before + 1, before + len(group) + 1):
                if position == 1:
                    paid += Fraction(stake, 2) * odds
                if position <= places:
                    paid += Fraction(stake, 2) * (1 + (odds - 1) / d)
            return floor(paid / len(group))
        before += len(group)
    return 0
