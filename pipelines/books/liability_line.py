"""A bookmaker's line: opening odds from probabilities and a margin, and moves with liabilities.

The line is that of a market maker with what is owed as its shares (betting.md 1.2): a selection's
part of the book grows as exp(owed / b). Bounded, the same whatever the order of the bets, and one
parameter. Odds are rounded down to the ladder, to the house's side.
"""

from math import exp, floor

from pipelines.books.ladder import Ladder
from pipelines.books.margin import inverse_with_margin
from pipelines.limits import ODDS_ONE
from pipelines.messages.rules import FixedRules

__all__ = ["moved_odds", "opening_odds"]


def _on_ladder(ladder: Ladder, inverse: float) -> int:
    """Return the odds on the ladder at or below 1/inverse; a float's error loses no tick."""
    return ladder.at_or_below(floor(ODDS_ONE / inverse + 1e-4)) if inverse > 0 else 0


def opening_odds(rules: FixedRules, ladder: Ladder) -> dict[int, int]:
    """Return the odds that the margin model makes of the probabilities, 0 below the ladder."""
    total = sum(millionths for _, millionths in rules.probabilities)
    p = [millionths / total for _, millionths in rules.probabilities]
    inverse = inverse_with_margin(p, 1 + rules.margin_e4 / ODDS_ONE, rules.margin_model)
    ids = [selection_id for selection_id, _ in rules.probabilities]
    return {s: _on_ladder(ladder, one) for s, one in zip(ids, inverse, strict=True)}


def moved_odds(
    base: dict[int, int], owed: dict[int, int], rules: FixedRules, ladder: Ladder
) -> dict[int, int]:
    """Return the odds that what is owed makes of the odds that were set; the book stays the same.

    None moves further than `line_move_max_e4` of the odds that were set.
    """
    priced = [s for s, odds in base.items() if odds]
    if not priced:
        return dict(base)
    inverse = {s: ODDS_ONE / base[s] for s in priced}
    top = max(owed[s] for s in priced)
    weights = {s: inverse[s] * exp((owed[s] - top) / rules.line_liquidity_minor) for s in priced}
    scale = sum(inverse.values()) / sum(weights.values())
    found = dict(base)
    move = rules.line_move_max_e4
    for s in priced:
        lowest = -(-base[s] * (ODDS_ONE - move) // ODDS_ONE)
        highest = base[s] * (ODDS_ONE + move) // ODDS_ONE
        weight = weights[s] * scale
        moved = floor(ODDS_ONE / weight + 1e-4) if weight * highest > ODDS_ONE else highest
        # Where the ladder has no price within the bound, the odds that were set stay.
        moved = ladder.at_or_below(min(max(moved, lowest), highest))
        found[s] = moved if moved >= lowest else base[s]
    return found
