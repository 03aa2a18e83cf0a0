"""Starting price: the one price at which what backers stake equals what layers can take.

Backers want D(p): stakes at any price, and those whose limit is p or less. Layers offer S(p): their
liabilities over p - 1, and resting lays at p or more. D never falls and S never rises, so they meet
at one price (betting.md 1.3). Near counts the unmatched orders of the exchange, far does not.
"""

from fractions import Fraction
from typing import NamedTuple

from pipelines.limits import ODDS_MAX_E4, ODDS_MIN_E4, ODDS_ONE

__all__ = ["SpInterest", "starting_price_e4"]


class SpInterest(NamedTuple):
    """Who would trade at the starting price; limits and sizes by pairs (odds_e4, amount).

    `lay_limits` holds liabilities, `lay_orders` sizes; `back_*` hold stakes.
    """

    back_minor: int
    lay_liability_minor: int
    back_limits: tuple[tuple[int, int], ...] = ()
    lay_limits: tuple[tuple[int, int], ...] = ()
    lay_orders: tuple[tuple[int, int], ...] = ()


def starting_price_e4(interest: SpInterest) -> int:
    """Return the price, rounded down to 0.0001; 0 where nobody would be matched.

    Rounded down, so that what layers can take covers all that backers stake.
    """
    points = {limit for limit, _ in interest.back_limits}
    points |= {limit for limit, _ in interest.lay_limits}
    points |= {limit for limit, _ in interest.lay_orders}
    ordered = sorted({ODDS_MIN_E4, ODDS_MAX_E4} | points)
    if not _layers(interest, ODDS_MIN_E4) or not _backers(interest, ODDS_MAX_E4):
        return 0
    if _backers(interest, ODDS_MIN_E4) >= _layers(interest, ODDS_MIN_E4):
        return ODDS_MIN_E4
    for low, high in zip([0, *ordered], [*ordered, 0], strict=True):
        # Strictly between two points nobody comes or goes: solve d = liability / (p - 1) + size.
        if low and high and low < high:
            found = _between(interest, low, high)
            if found:
                return found
        if high and _meets_at(interest, high):
            return high
    wanted = _backers(interest, ODDS_MAX_E4)
    return ODDS_MAX_E4 if 0 < wanted < _layers(interest, ODDS_MAX_E4) else 0


def _backers(interest: SpInterest, at_e4: int) -> int:
    return interest.back_minor + sum(s for limit, s in interest.back_limits if limit <= at_e4)


def _layers(interest: SpInterest, at_e4: int) -> Fraction:
    """Return the stakes that layers take at a price."""
    liability = interest.lay_liability_minor
    liability += sum(amount for limit, amount in interest.lay_limits if limit >= at_e4)
    size = sum(size for price, size in interest.lay_orders if price >= at_e4)
    return Fraction(liability * ODDS_ONE, at_e4 - ODDS_ONE) + size


def _between(interest: SpInterest, low: int, high: int) -> int:
    wanted = interest.back_minor + sum(s for limit, s in interest.back_limits if limit <= low)
    liability = interest.lay_liability_minor
    liability += sum(amount for limit, amount in interest.lay_limits if limit >= high)
    size = sum(size for price, size in interest.lay_orders if price >= high)
    if wanted <= size or not liability:
        return 0
    exact = ODDS_ONE + Fraction(liability * ODDS_ONE, wanted - size)
    if not low < exact < high:
        return 0
    return exact.numerator // exact.denominator


def _meets_at(interest: SpInterest, at_e4: int) -> bool:
    """Whether the sides cross at a point: those that come or go there take what is left."""
    wanted = _backers(interest, at_e4)
    wanted_below = wanted - sum(s for limit, s in interest.back_limits if limit == at_e4)
    offered = _layers(interest, at_e4)
    leaving = sum(amount for limit, amount in interest.lay_limits if limit == at_e4)
    offered_above = offered - Fraction(leaving * ODDS_ONE, at_e4 - ODDS_ONE)
    offered_above -= sum(size for price, size in interest.lay_orders if price == at_e4)
    return wanted_below <= offered and wanted >= offered_above and wanted > 0 and offered > 0
