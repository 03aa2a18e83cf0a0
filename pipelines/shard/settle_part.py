"""Partial settlement: a selection that has won or lost before its market is decided.

Its bets are settled at once, in chunks as any; they belong to the settlement that is to come, so
that rolling the market's result back takes them back as well. Only a fixed book whose bets either
win or lose can do this: elsewhere what a bet returns depends on all of the result.
"""

from collections.abc import Iterator

from pipelines.books.fixed import FixedBook
from pipelines.books.results import outcome_of
from pipelines.codes import Code
from pipelines.messages import entries as e
from pipelines.messages import operations as o
from pipelines.shard.numbering import Numbers
from pipelines.shard.state import ACCEPTED, EARLY, LOST, VOID, WON, MarketState

__all__ = ["agrees", "decide_part_chunk", "why_no_part"]

WHOLE = (1, 0, 1)
NOTHING = (0, 0, 1)


def why_no_part(market: MarketState, operation: o.SelectionResulted) -> Code | None:
    """Return why a selection cannot be settled, or opened again, by itself; None if it can."""
    definition, wanted = market.definition, operation.result
    now = market.selections.get(operation.selection_id)
    rules = definition.fixed
    with_terms = rules is not None and (rules.line_type or rules.each_way_divisor)
    if definition.engine != "fixed" or with_terms:
        return Code.INVALID_RESULT
    if now is None:
        return Code.INVALID_RUNNER
    if now == "REMOVED":
        return Code.RUNNER_REMOVED
    if market.settled:
        return Code.ALREADY_SETTLED
    if now == wanted:
        return Code.UNCHANGED
    if now != "ACTIVE" and wanted != "ACTIVE":
        return Code.INVALID_RESULT  # it must be taken back first
    won = sum(status == "WINNER" for status in market.selections.values())
    if wanted == "WINNER" and won >= definition.number_of_winners:
        return Code.INVALID_RESULT
    return None


def decide_part_chunk(
    market: MarketState, numbers: Numbers, first: int, last: int
) -> Iterator[e.Entry]:
    """Yield what becomes of the bets on the selection in this chunk, and the end of the last."""
    settling = market.settling
    assert settling is not None
    selection_id = settling.selection_id
    if settling.kind == "settle_part":
        yield from _settle(market, numbers, selection_id, first, last)
    else:
        yield from _reopen(market, numbers, selection_id, first, last)
    if last == settling.end:
        sums = (settling.bets, settling.staked_minor, settling.paid_minor)
        yield e.SelectionResultEnded(*numbers.next(), selection_id, *sums)


def _settle(
    market: MarketState, numbers: Numbers, selection_id: int, first: int, last: int
) -> Iterator[e.Entry]:
    book = market.book
    assert isinstance(book, FixedBook)
    terms = WHOLE if market.selections[selection_id] == "WINNER" else NOTHING
    for number, bet in enumerate(market.bets[first:last], first):
        if bet.selection_id == selection_id and bet.status == ACCEPTED:
            outcome = book.settled(bet.stake_minor, bet.odds_e4, terms, number)
            yield e.BetSettled(
                *numbers.next(), bet.client_id, bet.bet_id, market.settlement + 1, *outcome, ""
            )


def _reopen(
    market: MarketState, numbers: Numbers, selection_id: int, first: int, last: int
) -> Iterator[e.Entry]:
    settlement = market.settlement + 1
    for bet in market.bets[first:last]:
        if (
            bet.selection_id == selection_id
            and bet.settlement == settlement
            and bet.status in (WON, LOST, VOID)
        ):
            yield e.BetUnsettled(
                *numbers.next(), bet.client_id, bet.bet_id, settlement, bet.payout_minor
            )


def agrees(market: MarketState, winners: tuple[int, ...], operation: o.Result) -> bool:
    """Whether a result gives those settled early what they have been given."""
    early = {s: status for s, status in market.selections.items() if status in EARLY}
    if not early:
        return True
    book = market.book
    assert isinstance(book, FixedBook)
    factors = outcome_of(market.definition, book, winners, operation).factors
    terms = book.terms(winners, factors)
    return all(terms[s] == (WHOLE if won == "WINNER" else NOTHING) for s, won in early.items())
