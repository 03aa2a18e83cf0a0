"""Stage 2 for whatever comes over `bets`: who asks, and for what; bets go on to `bets.py`.

Looks at the state and changes nothing.
"""

from typing import Any

from pipelines.codes import SENTENCES, Code
from pipelines.limits import ID_LENGTH_MAX
from pipelines.messages import entries as e
from pipelines.messages.coupon_requests import CouponRequest
from pipelines.messages.requests import (
    PRICE_POLICIES,
    BetRequest,
    CancelRequest,
    CashOutRequest,
    ReplaceRequest,
    UpdateRequest,
)
from pipelines.messages.transfers import Send
from pipelines.shard.bet_answers import answer_again, answer_without_event, rejected
from pipelines.shard.bets import decide_bet
from pipelines.shard.cash_out import decide_cash_out
from pipelines.shard.coupons import decide_coupon
from pipelines.shard.decode import Incoming, Unreadable
from pipelines.shard.numbering import Numbers
from pipelines.shard.order import Order
from pipelines.shard.order_requests import cancel_order, decide_change
from pipelines.shard.state import PENDING, ShardState

__all__ = ["decide_request", "salvaged"]


def decide_request(
    shard: ShardState, key: str, incoming: Incoming, at_ms: int
) -> e.Entry | list[e.Entry] | list[e.Entry | Send] | tuple[Code, str]:
    """Answer one request; a code and reason instead of an entry sends it to `dead-letters`."""
    request = incoming.request
    client_id = incoming.client_id
    # Stage 2, identify: who the bettor is comes from the transport, never from the payload.
    if not client_id:
        return Code.PERMISSION_DENIED, "no identity came with the request"
    if type(request) is BetRequest:
        return decide_bet(shard, shard.events.get(key), key, client_id, request, at_ms)
    if isinstance(request, CancelRequest):
        return _cancel(shard, key, client_id, request)
    if isinstance(request, ReplaceRequest | UpdateRequest):
        return decide_change(shard, key, client_id, request, at_ms)
    if isinstance(request, CashOutRequest):
        return decide_cash_out(shard, key, client_id, request, at_ms)
    if isinstance(request, CouponRequest):
        return decide_coupon(shard, key, client_id, request, at_ms)
    assert isinstance(request, Unreadable)
    return _unreadable(shard, key, client_id, incoming.message_id, request)


def _cancel(shard: ShardState, key: str, client_id: str, cancel: CancelRequest) -> e.Entry:
    event = shard.events.get(key)
    bet = event.bets.of(client_id, cancel.bet_id) if event is not None else None
    market = event.markets.get(bet.market_id) if event is not None and bet is not None else None
    if isinstance(bet, Order) and event is not None and market is not None:
        known = cancel.event_id == key and cancel.market_id == bet.terms.market_id
        if known and cancel.client_id in ("", client_id):
            return cancel_order(market, Numbers(event, market), bet, cancel.size_reduction_minor)
    head = (
        key,
        event.seq + 1 if event is not None else 0,
        bet.market_id if bet is not None else cancel.market_id,
        market.seq + 1 if market is not None else 0,
        client_id,
        cancel.bet_id,
    )
    if cancel.client_id and cancel.client_id != client_id:
        code = Code.PERMISSION_DENIED
    elif cancel.event_id != key:
        code = Code.EVENT_KEY_MISMATCH
    elif bet is None or bet.market_id != cancel.market_id:
        code = Code.INVALID_BET_ID
    elif bet.status != PENDING:
        code = Code.BET_TAKEN_OR_LAPSED
    else:
        return e.BetCancelled(*head)
    return e.CancelRejected(*head, code.value, SENTENCES[code])


def _unreadable(
    shard: ShardState, key: str, client_id: str, message_id: str, found: Unreadable
) -> e.Entry | tuple[Code, str]:
    """Answer a bettor whose request breaks the schema; by bet id where it can be read."""
    request = salvaged(found)
    if request is None:
        return found.code, found.reason
    return _bet_with_fault(shard, key, client_id, request, found)


def salvaged(found: Unreadable) -> BetRequest | None:
    """Return what could be read of a bet that breaks the schema, None where it is none."""
    fields = found.fields
    bet_id = fields.get("bet_id")
    is_bet = fields.get("type", "bet") == "bet" and fields.get("v", 1) == 1
    if not is_bet or not isinstance(bet_id, str) or not 1 <= len(bet_id) <= ID_LENGTH_MAX:
        return None
    policy = fields.get("price_policy")
    return BetRequest(
        bet_id=bet_id,
        event_id=_text(fields, "event_id"),
        market_id=_text(fields, "market_id"),
        selection_id=_integer(fields, "selection_id"),
        stake_minor=_integer(fields, "stake_minor"),
        odds_e4=_integer(fields, "odds_e4"),
        price_policy=policy if policy in PRICE_POLICIES else "exact",
        tolerance_e4=_integer(fields, "tolerance_e4"),
        market_version=_integer(fields, "market_version"),
    )


def _bet_with_fault(
    shard: ShardState, key: str, client_id: str, bet: BetRequest, found: Unreadable
) -> e.Entry:
    event = shard.events.get(key)
    if event is None:
        answer = answer_without_event(shard, key, client_id, bet)
        return answer
    bet_key = (client_id, bet.bet_id)
    known = event.bets.get(bet_key) or event.refusals.get(bet_key)
    known = known or shard.orphans.get((key, client_id, bet.bet_id))
    if known is not None:
        return answer_again(event, known, bet)
    return rejected(event, event.markets.get(bet.market_id), client_id, bet, found.code)


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    return value if isinstance(value, str) and len(value) <= ID_LENGTH_MAX else ""


def _integer(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name)
    return value if type(value) is int and 0 <= value < 2**53 else 0
