"""What a fixed bet is bought back for: its return, at the chance that today's odds give it."""

from pipelines.limits import ODDS_ONE

__all__ = ["cash_out_minor"]


def cash_out_minor(
    stake_minor: int, odds_e4: int, odds_now_e4: int, margin_e4: int, deduction_e4: int
) -> int:
    """Return stake * odds taken / odds now, less the house's margin, rounded down; minor units.

    `deduction_e4` is what Rule 4 takes from the winnings of the bet by now. 0 without odds.
    """
    if not odds_now_e4:
        return 0
    taken = ODDS_ONE * ODDS_ONE + (odds_e4 - ODDS_ONE) * (ODDS_ONE - deduction_e4)  # e8
    exact = stake_minor * taken * (ODDS_ONE - margin_e4)
    return exact // (ODDS_ONE * ODDS_ONE * odds_now_e4)
