"""Stage 2 for an event whose markets are in other shards: whose market is a request for?

A bet id belongs to the market that it first came for, wherever that lives; so a repeat, a conflict
and a cancel are answered by the shard that knows the bet. Looks at the state and changes nothing.
"""

import msgspec

from pipelines.codes import SENTENCES, Code
from pipelines.limits import MOVING_WAITING_MAX
from pipelines.messages import cash_out_entries as co
from pipelines.messages import entries as e
from pipelines.messages import isolation_entries as ie
from pipelines.messages import order_entries as oe
from pipelines.messages.inputs import AnyOperation, AnyRequest
from pipelines.messages.operations import MarketOpened
from pipelines.messages.requests import (
    BetRequest,
    CancelRequest,
    CashOutRequest,
    ReplaceRequest,
    UpdateRequest,
)
from pipelines.messages.risk_operations import RiskLever, RiskSet
from pipelines.messages.transfers import Body, Forwarded, MarketMoved, Send
from pipelines.shard.bet_answers import rejected
from pipelines.shard.decode import Incoming, Unreadable, decode_operation, decode_plain
from pipelines.shard.requests import salvaged
from pipelines.shard.state import EventState, ShardState
from pipelines.topics import BETS, EVENTS

__all__ = [
    "decide_forward",
    "has_arrived",
    "incoming_of",
    "operation_elsewhere",
    "request_elsewhere",
    "waiting_for",
]

_encode = msgspec.msgpack.Encoder().encode
_ABOUT_A_BET = CancelRequest | CashOutRequest | UpdateRequest


def request_elsewhere(
    shard: ShardState,
    event: EventState,
    client_id: str,
    request: AnyRequest | Unreadable,
    value: bytes = b"",
) -> Forwarded | None:
    """Return what another shard has to decide, None where it is for this one.

    `value`: the request's bytes, where they are at hand.
    """
    code = reason = bet_id = ""
    if isinstance(request, Unreadable):
        bet = salvaged(request)
        if bet is None:
            return None
        code, reason, request = request.code.value, request.reason, bet
    if isinstance(request, BetRequest):
        bet_id = request.bet_id
        at = _market_of(shard, event, client_id, request.market_id, bet_id)
    elif isinstance(request, ReplaceRequest):
        bet_id = request.new_bet_id
        at = _market_of(shard, event, client_id, "", bet_id)
        if at is None and not _is_known(shard, event, client_id, bet_id):
            at = _market_of(shard, event, client_id, request.market_id, request.bet_id)
    elif isinstance(request, _ABOUT_A_BET):
        at = _market_of(shard, event, client_id, request.market_id, request.bet_id)
    else:
        return None
    if at is None:
        return None
    return Forwarded(
        BETS, event.event_id, at, client_id, bet_id, value or _encode(request), code, reason
    )


def _is_known(shard: ShardState, event: EventState, client_id: str, bet_id: str) -> bool:
    key = (client_id, bet_id)
    if key in event.bets or key in event.refusals:
        return True
    return bool(shard.orphans) and (event.event_id, *key) in shard.orphans


def _market_of(
    shard: ShardState, event: EventState, client_id: str, market_id: str, bet_id: str
) -> str | None:
    """Return the market elsewhere that a bet id belongs to, or else the one that is named."""
    if _is_known(shard, event, client_id, bet_id):
        return None
    at = event.routed.get((client_id, bet_id), market_id)
    return at if at in event.away else None


def operation_elsewhere(
    event: EventState, operation: AnyOperation, value: bytes
) -> e.Entry | Send | None:
    """Return how an operator's message leaves, waits or is refused; None: decide it here."""
    if isinstance(operation, RiskSet | RiskLever):  # they count over all markets of the event
        code, name = Code.NOT_ISOLABLE, str(type(operation).__struct_config__.tag)
        head = (event.event_id, event.seq + 1, "", 0)
        return e.OperationRefused(*head, name, code.value, SENTENCES[code])
    if isinstance(operation, MarketOpened):
        market_id = operation.market.market_id
    else:
        market_id = getattr(operation, "market_id", "")
    if market_id not in event.away:
        return None
    return decide_forward(event, Forwarded(EVENTS, event.event_id, market_id, "", "", value))


def waiting_for(shard: ShardState, body: Body) -> list[Forwarded]:
    """Return what waits for the market that this transfer is about."""
    event = shard.events.get(body.event_id) if isinstance(body, MarketMoved) else None
    if event is None or not isinstance(body, MarketMoved) or body.market_id not in event.away:
        return []
    return list(event.away[body.market_id].waiting)


def has_arrived(shard: ShardState, body: Body) -> bool:
    """Return whether the market that this transfer is about is here."""
    event = shard.events.get(body.event_id) if isinstance(body, MarketMoved) else None
    return event is not None and body.market_id in event.markets  # type: ignore[union-attr]


def decide_forward(event: EventState, item: Forwarded) -> e.Entry | Send:
    """Return how a request leaves for the shard of its market, waits for it, or is refused."""
    away = event.away[item.market_id]
    if not away.coming:
        return Send(away.to, item)
    if len(away.waiting) < MOVING_WAITING_MAX:
        return ie.RequestWaits(event.event_id, event.seq + 1, item.market_id, 0, item)
    return _too_many(event, item)


def _too_many(event: EventState, item: Forwarded) -> e.Entry:
    code = Code.MARKET_ON_THE_MOVE
    head = (event.event_id, event.seq + 1, item.market_id, 0)
    if item.topic == EVENTS:
        operation = decode_operation(item.value)
        name = str(type(operation).__struct_config__.tag)  # type: ignore[union-attr]
        return e.OperationRefused(*head, name, code.value, SENTENCES[code])
    request = incoming_of(item).request
    if isinstance(request, Unreadable):
        request, code = salvaged(request) or request, Code(item.code)
    if isinstance(request, BetRequest):
        return rejected(event, None, item.client_id, request, code)
    assert isinstance(request, ReplaceRequest | _ABOUT_A_BET)
    who = (item.client_id, request.bet_id)
    if isinstance(request, CancelRequest):
        return e.CancelRejected(*head, *who, code.value, SENTENCES[code])
    if isinstance(request, CashOutRequest):
        return co.CashOutRejected(*head, *who, code.value, SENTENCES[code])
    return oe.ChangeRejected(*head, *who, code.value, SENTENCES[code])


def incoming_of(item: Forwarded) -> Incoming:
    """Return a forwarded request as it is decided."""
    if item.code:
        fields = msgspec.msgpack.decode(item.value)
        found = Unreadable(Code(item.code), item.reason, fields)
        return Incoming(item.client_id, "", found)
    request = decode_plain(item.value)
    assert request is not None, "its home has read it"
    return Incoming(item.client_id, "", request)
