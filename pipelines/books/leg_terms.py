"""What one leg of a multiple returns once its market has a result: factors to win, and for a place.

Factors (a, b, d) return (a * odds + b) / d a unit staked (betting.md 1.2).
"""

from typing import Final

from pipelines.books.fixed import FixedBook
from pipelines.messages.rules import FixedRules

__all__ = ["VOID", "leg_terms"]

Factors = tuple[int, int, int]
Finish = tuple[tuple[int, ...], ...]

VOID: Final[Factors] = (0, 1, 1)
_LOST: Final[Factors] = (0, 0, 1)


def leg_terms(
    book: FixedBook,
    selection_id: int,
    winners: tuple[int, ...],
    factors: tuple[tuple[int, int, int, int], ...],
    finish: Finish,
) -> tuple[Factors, Factors]:
    """Return a selection's factors to win, and for a place; a market without terms pays none."""
    rules: FixedRules = book.rules
    if not rules.each_way_divisor:
        return book.terms(winners, factors)[selection_id], _LOST
    before = 0
    for group in finish:
        tied = len(group)
        if selection_id in group:
            won = max(min(1 - before, tied), 0)
            placed = max(min(rules.each_way_places - before, tied), 0)
            divisor = rules.each_way_divisor
            return (won, 0, tied), (placed, placed * (divisor - 1), divisor * tied)
        before += tied
    return _LOST, _LOST
