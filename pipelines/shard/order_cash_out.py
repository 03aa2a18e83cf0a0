"""Cash-out on an exchange: an order on the other side, so that whatever wins comes to the same.

A back of S matched at an average of o pays v = S * o if it wins. Lays of L in all, whose odds times
sizes sum to v, leave L - S either way: L is what the stake has become. A lay, with v - S at risk,
is met by backs of B whose odds times sizes sum to v, which leaves v - B of what was at risk. Taken
from the prices that wait now, before commission.
"""

from typing import Final

from pipelines.books.exchange_levels import Levels
from pipelines.codes import Code
from pipelines.limits import ID_LENGTH_MAX, ODDS_ONE
from pipelines.messages.requests import BetRequest, CashOutRequest
from pipelines.shard.order import Order
from pipelines.shard.state import EventState, MarketState

__all__ = ["Hedge", "hedge_of", "hedge_order"]

TRIES_MAX: Final = 100

#: What a bet is worth, the size of the order that makes it so, and the worst odds it needs.
Hedge = tuple[int, int, int]


def hedge_of(market: MarketState, order: Order) -> Hedge | Code:
    """Return what the matched part of an order is worth now, and what has to be ordered."""
    book = market.exchange
    assert book is not None
    if not order.size_minor:
        return Code.BET_IN_PROGRESS if order.remaining_minor else Code.BET_TAKEN_OR_LAPSED
    if market.status != "OPEN":
        suspended = market.status == "SUSPENDED"
        return Code.MARKET_SUSPENDED if suspended else Code.MARKET_NOT_OPEN_FOR_BETTING
    if market.selections[order.selection_id] != "ACTIVE":
        return Code.RUNNER_REMOVED
    if market.definition.number_of_winners != 1:
        return Code.CASH_OUT_UNAVAILABLE
    runner = book.runners[order.selection_id]
    # A back is met by a lay, which meets the backs that wait, and the other way round.
    found = _walk(runner.lays if order.lay else runner.backs, order.value_e4)
    if found is None:
        return Code.CASH_OUT_UNAVAILABLE
    size, worst_e4 = found
    worth = order.value_e4 // ODDS_ONE - size if order.lay else size
    return (worth, size, worst_e4) if worth > 0 and size else Code.CASH_OUT_UNAVAILABLE


def _walk(levels: Levels, value_e4: int) -> tuple[int, int] | None:
    """Return the size at the best prices whose odds times sizes come to a value, and the worst."""
    size = worst_e4 = 0
    for odds_e4, waiting in levels.levels():
        wanted = value_e4 // odds_e4
        if not wanted:
            break
        taken = min(wanted, waiting)
        size, worst_e4 = size + taken, odds_e4
        value_e4 -= taken * odds_e4
        if taken == wanted:
            return size, worst_e4
    return (size, worst_e4) if size and value_e4 < worst_e4 else None


def hedge_order(
    event: EventState, request: CashOutRequest, order: Order, hedge: Hedge
) -> BetRequest | Order:
    """Return the order to place, all of it or nothing; or the one that was matched before."""
    _, size, worst_e4 = hedge
    for number in range(1, TRIES_MAX):
        bet_id = f"{request.bet_id}/cash-out" + (f"-{number}" if number > 1 else "")
        key = (order.client_id, bet_id)
        known = event.bets.get(key)
        if isinstance(known, Order) and (known.size_minor or known.remaining_minor):
            return known
        if known is None and key not in event.refusals:
            break
    return BetRequest(
        bet_id[-ID_LENGTH_MAX:],
        request.event_id,
        request.market_id,
        order.selection_id,
        size,
        worst_e4,
        side="BACK" if order.lay else "LAY",
        time_in_force="FILL_OR_KILL",
    )
