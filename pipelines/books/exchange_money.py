"""What exchange bets cost and pay: liabilities, dead heats, reductions, commission, worst cases.

All on integers. A bet's matched parts are summed exactly (size times odds, in ten-thousandths of
the minor unit) and rounded once for the bet: stakes and liabilities up, payouts down.
"""

from collections.abc import Iterable, Sequence

from pipelines.limits import ODDS_MIN_E4, ODDS_ONE

__all__ = [
    "average_odds_e4",
    "back_payout_minor",
    "commission_minor",
    "lay_payout_minor",
    "liability_minor",
    "market_worst_case",
    "reduced_liability_minor",
    "reduced_odds_e4",
    "staked_minor",
]

#: Below this a withdrawal changes no price of a win market (betting.md 1.3).
REDUCTION_MIN_E4 = 250


def staked_minor(lay: bool, size_minor: int, value_e4: int) -> int:
    """Return what a bettor has in the market for matched parts: the stake, or the liability."""
    if not lay:
        return size_minor
    return -((size_minor * ODDS_ONE - value_e4) // ODDS_ONE)


def liability_minor(size_minor: int, odds_e4: int) -> int:
    """Return what a lay of `size_minor` at these odds may lose, rounded up."""
    return -(-size_minor * (odds_e4 - ODDS_ONE) // ODDS_ONE)


def average_odds_e4(size_minor: int, value_e4: int) -> int:
    """Return the average price of matched parts, rounded half up; 0 for none."""
    return (2 * value_e4 + size_minor) // (2 * size_minor) if size_minor else 0


def back_payout_minor(value_e4: int, places: int, tied: int) -> int:
    """Return what backs are paid whose selection has `places` of `tied` parts of a win."""
    return value_e4 * places // (tied * ODDS_ONE)


def lay_payout_minor(staked: int, size_minor: int, value_e4: int, places: int, tied: int) -> int:
    """Return what lays are paid: liability and stakes, less what their backers win."""
    if not places:
        return staked + size_minor
    backers = -(-value_e4 * places // (tied * ODDS_ONE))
    return max(staked + size_minor - backers, 0)


def reduced_odds_e4(odds_e4: int, factor_e4: int, place: bool) -> int:
    """Return matched odds after a withdrawal with this reduction factor, rounded to 0.01.

    Source: Betfair's rule for non-runners (betting.md 1.3): a win market's odds are cut by the
    factor if it is at least 2.5 %, a place market's winnings by any factor; never below 1.01.
    """
    if place:
        exact = ODDS_ONE * ODDS_ONE + (odds_e4 - ODDS_ONE) * (ODDS_ONE - factor_e4)
    elif factor_e4 < REDUCTION_MIN_E4:
        return odds_e4
    else:
        exact = odds_e4 * (ODDS_ONE - factor_e4)
    unit = 100 * ODDS_ONE
    return max((2 * exact + unit) // (2 * unit) * 100, ODDS_MIN_E4)


def reduced_liability_minor(liability: int, factor_e4: int, own_e4: int, place: bool) -> int:
    """Return the liability of an unmatched starting price lay after a withdrawal, rounded down.

    `own_e4` is the reduction factor of the selection that the lay is on.
    """
    if place:
        return liability * (ODDS_ONE - factor_e4) // ODDS_ONE
    if factor_e4 < REDUCTION_MIN_E4:
        return liability
    rest = ODDS_ONE - own_e4
    return max(liability * (rest - factor_e4) // rest, 0)


def commission_minor(net_minor: int, base_rate_e4: int, discount_e4: int) -> int:
    """Return the commission on a bettor's net winnings of a market, rounded half up."""
    if net_minor <= 0:
        return 0
    unit = ODDS_ONE * ODDS_ONE
    exact = net_minor * base_rate_e4 * (ODDS_ONE - discount_e4)
    return (2 * exact + unit) // (2 * unit)


def market_worst_case(positions: Iterable[Sequence[int]], places: int, selections: int) -> int:
    """Return the worst result of (if it wins, if it loses) pairs, in the pairs' unit.

    Source: flumine's market exposure (betting.md 1.5): the sum of all losses, and of the `places`
    smallest gaps; selections without a position count as gaps of 0.
    """
    pairs = [(one[0], one[1]) for one in positions]
    gaps = sorted([win - lose for win, lose in pairs] + [0] * (selections - len(pairs)))
    return sum(lose for _, lose in pairs) + sum(gaps[:places])
