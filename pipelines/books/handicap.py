"""What bets on handicaps and totals come to: won, half won, refunded, half lost, lost.

A line in quarters of a goal lies between two half lines and is half a bet on each; whole lines are
refunded on a draw against the line. Settlement factors (a, b, d) pay stake * (a * odds + b) / d, as
Sportradar's result and void factor do (betting.md 1.2).
"""

from typing import Final

__all__ = ["HALF_LOST", "HALF_WON", "LOST", "REFUNDED", "WON", "handicap_factors", "total_factors"]

Factors = tuple[int, int, int]

WON: Final[Factors] = (1, 0, 1)
HALF_WON: Final[Factors] = (1, 1, 2)
REFUNDED: Final[Factors] = (0, 1, 1)
HALF_LOST: Final[Factors] = (0, 1, 2)
LOST: Final[Factors] = (0, 0, 1)


def _against(lead_quarters: int) -> Factors:
    """Return what a lead over the line, in quarters of a goal, is worth."""
    if lead_quarters >= 2:
        return WON
    if lead_quarters <= -2:
        return LOST
    return {1: HALF_WON, 0: REFUNDED, -1: HALF_LOST}[lead_quarters]


def handicap_factors(home: int, away: int, line_quarters: int) -> tuple[Factors, Factors]:
    """Return the factors of home with the line added to its score, and of away."""
    lead = 4 * (home - away) + line_quarters
    return _against(lead), _against(-lead)


def total_factors(home: int, away: int, line_quarters: int) -> tuple[Factors, Factors]:
    """Return the factors of over and of under the line."""
    above = 4 * (home + away) - line_quarters
    return _against(above), _against(-above)
