"""Stage 5, risk, where a market takes bets from accounts alone: hold the money before the bet.

A bet that would be taken becomes pending until the bettor's account, in its own partition, holds
the stake; then it is checked again, as after a bet delay. What becomes of the bet is told to the
account by a transfer that follows the entry which decided it. Looks at the state and changes
nothing.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

from pipelines.codes import SENTENCES, Code
from pipelines.limits import TRANSFER_DEADLINE_MS
from pipelines.messages import bettor_entries as be
from pipelines.messages import cash_out_entries as co
from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe
from pipelines.messages import transfers as t
from pipelines.shard.bettor import bettor_key
from pipelines.shard.numbering import Numbers
from pipelines.shard.order_funds import follow_order
from pipelines.shard.state import PENDING, EventState, MarketState, ShardState

__all__ = ["decide_funds_answered", "decide_late_funds", "follow", "with_funds"]

Decided = Iterator[e.Entry | t.Send]


def with_funds(
    market: MarketState, answer: e.Entry, at_ms: int, wall_ms: int
) -> list[e.Entry | t.Send]:
    """Return the answer to a new bet on such a market: what would be taken waits for its money."""
    if not isinstance(answer, e.BetAccepted | e.BetPending):
        return [answer]
    due_ms = answer.due_ms if isinstance(answer, e.BetPending) else at_ms
    pending = e.BetPending(
        answer.event_id,
        answer.event_seq,
        answer.market_id,
        answer.market_seq,
        answer.client_id,
        answer.bet_id,
        answer.selection_id,
        answer.stake_minor,
        answer.asked_odds_e4,
        answer.price_policy,
        answer.tolerance_e4,
        answer.market_version,
        due_ms,
        hold_ms=wall_ms + TRANSFER_DEADLINE_MS,
        referred=isinstance(answer, e.BetPending) and answer.referred,
        accept_partial=isinstance(answer, e.BetPending) and answer.accept_partial,
    )
    body = t.FundsAsked(answer.event_id, answer.bet_id, answer.stake_minor)
    return [pending, t.Send(bettor_key(answer.client_id), body)]


def decide_funds_answered(shard: ShardState, key: str, answered: t.FundsAnswered) -> Decided:
    """Yield what the account's answer means for the bet; its second check is a timer."""
    event = shard.events.get(key)
    bet = event.bets.get((answered.client_id, answered.bet_id)) if event is not None else None
    if event is None or bet is None or bet.status != PENDING:
        return  # declined or cancelled meanwhile, and the account was told
    market = event.markets[bet.market_id]
    if (bet.client_id, bet.bet_id) not in market.holds:
        return
    head = (*Numbers(event, market).next(), bet.client_id, bet.bet_id)
    if answered.code:
        code = Code(answered.code)
        yield e.BetDeclined(*head, code.value, SENTENCES[code])
    else:
        yield be.FundsHeld(*head)


def decide_late_funds(event: EventState, client_id: str, bet_id: str) -> e.BetDeclined:
    """Return the refusal of a bet whose account did not answer in time."""
    market = event.markets[event.bets[(client_id, bet_id)].market_id]
    code = Code.EXPIRED_DOWNSTREAM
    head = (*Numbers(event, market).next(), client_id, bet_id)
    return e.BetDeclined(*head, code.value, SENTENCES[code])


def follow(shard: ShardState, entry: e.Entry) -> t.Send | None:
    """Return what a bet's account is told of an entry, which the state holds already."""
    kind = type(entry)
    make = _FOLLOW.get(kind)
    if make is None and kind not in _OF_ORDERS:
        return None
    event = shard.events[entry.event_id]
    market = event.markets[entry.market_id]
    if market.funds is not None:
        return follow_order(market, entry)
    if make is None or not market.definition.accounts:
        return None
    body = make(event, entry)
    assert isinstance(entry, e.BetReference)
    return None if body is None else t.Send(bettor_key(entry.client_id), body)


def _taken(event: EventState, entry: e.BetConfirmed | e.BetPartlyConfirmed) -> t.Body:
    stake_minor = event.bets[(entry.client_id, entry.bet_id)].stake_minor
    return t.FundsTaken(entry.event_id, entry.bet_id, stake_minor)


def _returned(event: EventState, entry: e.BetReference) -> t.Body:
    return t.FundsReturned(entry.event_id, entry.bet_id)


def _paid(event: EventState, entry: e.BetSettled) -> t.Body | None:
    amount = entry.payout_minor
    return _payment(entry, amount) if amount else None


def _taken_back(event: EventState, entry: e.BetUnsettled) -> t.Body | None:
    return _payment(entry, -entry.payout_minor) if entry.payout_minor else None


def _bought_back(event: EventState, entry: co.BetCashedOut | co.BetPartlyCashedOut) -> t.Body:
    return t.FundsPaid(entry.event_id, entry.bet_id, entry.amount_minor, 0)


def _payment(entry: e.BetSettled | e.BetUnsettled, amount_minor: int) -> t.Body:
    return t.FundsPaid(entry.event_id, entry.bet_id, amount_minor, entry.settlement)


#: Of exchange markets, beside refusals and cancels.
_OF_ORDERS: Final = frozenset(
    {oe.OrderConfirmed, oe.AccountSettled, oe.AccountUnsettled, oe.ExposureRaised}
)
_FOLLOW: Final[dict[type, Callable[[EventState, Any], t.Body | None]]] = {
    e.BetConfirmed: _taken,
    e.BetPartlyConfirmed: _taken,
    e.BetDeclined: _returned,
    e.BetCancelled: _returned,
    e.BetSettled: _paid,
    e.BetUnsettled: _taken_back,
    co.BetCashedOut: _bought_back,
    co.BetPartlyCashedOut: _bought_back,
}
