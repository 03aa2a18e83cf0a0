"""Stage 2 to 7 for what bettors ask of orders that they have: cancel, replace, update.

Looks at the state and changes nothing. A replace is a cancel and a new order with an id of its own,
behind all others at its price; an update leaves the order in its place (as in Betfair's API).
"""

from pipelines.codes import SENTENCES, Code
from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe
from pipelines.messages.requests import BetRequest, ReplaceRequest, UpdateRequest
from pipelines.shard.bets_at_risk import why_no_order
from pipelines.shard.numbering import Numbers
from pipelines.shard.order import Order
from pipelines.shard.orders import order_problem, placed
from pipelines.shard.state import PENDING, STATUS_NAMES, EventState, MarketState, ShardState

__all__ = ["cancel_order", "decide_change"]


def cancel_order(market: MarketState, numbers: Numbers, order: Order, size_minor: int) -> e.Entry:
    """Withdraw an order's remainder, or `size_minor` of it."""
    who = (order.client_id, order.bet_id)
    if order.status == PENDING and not size_minor:
        return e.BetCancelled(*numbers.next(), *who)
    code = None
    if order.status == PENDING or not order.remaining_minor or market.settlement:
        code = Code.BET_TAKEN_OR_LAPSED
    elif size_minor > order.remaining_minor:
        code = Code.INVALID_BET_SIZE
    if code is not None:
        return e.CancelRejected(*numbers.next(), *who, code.value, SENTENCES[code])
    size = size_minor or order.remaining_minor
    return oe.OrderCancelled(*numbers.next(), *who, size, order.remaining_minor - size)


def decide_change(
    shard: ShardState,
    key: str,
    client_id: str,
    request: ReplaceRequest | UpdateRequest,
    at_ms: int,
) -> list[e.Entry]:
    """Answer a replace or an update."""
    event = shard.events.get(key)
    found = event.bets.of(client_id, request.bet_id) if event is not None else None
    market = None if event is None else event.markets.get(request.market_id)
    order = found if isinstance(found, Order) and found.market_id == request.market_id else None
    code = None
    if request.client_id and request.client_id != client_id:
        code = Code.PERMISSION_DENIED
    elif request.event_id != key:
        code = Code.EVENT_KEY_MISMATCH
    elif order is None or event is None or market is None:
        code = Code.INVALID_BET_ID
    if code is None:
        assert event is not None
        assert market is not None
        assert order is not None
        numbers = Numbers(event, market)
        if isinstance(request, UpdateRequest):
            return [_update(market, numbers, order, request)]
        return _replace(event, market, numbers, order, request, at_ms)
    head = (
        key,
        event.seq + 1 if event is not None else 0,
        request.market_id,
        market.seq + 1 if market is not None else 0,
    )
    return [oe.ChangeRejected(*head, client_id, request.bet_id, code.value, SENTENCES[code])]


def _rejected(numbers: Numbers, order: Order, code: Code) -> oe.ChangeRejected:
    return oe.ChangeRejected(
        *numbers.next(), order.client_id, order.bet_id, code.value, SENTENCES[code]
    )


def _update(market: MarketState, numbers: Numbers, order: Order, request: UpdateRequest) -> e.Entry:
    code = None
    if order.status == PENDING or not order.remaining_minor:
        code = Code.BET_TAKEN_OR_LAPSED
    elif not order.rests():
        code = Code.INVALID_PERSISTENCE_TYPE
    elif order.persistence == request.persistence:
        code = Code.NO_ACTION_REQUIRED
    elif request.persistence == "MARKET_ON_CLOSE" and not _takes_sp(market):
        code = Code.INVALID_PERSISTENCE_TYPE
    if code is not None:
        return _rejected(numbers, order, code)
    return oe.OrderUpdated(*numbers.next(), order.client_id, order.bet_id, request.persistence)


def _takes_sp(market: MarketState) -> bool:
    assert market.exchange is not None
    return market.definition.bsp_market and not market.exchange.reconciled and not market.in_play


def _replace(
    event: EventState,
    market: MarketState,
    numbers: Numbers,
    order: Order,
    request: ReplaceRequest,
    at_ms: int,
) -> list[e.Entry]:
    client_id = order.client_id
    known = event.bets.get((client_id, request.new_bet_id))
    known = known or event.refusals.get((client_id, request.new_bet_id))
    if known is not None:
        head = (*numbers.next(), client_id, request.new_bet_id)
        same = (
            isinstance(known, Order)
            and known.replaces == request.bet_id
            and known.asked_odds_e4 == request.odds_e4
            and known.market_version == request.market_version
        )
        if not same:
            return [e.BetConflict(*head)]
        return [e.BetRepeated(*head, STATUS_NAMES[known.status], known.odds_e4, known.code)]
    code = _no_replacement(market, order, request)
    if code is None and event.risk is not None:
        code = why_no_order(event.risk, order.market_id, client_id, order.remaining_minor)
    if code is not None:
        return [_rejected(numbers, order, code)]
    cancelled = cancel_order(market, numbers, order, 0)
    if not isinstance(cancelled, oe.OrderCancelled):
        return [_rejected(numbers, order, Code.BET_TAKEN_OR_LAPSED)]
    anew = BetRequest(
        request.new_bet_id,
        event.event_id,
        request.market_id,
        order.selection_id,
        order.remaining_minor,
        request.odds_e4,
        order.price_policy,
        order.tolerance_e4,
        request.market_version,
        side="LAY" if order.lay else "BACK",
        persistence=order.persistence,
    )
    problem = order_problem(market, client_id, anew, order)
    return [
        cancelled,
        *placed(event, market, client_id, anew, at_ms, problem, numbers, request.bet_id),
    ]


def _no_replacement(market: MarketState, order: Order, request: ReplaceRequest) -> Code | None:
    """Say why the order keeps its place; nothing is cancelled then."""
    if order.status == PENDING or not order.remaining_minor or market.settlement:
        return Code.BET_TAKEN_OR_LAPSED
    if not order.rests() or order.asked_odds_e4 == request.odds_e4:
        return Code.INVALID_PRICE_EDIT
    assert market.exchange is not None
    if request.odds_e4 not in market.exchange.ladder.valid:
        return Code.INVALID_ODDS
    if market.status != "OPEN":
        closed = Code.MARKET_NOT_OPEN_FOR_BETTING
        return Code.MARKET_SUSPENDED if market.status == "SUSPENDED" else closed
    version = request.market_version
    if version and not market.material_version <= version <= market.version:
        return Code.INVALID_MARKET_VERSION
    return None
