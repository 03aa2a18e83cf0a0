"""What the entries of orders change in the state; called by `evolve`."""

from collections.abc import Callable
from typing import Any, Final

from pipelines.books.exchange import ExchangeBook
from pipelines.books.exchange_money import reduced_odds_e4
from pipelines.limits import ANSWERS_OUTSIDE_MARKETS_MAX
from pipelines.messages import order_entries as oe
from pipelines.shard.clock import timers_of
from pipelines.shard.funds_changes import account_settled, account_unsettled, exposure_raised
from pipelines.shard.order import Order
from pipelines.shard.order_placing import enter, new_order, placed, traded
from pipelines.shard.state import ACCEPTED, PENDING, REJECTED, EventState, MarketState, ShardState

__all__ = ["APPLY_TO_ORDERS"]


def _pending(
    shard: ShardState, event: EventState, market: MarketState, entry: oe.OrderPending, at_ms: int
) -> None:
    order = new_order(entry, PENDING, at_ms, entry.stake_minor)
    order.due_ms = entry.due_ms
    key = (order.client_id, order.bet_id)
    event.bets.add(order)
    market.pending[key] = entry.due_ms
    if entry.hold_ms:  # the delay counts once the account has answered
        market.holds[key] = entry.hold_ms
        shard.timers.add((entry.hold_ms, shard.shard_seq, "hold", event.event_id, *key))
        return
    timer = (entry.due_ms, shard.shard_seq, "bet", event.event_id, order.client_id, order.bet_id)
    timers_of(shard, event, "bet").add(timer)


def _rejected(
    shard: ShardState, event: EventState, market: MarketState, entry: oe.OrderRejected, at_ms: int
) -> None:
    order = new_order(entry, REJECTED, at_ms, 0)
    order.code = entry.code
    event.refusals[(order.client_id, order.bet_id)] = order
    if len(event.refusals) > ANSWERS_OUTSIDE_MARKETS_MAX:
        del event.refusals[next(iter(event.refusals))]


def _confirmed(
    shard: ShardState, event: EventState, market: MarketState, entry: oe.OrderConfirmed, at_ms: int
) -> None:
    key = (entry.client_id, entry.bet_id)
    del market.pending[key]
    timers_of(shard, event, "bet").remove("bet", event.event_id, *key)
    order = _order(event, entry)
    order.status, order.at_ms = ACCEPTED, at_ms
    enter(market, order, entry.fills, at_ms)


def _order(event: EventState, entry: Any) -> Order:
    order = event.bets.of(entry.client_id, entry.bet_id)
    assert isinstance(order, Order)
    return order


def _matched(
    shard: ShardState, event: EventState, market: MarketState, entry: oe.BetMatched, at_ms: int
) -> None:
    book = market.exchange
    assert book is not None
    order = _order(event, entry)
    odds_e4, size_minor = entry.odds_e4, entry.size_minor
    market.escrow_minor += order.fill(odds_e4, size_minor, at_ms)
    used = order.remaining_minor - entry.remaining_minor
    if entry.kind == "sp":
        _leave(book, order, used)
        if not order.lay:  # one side of a trade is counted
            book.trade(order.selection_id, odds_e4, size_minor)
        return
    order.remaining_minor = entry.remaining_minor
    book.take_from(order, order.lay, size_minor)


def _leave(book: ExchangeBook, order: Order, size_minor: int) -> None:
    """So much of an order waits no more."""
    order.remaining_minor -= size_minor
    terms = order.terms
    if terms.rests:
        book.reduced(order, terms.lay, size_minor)
    elif terms.order_type != "LIMIT":
        book.left_sp(order)


def _cancelled(
    shard: ShardState, event: EventState, market: MarketState, entry: oe.OrderCancelled, at_ms: int
) -> None:
    assert market.exchange is not None
    order = _order(event, entry)
    order.fated().cancelled_minor += entry.size_minor
    _leave(market.exchange, order, entry.size_minor)
    order.restate()


def _lapsed(
    shard: ShardState, event: EventState, market: MarketState, entry: oe.OrderLapsed, at_ms: int
) -> None:
    assert market.exchange is not None
    order = _order(event, entry)
    fate = order.fated()
    fate.lapsed_minor += entry.size_minor
    fate.code = entry.code
    _leave(market.exchange, order, entry.size_minor)
    order.restate()


def _updated(
    shard: ShardState, event: EventState, market: MarketState, entry: oe.OrderUpdated, at_ms: int
) -> None:
    order = _order(event, entry)
    order.fated().persistence = entry.persistence
    assert market.exchange is not None
    market.exchange.runners[order.selection_id].shown = None  # the near price may be another


def _voided(
    shard: ShardState, event: EventState, market: MarketState, entry: oe.BetVoided, at_ms: int
) -> None:
    order = _order(event, entry)
    left = [one for one in order.fills if not entry.from_ms <= one[2] <= entry.to_ms]
    market.escrow_minor += order.refill(left)
    order.fated().voided_minor += entry.size_minor
    order.restate()


def _reduced(
    shard: ShardState, event: EventState, market: MarketState, entry: oe.OddsReduced, at_ms: int
) -> None:
    order = _order(event, entry)
    place = market.definition.number_of_winners > 1
    market.escrow_minor += order.refill(
        [(reduced_odds_e4(odds, entry.factor_e4, place), s, at) for odds, s, at in order.fills]
    )


def _starting_prices(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    entry: oe.StartingPricesSet,
    at_ms: int,
) -> None:
    assert market.exchange is not None
    market.exchange.reconcile(entry.prices)


def _charged(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    entry: oe.CommissionCharged,
    at_ms: int,
) -> None:
    market.commissions[entry.client_id] = entry.commission_minor
    market.escrow_minor += entry.commission_minor


def _returned(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    entry: oe.CommissionReturned,
    at_ms: int,
) -> None:
    del market.commissions[entry.client_id]
    market.escrow_minor -= entry.commission_minor


def _discounts(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    entry: oe.DiscountsWereSet,
    at_ms: int,
) -> None:
    market.discounts.update(entry.discounts)


def _nothing(shard: ShardState, event: object, market: object, entry: object, at_ms: int) -> None:
    """An answer that changes no order."""


APPLY_TO_ORDERS: Final[dict[type, Callable[..., None]]] = {
    oe.OrderPlaced: placed,
    oe.OrderTraded: traded,
    oe.OrderPending: _pending,
    oe.OrderRejected: _rejected,
    oe.OrderConfirmed: _confirmed,
    oe.BetMatched: _matched,
    oe.OrderCancelled: _cancelled,
    oe.OrderLapsed: _lapsed,
    oe.OrderUpdated: _updated,
    oe.ChangeRejected: _nothing,
    oe.BetVoided: _voided,
    oe.OddsReduced: _reduced,
    oe.StartingPricesSet: _starting_prices,
    oe.CommissionCharged: _charged,
    oe.CommissionReturned: _returned,
    oe.DiscountsWereSet: _discounts,
    oe.AccountSettled: account_settled,
    oe.AccountUnsettled: account_unsettled,
    oe.ExposureRaised: exposure_raised,
}
