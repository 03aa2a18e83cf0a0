"""Stage 8, settle: what a result, a withdrawal, a void or a rollback means for each bet.

Payouts follow the market's book (`pipelines/books`), rounded once by a named rule. What a market
took in and paid out is posted to the house's accounts at its end, so that it sums to zero.

A large market is settled, rolled back or refunded in chunks of `SETTLE_CHUNK_BETS`, one at once and
the next each time `SETTLE_CHUNK_EVERY_MS` of wall time have passed, so that other markets' bets are
decided between them. A chunk is a timer: when it comes follows from the times of the input records
alone, however they are cut into batches and whether a tick or a record set it off.
"""

from collections.abc import Iterator
from itertools import islice

from msgspec import UnsetType

from pipelines.books.fixed import FixedBook
from pipelines.books.results import outcome_of, winners_of
from pipelines.codes import Code
from pipelines.limits import SETTLE_CHUNK_BETS
from pipelines.messages import entries as e
from pipelines.messages import operations as o
from pipelines.messages import order_entries as oe
from pipelines.shard.numbering import Numbers
from pipelines.shard.order import Order
from pipelines.shard.order_funds import unsettle_accounts
from pipelines.shard.order_settle import (
    decline_pending,
    settle_orders,
    settle_orders_chunk,
    void_orders,
)
from pipelines.shard.settle_part import agrees, decide_part_chunk, why_no_part
from pipelines.shard.state import ACCEPTED, LOST, VOID, WON, AnyBet, EventState, MarketState

__all__ = [
    "decide_chunk",
    "decide_part",
    "decide_result",
    "decide_rollback",
    "decide_void",
    "refund_selection",
]


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
        active = {s for s, status in market.selections.items() if status != "REMOVED"}
        found = winners_of(market.definition, active, operation)
        if found is None or not agrees(market, found, operation):
            return Code.INVALID_RESULT
        winners = found
    if market.exchange is not None:
        return _settle_orders(market, numbers, operation, winners)
    return _settle(market, numbers, operation, winners)


def _settle(
    market: MarketState, numbers: Numbers, operation: o.Result, winners: tuple[int, ...]
) -> Iterator[e.Entry]:
    yield from decline_pending(market, numbers)
    refund, reason = operation.void, operation.reason
    dividends: tuple[tuple[int, int], ...] = ()
    factors: tuple[tuple[int, int, int, int], ...] = ()
    if not refund:
        outcome = outcome_of(market.definition, market.book, winners, operation)
        refund, dividends, factors = outcome.refund, outcome.dividends, outcome.factors
        reason = reason or outcome.reason
    told = (operation.finish, operation.score)
    settlement = market.settlement + 1
    yield e.MarketResulted(
        *numbers.next(), settlement, winners, refund, dividends, reason, factors, *told
    )
    yield from decide_chunk(market, numbers)


def decide_part(
    market: MarketState, numbers: Numbers, operation: o.SelectionResulted
) -> Iterator[e.Entry] | Code:
    """Return the entries that settle one selection's bets, or open them again; or why not."""
    code = why_no_part(market, operation)
    return code if code is not None else _part(market, numbers, operation)


def _part(
    market: MarketState, numbers: Numbers, operation: o.SelectionResulted
) -> Iterator[e.Entry]:
    yield e.SelectionWasResulted(
        *numbers.next(),
        operation.selection_id,
        operation.result,
        market.version + 1,
        operation.reason,
    )
    yield from decide_chunk(market, numbers)


def _settle_orders(
    market: MarketState, numbers: Numbers, operation: o.Result, winners: tuple[int, ...]
) -> Iterator[e.Entry]:
    yield from settle_orders(market, numbers, operation, winners)
    yield from decide_chunk(market, numbers)


def decide_chunk(market: MarketState, numbers: Numbers) -> Iterator[e.Entry]:
    """Yield the next chunk of what goes through the market's bets, and what ends it."""
    settling = market.settling
    assert settling is not None
    first, last = settling.next, min(settling.next + SETTLE_CHUNK_BETS, settling.end)
    if settling.kind == "settle" and market.exchange is not None:
        yield from settle_orders_chunk(market, numbers, first, first + SETTLE_CHUNK_BETS)
        return
    if settling.kind == "settle":
        yield from _settle_chunk(market, numbers, first, last)
        if last == settling.end:
            staked, paid = settling.staked_minor, settling.paid_minor
            all_refunded = market.refund and not market.settled_early[0]
            postings = market.book.house_postings(staked, paid, all_refunded)
            yield e.MarketSettled(
                *numbers.next(), market.settlement, settling.bets, staked, paid, postings
            )
    elif settling.kind == "roll_back":
        yield from _roll_back_chunk(market, numbers, first, last)
        posted = market.funds is not None and market.funds.posted
        if last == settling.end and not market.commissions and not posted:
            yield from _unsettled(market, numbers, settling.reason)
    elif settling.kind == "refund":
        yield from _refund_chunk(market, numbers, first, last)
        if last == settling.end:
            yield e.RefundEnded(*numbers.next())
    else:
        yield from decide_part_chunk(market, numbers, first, last)
    if market.settling is settling:
        yield e.SettlementWentOn(*numbers.next(), market.settlement, last)


def _settle_chunk(
    market: MarketState, numbers: Numbers, first: int, last: int
) -> Iterator[e.BetSettled]:
    """Yield the outcome of each bet. Written out: it runs for every bet of a shard."""
    book, winners, dividends = market.book, market.winners, market.dividends
    refund, factors, settlement = market.refund, market.factors, market.settlement
    assert market.settling is not None
    why = market.settling.reason if refund else ""
    if dividends:  # of a pool: also those who come next where nobody staked on the winners
        winners = tuple([selection_id for selection_id, _ in dividends])
    fixed = book if isinstance(book, FixedBook) and (factors or book.withdrawals) else None
    terms = fixed.terms(winners, factors) if fixed is not None else {}
    event_id, event_seq, market_id, market_seq = numbers.ahead(0)
    payout_of, shares = book.payout, book.sells_shares
    number = first - 1
    for bet in market.bets[first:last]:
        number += 1
        if bet.status != ACCEPTED:
            continue
        if refund:
            payout, result = bet.stake_minor, "void"
        elif fixed is not None:
            result, payout = fixed.settled(
                bet.stake_minor, bet.odds_e4, terms[bet.selection_id], number
            )
        elif bet.selection_id in winners:
            if shares:
                assert not isinstance(bet, Order)
                payout = bet.pays_minor() // len(winners)
            else:
                payout = payout_of(
                    bet.stake_minor, bet.odds_e4, bet.selection_id, winners, dividends
                )
            result = "win" if payout else "loss"
        else:
            payout, result = 0, "loss"
        event_seq += 1
        market_seq += 1
        yield e.BetSettled(
            event_id,
            event_seq,
            market_id,
            market_seq,
            bet.client_id,
            bet.bet_id,
            settlement,
            result,
            payout,
            why,
        )
    numbers.event_seq, numbers.market_seq = event_seq, market_seq


def decide_rollback(market: MarketState, numbers: Numbers, reason: str) -> Iterator[e.Entry] | Code:
    """Return the entries that reverse the market's settlement, or why there is none."""
    if not market.settled:
        return Code.NOT_SETTLED
    return _roll_back(market, numbers, reason)


def _roll_back(market: MarketState, numbers: Numbers, reason: str) -> Iterator[e.Entry]:
    if len(market.bets) > SETTLE_CHUNK_BETS:
        yield e.RollbackBegan(*numbers.next(), market.settlement, reason)
        yield from decide_chunk(market, numbers)
        return
    yield from _roll_back_chunk(market, numbers, 0, len(market.bets))
    yield from _unsettled(market, numbers, reason)


def _roll_back_chunk(
    market: MarketState, numbers: Numbers, first: int, last: int
) -> Iterator[e.Entry]:
    settlement = market.settlement
    for client_id, amount in tuple(islice(market.commissions.items(), SETTLE_CHUNK_BETS)):
        yield oe.CommissionReturned(*numbers.next(), client_id, settlement, amount)
    if market.funds is not None:
        clients = tuple(islice(market.funds.posted, SETTLE_CHUNK_BETS))
        yield from unsettle_accounts(market, numbers, clients)
    for bet in market.bets[first:last]:
        if bet.settlement == settlement and bet.status in (WON, LOST, VOID):
            yield e.BetUnsettled(
                *numbers.next(), bet.client_id, bet.bet_id, settlement, bet.payout_minor
            )


def _unsettled(market: MarketState, numbers: Numbers, reason: str) -> Iterator[e.MarketUnsettled]:
    reversed_postings = tuple((account, -amount) for account, amount in market.postings)
    yield e.MarketUnsettled(*numbers.next(), market.settlement, reversed_postings, reason)


def decide_void(
    market: MarketState, numbers: Numbers, operation: o.BetsVoided
) -> Iterator[e.Entry] | Code:
    """Return refunds of the bets struck in the interval, or why there are none."""
    if market.settled:
        return Code.ALREADY_SETTLED
    if market.exchange is not None:
        return void_orders(market, numbers, operation)
    reason = operation.reason or "voided by the operator"
    asked = (-1, operation.from_ms, operation.to_ms)
    if not any(_asked_for(bet, *asked) for bet in market.bets):
        return Code.UNCHANGED
    return _refund(market, numbers, asked, reason)


def _asked_for(bet: AnyBet, selection_id: int, from_ms: int, to_ms: int) -> bool:
    return bet.status == ACCEPTED and (
        bet.selection_id == selection_id if selection_id >= 0 else from_ms <= bet.at_ms <= to_ms
    )


def _refund(
    market: MarketState, numbers: Numbers, asked: tuple[int, int, int], reason: str
) -> Iterator[e.Entry]:
    if len(market.bets) > SETTLE_CHUNK_BETS:
        yield e.RefundBegan(*numbers.next(), *asked, reason)
        yield from decide_chunk(market, numbers)
        return
    for bet in market.bets:
        if _asked_for(bet, *asked):
            yield _refunded(bet, numbers, reason)


def _refunded(bet: AnyBet, numbers: Numbers, reason: str) -> e.BetSettled:
    return e.BetSettled(
        *numbers.next(), bet.client_id, bet.bet_id, 0, "void", bet.stake_minor, reason
    )


def _refund_chunk(
    market: MarketState, numbers: Numbers, first: int, last: int
) -> Iterator[e.BetSettled]:
    settling = market.settling
    assert settling is not None
    asked = (settling.selection_id, settling.from_ms, settling.to_ms)
    for bet in market.bets[first:last]:
        if _asked_for(bet, *asked):
            yield _refunded(bet, numbers, settling.reason)


def refund_selection(
    market: MarketState, numbers: Numbers, operation: o.SelectionRemoved
) -> Iterator[e.Entry]:
    """Yield the withdrawal of a selection and the refunds of all that was staked on it."""
    reason = operation.reason or "selection withdrawn"
    removed, deduction_e4 = operation.selection_id, 0
    if isinstance(market.book, FixedBook) and market.book.rules.rule_4:
        announced = operation.reduction_factor_e4
        deduction_e4 = (
            market.book.deduction_for_e4(removed) if isinstance(announced, UnsetType) else announced
        )
    version = market.version + 1
    yield e.SelectionWasRemoved(*numbers.next(), removed, version, reason, deduction_e4)
    yield from _refund(market, numbers, (removed, 0, 0), reason)
