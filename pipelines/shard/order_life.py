"""What a change of its market means for orders: the off, suspension, close, a withdrawal.

Each generator is resumed after its last entry was applied, and looks at the state as it is then.
"""

from collections.abc import Iterator

from msgspec import UnsetType

from pipelines.books.exchange_money import reduced_liability_minor, reduced_odds_e4
from pipelines.codes import Code
from pipelines.messages import entries as e
from pipelines.messages import operations as o
from pipelines.messages import order_entries as oe
from pipelines.shard.numbering import Numbers
from pipelines.shard.order import FOREVER_MS, Order
from pipelines.shard.order_funds import raised
from pipelines.shard.order_sp import reconcile
from pipelines.shard.orders import lapsed
from pipelines.shard.state import ACCEPTED, MarketState

__all__ = ["before_change", "lapse_all", "void_order", "withdraw"]


#: Sentences for orders that were in the market, where the code's own speaks of new ones.
_WHY = {
    Code.MARKET_SUSPENDED: "The market was suspended. What was unmatched lapsed.",
    Code.MARKET_NOT_OPEN_FOR_BETTING: "The market was closed. What was unmatched lapsed.",
    Code.RUNNER_REMOVED: "A selection was withdrawn. What was unmatched lapsed.",
}


def before_change(
    market: MarketState, numbers: Numbers, after: e.MarketChanged
) -> Iterator[e.Entry]:
    """Yield what happens to orders before a market's status or in-play flag changes.

    At the off (or the close) the starting prices are reconciled; at the off unmatched orders
    lapse unless they persist; at a suspension those lapse that do not persist; at the close all do.
    """
    book = market.exchange
    assert book is not None
    turning = after.in_play and not market.in_play
    closing = after.status == "CLOSED" and market.status != "CLOSED"
    if (turning or closing) and market.definition.bsp_market and not book.reconciled:
        yield from reconcile(market, numbers)
    if closing:
        yield from lapse_all(market, numbers)
    elif turning:
        keeping = ("PERSIST",)
        yield from _lapse(market, numbers, Code.TURNED_IN_PLAY, keeping)
    elif after.status == "SUSPENDED" and market.status != "SUSPENDED":
        keeping_all = ("PERSIST", "MARKET_ON_CLOSE")
        yield from _lapse(market, numbers, Code.MARKET_SUSPENDED, keeping_all)


def lapse_all(market: MarketState, numbers: Numbers) -> Iterator[e.Entry]:
    """Yield that everything unmatched is out of the market."""
    for order in _waiting(market):
        who = (order.client_id, order.bet_id)
        code = Code.MARKET_NOT_OPEN_FOR_BETTING
        if order.order_type != "LIMIT":
            code = Code.SP_NOT_REACHED
        yield lapsed(numbers, who, order.remaining_minor, code, _WHY.get(code, ""))


def _lapse(
    market: MarketState, numbers: Numbers, code: Code, keeping: tuple[str, ...]
) -> Iterator[e.Entry]:
    for order in _waiting(market):
        if order.rests() and order.persistence not in keeping:
            who = (order.client_id, order.bet_id)
            yield lapsed(numbers, who, order.remaining_minor, code, _WHY.get(code, ""))


def _waiting(market: MarketState) -> list[Order]:
    """Return the orders with a remainder, oldest first."""
    return [
        order
        for order in market.bets
        if isinstance(order, Order) and order.remaining_minor and order.status == ACCEPTED
    ]


def void_order(
    numbers: Numbers, order: Order, from_ms: int, to_ms: int, reason: str
) -> oe.BetVoided | None:
    """Return that what an order had matched in an interval is void, None where nothing was."""
    left = [one for one in order.fills if not from_ms <= one[2] <= to_ms]
    if len(left) == len(order.fills):
        return None
    kept = Order.of_fills(order.lay, left)
    kept_minor = min(kept.size_minor, order.matched_minor) if left else 0
    return oe.BetVoided(
        *numbers.next(),
        order.client_id,
        order.bet_id,
        order.matched_minor - kept_minor,
        order.staked_minor - kept.staked_minor,
        from_ms,
        to_ms,
        reason,
    )


def withdraw(
    market: MarketState, numbers: Numbers, operation: o.SelectionRemoved
) -> Iterator[e.Entry]:
    """Yield a withdrawal: bets on it void, others at reduced odds, unmatched orders lapsed."""
    reason = operation.reason or "selection withdrawn"
    removed = operation.selection_id
    own = {s.selection_id: s.adjustment_factor_e4 for s in market.definition.selections}
    factor = operation.reduction_factor_e4
    factor_e4 = own[removed] if isinstance(factor, UnsetType) else factor
    version = market.version + 1
    yield e.SelectionWasRemoved(*numbers.next(), removed, version, reason, factor_e4)
    # Kept orders could be crossed virtually once a selection is missing.
    keep = operation.keep_unmatched and not market.definition.cross_matching
    place = market.definition.number_of_winners > 1
    for order in _waiting(market):
        on_it = order.selection_id == removed
        size = 0
        if on_it or (order.order_type == "LIMIT" and not keep):
            size = order.remaining_minor
        elif order.order_type != "LIMIT" and order.lay and factor_e4:
            left = reduced_liability_minor(
                order.remaining_minor, factor_e4, own[order.selection_id], place
            )
            size = order.remaining_minor - left
        if size:
            who = (order.client_id, order.bet_id)
            code = Code.RUNNER_REMOVED
            yield lapsed(numbers, who, size, code, _WHY[code])
    for bet in market.bets:
        if not isinstance(bet, Order) or bet.status != ACCEPTED or not bet.fills:
            continue
        if bet.selection_id == removed:
            voided = void_order(numbers, bet, 0, FOREVER_MS, reason)
            if voided is not None:
                yield voided
        elif factor_e4:
            yield from _reduce(numbers, bet, factor_e4, place)
    yield from raised(market, numbers)


def _reduce(numbers: Numbers, order: Order, factor_e4: int, place: bool) -> Iterator[e.Entry]:
    fills = [(reduced_odds_e4(odds, factor_e4, place), s, at) for odds, s, at in order.fills]
    if fills == list(order.fills):
        return
    after = Order.of_fills(order.lay, fills)
    yield oe.OddsReduced(
        *numbers.next(),
        order.client_id,
        order.bet_id,
        factor_e4,
        after.odds_e4,
        order.staked_minor - after.staked_minor,
    )
