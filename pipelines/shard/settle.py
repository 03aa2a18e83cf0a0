"""Stage 8, settle: what a result, a withdrawal, a void or a rollback means for each bet.

Payouts follow the market's book (`pipelines/books`), rounded once by a named rule. What a market
took in and paid out is posted to the house's accounts at its end, so that it sums to zero.
"""

from collections.abc import Iterator

from pipelines.books.fixed import FixedBook
from pipelines.books.results import outcome_of, winners_of
from pipelines.codes import SENTENCES, Code
from pipelines.messages import entries as e
from pipelines.messages import operations as o
from pipelines.shard.numbering import Numbers
from pipelines.shard.order_settle import roll_back_orders, settle_orders, void_orders
from pipelines.shard.state import ACCEPTED, LOST, VOID, WON, Bet, EventState, MarketState

__all__ = ["decide_result", "decide_rollback", "decide_void", "refund_selection"]


def decide_result(
    event: EventState, market: MarketState, numbers: Numbers, operation: o.Result
) -> Iterator[e.Entry] | Code:
    """Return the entries that settle the market, or why the result cannot stand."""
    if market.settled:
        return Code.ALREADY_SETTLED
    if market.status == "OPEN":
        return Code.MARKET_STILL_OPEN
    winners = operation.winners
    if not operation.void:
        active = {s for s, status in market.selections.items() if status == "ACTIVE"}
        found = winners_of(market.definition, active, operation)
        if found is None:
            return Code.INVALID_RESULT
        winners = found
    if market.exchange is not None:
        return settle_orders(market, numbers, operation, winners)
    return _settle(market, numbers, operation, winners)


def _settle(
    market: MarketState, numbers: Numbers, operation: o.Result, winners: tuple[int, ...]
) -> Iterator[e.Entry]:
    yield from _decline_pending(market, numbers)
    book = market.book
    refund, reason = operation.void, operation.reason
    dividends: tuple[tuple[int, int], ...] = ()
    factors: tuple[tuple[int, int, int, int], ...] = ()
    if not refund:
        outcome = outcome_of(market.definition, book, winners, operation)
        refund, dividends, factors = outcome.refund, outcome.dividends, outcome.factors
        reason = reason or outcome.reason
    settlement = market.settlement + 1
    told = (operation.finish, operation.score)
    yield e.MarketResulted(
        *numbers.next(), settlement, winners, refund, dividends, reason, factors, *told
    )
    fixed = book if isinstance(book, FixedBook) and (factors or book.withdrawals) else None
    terms = fixed.terms(winners, factors) if fixed is not None else {}
    count = staked = paid = 0
    for number, bet in enumerate(market.bets):
        if bet.status != ACCEPTED:
            continue
        if refund:
            payout, result = bet.stake_minor, "void"
        elif fixed is not None:
            result, payout = fixed.settled(
                bet.stake_minor, bet.odds_e4, terms[bet.selection_id], number
            )
        else:
            payout = book.payout(bet.stake_minor, bet.odds_e4, bet.selection_id, winners, dividends)
            result = "win" if payout else "loss"
        count += 1
        staked += bet.stake_minor
        paid += payout
        why = reason if refund else ""
        yield e.BetSettled(
            *numbers.next(), bet.client_id, bet.bet_id, settlement, result, payout, why
        )
    postings = book.house_postings(staked, paid, refund)
    yield e.MarketSettled(*numbers.next(), settlement, count, staked, paid, postings)


def _decline_pending(market: MarketState, numbers: Numbers) -> Iterator[e.BetDeclined]:
    code = Code.MARKET_NOT_OPEN_FOR_BETTING
    for client_id, bet_id in tuple(market.pending):
        yield e.BetDeclined(*numbers.next(), client_id, bet_id, code.value, SENTENCES[code])


def decide_rollback(market: MarketState, numbers: Numbers, reason: str) -> Iterator[e.Entry] | Code:
    """Return the entries that reverse the market's settlement, or why there is none."""
    if not market.settled:
        return Code.NOT_SETTLED
    if market.exchange is not None:
        return roll_back_orders(market, numbers, reason)
    return _roll_back(market, numbers, reason)


def _roll_back(market: MarketState, numbers: Numbers, reason: str) -> Iterator[e.Entry]:
    settlement = market.settlement
    for bet in market.bets:
        if bet.settlement == settlement and bet.status in (WON, LOST, VOID):
            yield e.BetUnsettled(
                *numbers.next(), bet.client_id, bet.bet_id, settlement, bet.payout_minor
            )
    reversed_postings = tuple((account, -amount) for account, amount in market.postings)
    yield e.MarketUnsettled(*numbers.next(), settlement, reversed_postings, reason)


def decide_void(
    market: MarketState, numbers: Numbers, operation: o.BetsVoided
) -> Iterator[e.Entry] | Code:
    """Return refunds of the bets struck in the interval, or why there are none."""
    if market.settled:
        return Code.ALREADY_SETTLED
    if market.exchange is not None:
        return void_orders(market, numbers, operation)
    struck = [
        bet
        for bet in market.bets
        if bet.status == ACCEPTED and operation.from_ms <= bet.at_ms <= operation.to_ms
    ]
    if not struck:
        return Code.UNCHANGED
    return _refund(struck, numbers, operation.reason or "voided by the operator")


def _refund(bets: list[Bet], numbers: Numbers, reason: str) -> Iterator[e.BetSettled]:
    for bet in bets:
        yield e.BetSettled(
            *numbers.next(), bet.client_id, bet.bet_id, 0, "void", bet.stake_minor, reason
        )


def refund_selection(
    market: MarketState, numbers: Numbers, operation: o.SelectionRemoved
) -> Iterator[e.Entry]:
    """Yield the withdrawal of a selection and the refunds of all that was staked on it."""
    reason = operation.reason or "selection withdrawn"
    yield e.SelectionWasRemoved(*numbers.next(), operation.selection_id, market.version + 1, reason)
    bets = [
        bet
        for bet in market.bets
        if bet.status == ACCEPTED and bet.selection_id == operation.selection_id
    ]
    yield from _refund(bets, numbers, reason)
