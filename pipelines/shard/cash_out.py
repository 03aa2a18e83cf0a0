"""A bettor asks what a bet is worth now, or to be paid that: priced from the odds of the moment.

Looks at the state and changes nothing. A cash-out is final: neither a result nor a rollback, void
or withdrawal that comes later touches the bet.
"""

from pipelines.books.cash_out import cash_out_minor
from pipelines.books.fixed import FixedBook
from pipelines.books.lmsr_book import LmsrBook
from pipelines.codes import SENTENCES, Code
from pipelines.messages import cash_out_entries as co
from pipelines.messages import entries as e
from pipelines.messages.requests import CashOutRequest
from pipelines.shard.order import Order
from pipelines.shard.order_cash_out import hedge_of, hedge_order
from pipelines.shard.orders import decide_order
from pipelines.shard.state import (
    ACCEPTED,
    CASHED_OUT,
    PENDING,
    STATUS_NAMES,
    AnyBet,
    Bet,
    EventState,
    MarketState,
    ShardState,
    ShareBet,
)

__all__ = ["decide_cash_out"]

Head = tuple[str, int, str, int, str, str]


def decide_cash_out(
    shard: ShardState, key: str, client_id: str, request: CashOutRequest, at_ms: int
) -> e.Entry | list[e.Entry]:
    """Return the quote, the cash-out, or why there is none; on an exchange an order's answer."""
    event = shard.events.get(key)
    bet = event.bets.get((client_id, request.bet_id)) if event is not None else None
    market = event.markets.get(bet.market_id) if event is not None and bet is not None else None
    head = (
        key,
        event.seq + 1 if event is not None else 0,
        bet.market_id if bet is not None else request.market_id,
        market.seq + 1 if market is not None else 0,
        client_id,
        request.bet_id,
    )
    code = None
    if request.client_id and request.client_id != client_id:
        code = Code.PERMISSION_DENIED
    elif request.event_id != key:
        code = Code.EVENT_KEY_MISMATCH
    elif bet is None or market is None or bet.market_id != request.market_id:
        code = Code.INVALID_BET_ID
    if code is not None or bet is None or market is None:
        code = code or Code.INVALID_BET_ID
        return co.CashOutRejected(*head, code.value, SENTENCES[code])
    if bet.status == CASHED_OUT:
        return e.BetRepeated(*head, STATUS_NAMES[bet.status], bet.odds_e4, bet.code)
    if isinstance(bet, Order) and event is not None:
        return _cash_out_order(event, market, head, request, bet, at_ms)
    kept = request.keep_stake_minor
    done = bet.status == ACCEPTED and bet.stake_minor == kept  # it was brought down to this before
    if done and event is not None and (client_id, bet.bet_id) in event.parts:
        return e.BetRepeated(*head, STATUS_NAMES[bet.status], bet.odds_e4, bet.code)
    found = _worth(market, bet, kept)
    if isinstance(found, Code):
        return co.CashOutRejected(*head, found.value, _WHY.get(found, SENTENCES[found]))
    amount, odds_e4 = found
    if not request.amount_minor:
        return co.CashOutQuoted(*head, amount, odds_e4)
    if amount < request.amount_minor - request.tolerance_minor:
        code = Code.ODDS_CHANGED
        return co.CashOutRejected(*head, code.value, _WHY[code], amount)
    closed = bet.stake_minor - kept
    rest = closed - amount
    postings = (("house:cash_out", rest),) if rest else ()
    if kept:
        shares = bet.shares_minor - shares_of(bet, closed) if isinstance(bet, ShareBet) else 0
        return co.BetPartlyCashedOut(*head, amount, odds_e4, postings, kept, closed, shares)
    return co.BetCashedOut(*head, amount, odds_e4, postings)


def _cash_out_order(
    event: EventState,
    market: MarketState,
    head: Head,
    request: CashOutRequest,
    order: Order,
    at_ms: int,
) -> e.Entry | list[e.Entry]:
    """Quote what is matched, or place the order that makes every result the same."""
    hedge = hedge_of(market, order)
    if isinstance(hedge, Code):
        return co.CashOutRejected(*head, hedge.value, _WHY.get(hedge, SENTENCES[hedge]))
    if request.keep_stake_minor:
        code = Code.CASH_OUT_UNAVAILABLE
        return co.CashOutRejected(*head, code.value, SENTENCES[code])
    worth, _, worst_e4 = hedge
    if not request.amount_minor:
        return co.CashOutQuoted(*head, worth, worst_e4)
    placed = hedge_order(event, request, order, hedge)
    if isinstance(placed, Order):
        status = STATUS_NAMES[placed.status]
        return e.BetRepeated(*head[:5], placed.bet_id, status, placed.odds_e4, placed.code)
    if worth < request.amount_minor - request.tolerance_minor:
        code = Code.ODDS_CHANGED
        return co.CashOutRejected(*head, code.value, _WHY[code], worth)
    return decide_order(event, market, order.client_id, placed, at_ms, None)


#: Where the code's own sentence speaks of a new bet.
_WHY = {
    Code.ODDS_CHANGED: "The odds have changed. Your bet stands.",
    Code.MARKET_SUSPENDED: "The market is suspended. Your bet stands.",
    Code.MARKET_NOT_OPEN_FOR_BETTING: "The market is closed. Your bet stands.",
    Code.BET_TAKEN_OR_LAPSED: "The bet is not open any more.",
    Code.INVALID_BET_SIZE: "The part to keep must be smaller than the stake.",
}


def shares_of(bet: Bet, closed_minor: int) -> int:
    """Return how many of a bet's shares go with so much of its stake, rounded down."""
    return bet.pays_minor() * closed_minor // bet.stake_minor


def _worth(market: MarketState, bet: AnyBet, kept_minor: int) -> tuple[int, int] | Code:
    """Return what a bet, or all of it but the kept part of its stake, is bought back for now.

    With its selection's odds; or why it is not.
    """
    if bet.status != ACCEPTED:
        return Code.BET_IN_PROGRESS if bet.status == PENDING else Code.BET_TAKEN_OR_LAPSED
    if kept_minor >= bet.stake_minor:
        return Code.INVALID_BET_SIZE
    book = market.book
    # With a bet delay the bettor may know more than the odds do.
    delayed = market.in_play and market.bet_delay_ms > 0
    cashes_out = book.sells_shares or (isinstance(book, FixedBook) and book.rules.cashes_out())
    if delayed or not cashes_out:
        return Code.CASH_OUT_UNAVAILABLE
    if market.status != "OPEN":
        suspended = market.status == "SUSPENDED"
        return Code.MARKET_SUSPENDED if suspended else Code.MARKET_NOT_OPEN_FOR_BETTING
    if market.selections[bet.selection_id] != "ACTIVE":
        return Code.RUNNER_REMOVED
    odds_e4, closed = book.odds(bet.selection_id), bet.stake_minor - kept_minor
    if isinstance(book, LmsrBook):
        assert not isinstance(bet, Order)
        amount = book.proceeds_minor(bet.selection_id, shares_of(bet, closed))
        return (amount, odds_e4) if amount else Code.CASH_OUT_UNAVAILABLE
    assert isinstance(book, FixedBook)
    # Only withdrawals ask for the bet's place among all, and they are rare.
    number = market.bets.index(bet) if book.withdrawals else 0
    amount = cash_out_minor(
        closed,
        bet.odds_e4,
        odds_e4,
        book.rules.cash_out_margin_e4,
        book.deduction_e4(number) if book.withdrawals else 0,
    )
    return (amount, odds_e4) if amount else Code.CASH_OUT_UNAVAILABLE
