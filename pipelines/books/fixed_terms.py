"""Terms of fixed bets at settlement: each-way, and Rule 4 deductions after a withdrawal.

Factors (a, b, d) of a selection pay stake * (a * odds + b) / d (betting.md 1.2).
"""

from typing import Final

from pipelines.limits import ODDS_ONE

__all__ = ["RULE_4_MAX_E4", "each_way_factors", "each_way_places", "place_factors", "rule_4_e4"]

#: Tattersalls Rule 4(c): up to this price of the withdrawn runner (fractional), so many pence.
_BRACKETS: Final = (
    ((1, 9), 90), ((2, 11), 85), ((1, 4), 80), ((3, 10), 75), ((2, 5), 70), ((8, 15), 65),
    ((8, 13), 60), ((4, 5), 55), ((20, 21), 50), ((6, 5), 45), ((6, 4), 40), ((7, 4), 35),
    ((9, 4), 30), ((3, 1), 25), ((4, 1), 20), ((11, 2), 15), ((9, 1), 10), ((14, 1), 5),
)  # fmt: skip

RULE_4_MAX_E4: Final = 9_000  # of several withdrawals together


def rule_4_e4(withdrawn_odds_e4: int) -> int:
    """Return the deduction from winnings for a runner withdrawn at these odds, 0 without odds.

    A price between two brackets, where there is no fraction, counts as the longer one; a fraction
    may be written to the cent (8/13 as 1.62).
    """
    if not withdrawn_odds_e4:
        return 0
    price = withdrawn_odds_e4 - ODDS_ONE
    for (numerator, denominator), pence in _BRACKETS:
        exact = -(-numerator * ODDS_ONE // denominator)
        if price <= max(exact, (exact + 50) // 100 * 100):
            return pence * 100
    return 0


def each_way_factors(
    finish: tuple[tuple[int, ...], ...], places: int, divisor: int
) -> dict[int, tuple[int, int, int]]:
    """Return the factors of each placed selection: half the stake to win, half for a place.

    `finish` are groups of tied selections in the order of finish. Tied ones share the places they
    take up: so much of their stake has won, the rest has lost.
    """
    found: dict[int, tuple[int, int, int]] = {}
    before = 0
    for group in finish:
        tied = len(group)
        win, placed = (max(min(paid - before, tied), 0) for paid in (1, places))
        if placed:
            factors = (divisor * win + placed, placed * (divisor - 1), 2 * divisor * tied)
            found.update(dict.fromkeys(group, factors))
        before += tied
    return found


def place_factors(
    finish: tuple[tuple[int, ...], ...], places: int
) -> dict[int, tuple[int, int, int]]:
    """Return the factors of each placed selection: outright winners first, the tied share the rest.

    Empty where no place is shared.
    """
    found: dict[int, tuple[int, int, int]] = {}
    before, shared = 0, False
    for group in finish:
        paid = min(places - before, len(group))
        if paid <= 0:
            break
        shared = shared or paid < len(group)
        found.update(dict.fromkeys(group, (paid, 0, len(group))))
        before += len(group)
    return found if shared else {}


def each_way_places(runners: int, handicap: bool = False) -> tuple[int, int]:
    """Return the usual terms: places paid and the divisor of the odds, by the number of runners."""
    if runners < 5:
        return 1, 1
    if runners < 8:
        return 2, 4
    if handicap and runners >= 16:
        return 4, 4
    if handicap and runners >= 12:
        return 3, 4
    return 3, 5
