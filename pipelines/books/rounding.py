"""Rounding rules, named and in one place; all on integers."""

from pipelines.limits import ODDS_ONE

__all__ = ["dead_heat_payout_minor", "floor_to", "payout_minor"]


def payout_minor(stake_minor: int, odds_e4: int) -> int:
    """Return stake times odds, rounded down to the minor unit (to the house's side)."""
    return stake_minor * odds_e4 // ODDS_ONE


def dead_heat_payout_minor(stake_minor: int, odds_e4: int, places: int, tied: int) -> int:
    """Return the payout of a stake of which `places` of `tied` parts won, rounded down once.

    Source: dead-heat rule by division of stake (betting.md 1.3).
    """
    return stake_minor * odds_e4 * places // (tied * ODDS_ONE)


def floor_to(amount: int, unit: int) -> int:
    """Return `amount` rounded down to a multiple of `unit` (breakage, betting.md 1.1)."""
    return amount - amount % unit
