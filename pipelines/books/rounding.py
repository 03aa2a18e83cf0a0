"""Rounding rules, named and in one place; all on integers."""

from pipelines.limits import ODDS_ONE

__all__ = ["dead_heat_payout_minor", "factor_payout_minor", "floor_to", "payout_minor"]


def payout_minor(stake_minor: int, odds_e4: int) -> int:
    """Return stake times odds, rounded down to the minor unit (to the house's side)."""
    return stake_minor * odds_e4 // ODDS_ONE


def dead_heat_payout_minor(stake_minor: int, odds_e4: int, places: int, tied: int) -> int:
    """Return the payout of a stake of which `places` of `tied` parts won, rounded down once.

    Source: dead-heat rule by division of stake (betting.md 1.3).
    """
    return stake_minor * odds_e4 * places // (tied * ODDS_ONE)


def factor_payout_minor(
    stake_minor: int, odds_e4: int, factors: tuple[int, int, int], deduction_e4: int = 0
) -> int:
    """Return stake * (a * odds + b) / d, rounded down once, with a deduction from winnings.

    Source: UOF's settlement factors; Rule 4 takes so much of the odds above 1 (betting.md 1.2).
    """
    a, b, d = factors
    odds_e8 = ODDS_ONE * ODDS_ONE + (odds_e4 - ODDS_ONE) * (ODDS_ONE - deduction_e4)
    return stake_minor * (a * odds_e8 + b * ODDS_ONE * ODDS_ONE) // (d * ODDS_ONE * ODDS_ONE)


def floor_to(amount: int, unit: int) -> int:
    """Return `amount` rounded down to a multiple of `unit` (breakage, betting.md 1.1)."""
    return amount - amount % unit
