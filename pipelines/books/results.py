"""What a result means for a market's book: who won, and what each selection pays, by the rules.

Operators say who won, or the order of finish, or the score; each engine's rules make of it
winners, dividends, or settlement factors.
"""

from collections.abc import Container

from pipelines.books.book import Book, Outcome
from pipelines.books.exotic import LENGTHS, runners_of, winning_combinations
from pipelines.books.fixed_terms import each_way_factors, place_factors
from pipelines.books.handicap import LOST, handicap_factors, total_factors
from pipelines.books.pool import PoolBook
from pipelines.messages.operations import Market, Result
from pipelines.messages.rules import PoolRules

__all__ = ["outcome_of", "winners_of"]


def winners_of(market: Market, active: Container[int], result: Result) -> tuple[int, ...] | None:
    """Return the selections that won, None where the result is none for this market."""
    pool, fixed = market.pool, market.fixed
    finish = result.finish
    if market.engine == "exchange" and result.score:
        return None
    if pool is not None and pool.combination and finish:
        return _combinations(pool, active, finish)
    if fixed is not None and fixed.line_type:
        if len(result.score) != 2 or result.winners or finish:
            return None
        factors = _line_factors(market, result)
        return tuple(s for s, (won, _, _) in factors.items() if won)
    if not finish:
        needs_finish = fixed is not None and fixed.each_way_divisor
        return None if needs_finish else _known(result.winners, active)
    everyone = tuple(s for group in finish for s in group)
    if market.engine == "pool":  # coupled runners are one selection, which may take several places
        everyone = tuple(dict.fromkeys(everyone))
    if result.winners or _known(everyone, active) is None:
        return None
    winners: list[int] = []
    for group in finish:
        if len(winners) >= market.number_of_winners:
            break
        winners += group
    return tuple(dict.fromkeys(winners)) or None


def _combinations(
    pool: PoolRules, active: Container[int], finish: tuple[tuple[int, ...], ...]
) -> tuple[int, ...] | None:
    """Return the orders that won, () where nobody could bet on them; None for no result."""
    found = winning_combinations(pool, finish)
    if found:
        return _known(found, active)
    length = LENGTHS[pool.combination]
    everyone = [runner for group in finish for runner in group]
    whole = len(everyone) >= length and len(set(everyone)) == len(everyone)
    return () if whole and runners_of(pool).issuperset(everyone[:length]) else None


def _known(winners: tuple[int, ...], active: Container[int]) -> tuple[int, ...] | None:
    """Return the winners if they can be: at least one, none twice, all taking part."""
    good = winners and len(set(winners)) == len(winners) and all(w in active for w in winners)
    return winners if good else None


def _line_factors(market: Market, result: Result) -> dict[int, tuple[int, int, int]]:
    assert market.fixed is not None
    of = handicap_factors if market.fixed.line_type == "HANDICAP" else total_factors
    home, away = result.score
    first, second = of(home, away, market.fixed.line)
    ids = [s.selection_id for s in market.selections]
    return {ids[0]: first, ids[1]: second}


def outcome_of(market: Market, book: Book, winners: tuple[int, ...], result: Result) -> Outcome:
    """Return what the result means for the market's bets."""
    fixed = market.fixed
    factors: dict[int, tuple[int, int, int]] = {}
    if fixed is not None and fixed.line_type:
        factors = _line_factors(market, result)
    elif fixed is not None and fixed.each_way_divisor:
        factors = each_way_factors(result.finish, fixed.each_way_places, fixed.each_way_divisor)
    elif market.engine == "fixed" and result.finish:
        factors = place_factors(result.finish, market.number_of_winners)
    if factors:
        for selection in market.selections:
            factors.setdefault(selection.selection_id, LOST)
        listed = tuple((s, *factors[s]) for s in sorted(factors))
        return Outcome(refund=False, dividends=(), reason="", factors=listed)
    if isinstance(book, PoolBook) and result.finish:
        if book.combination:
            return book.combined(winners, result.finish)
        return book.shared(result.finish)
    return book.outcome(winners)
