"""The starting price of each selection: shown while betting is open, reconciled at the off.

All who are matched at it get the same price. Where one side wants more than the other gives, those
with the keener limit come first, then the older order; what is left of orders for the starting
price lapses, other orders go on as their persistence says.
"""

from collections.abc import Iterator
from typing import NamedTuple

from pipelines.books.exchange import Runner
from pipelines.books.exchange_money import liability_minor
from pipelines.books.exchange_sp import SpInterest, starting_price_e4
from pipelines.codes import Code
from pipelines.limits import ODDS_ONE
from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe
from pipelines.shard.numbering import Numbers
from pipelines.shard.order import Order
from pipelines.shard.order_funds import raised
from pipelines.shard.order_parts import places_of
from pipelines.shard.orders import lapsed
from pipelines.shard.state import MarketState

__all__ = ["near_and_far_e4", "reconcile"]


class _Sides(NamedTuple):
    backs: list[Order]
    lays: list[Order]


def near_and_far_e4(runner: Runner) -> tuple[int, int]:
    """Return the starting price if it were reconciled now, with and without unmatched orders."""
    if not runner.sp_orders and not runner.backs.orders and not runner.lays.orders:
        return 0, 0
    near = starting_price_e4(_interest(_sides(runner, True)))
    return near, starting_price_e4(_interest(_sides(runner, False)))


def _sides(runner: Runner, with_orders: bool) -> _Sides:
    found = list(runner.sp_orders.values())
    if with_orders:
        found += [*runner.backs.in_turn(), *runner.lays.in_turn()]
    orders = [one for one in found if isinstance(one, Order)]
    return _Sides([one for one in orders if not one.lay], [one for one in orders if one.lay])


def _at_any_price(order: Order) -> bool:
    return "MARKET_ON_CLOSE" in (order.order_type, order.persistence)


def _liability(order: Order) -> int:
    """Return what a lay puts up at the starting price."""
    if order.order_type == "LIMIT":
        return liability_minor(order.remaining_minor, order.asked_odds_e4)
    return order.remaining_minor


def _interest(sides: _Sides) -> SpInterest:
    return SpInterest(
        sum(o.remaining_minor for o in sides.backs if _at_any_price(o)),
        sum(_liability(o) for o in sides.lays if _at_any_price(o)),
        tuple((o.asked_odds_e4, o.remaining_minor) for o in sides.backs if not _at_any_price(o)),
        tuple(
            (o.asked_odds_e4, o.remaining_minor)
            for o in sides.lays
            if not _at_any_price(o) and o.order_type != "LIMIT"
        ),
        tuple(
            (o.asked_odds_e4, o.remaining_minor)
            for o in sides.lays
            if not _at_any_price(o) and o.order_type == "LIMIT"
        ),
    )


def reconcile(market: MarketState, numbers: Numbers) -> Iterator[e.Entry]:
    """Yield the starting prices, what is matched at them, and what is left over."""
    book = market.exchange
    assert book is not None
    found = {
        selection_id: _sides(runner, True)
        for selection_id, runner in book.runners.items()
        if runner.active
    }
    prices = {s: starting_price_e4(_interest(sides)) for s, sides in found.items()}
    places = places_of(market.bets)
    yield oe.StartingPricesSet(*numbers.next(), tuple(prices.items()))
    for selection_id, sides in found.items():
        price = prices[selection_id]
        if price:
            yield from _match(numbers, sides, price, places)
        for order in list(book.runners[selection_id].sp_orders.values()):
            who = (order.client_id, order.bet_id)
            yield lapsed(numbers, who, order.remaining_minor, Code.SP_NOT_REACHED)
    yield from raised(market, numbers)


def _match(
    numbers: Numbers, sides: _Sides, price: int, places: dict[int, int]
) -> Iterator[e.Entry]:
    backs = [o for o in sides.backs if _at_any_price(o) or o.asked_odds_e4 <= price]
    lays = [o for o in sides.lays if _at_any_price(o) or o.asked_odds_e4 >= price]
    backs.sort(key=lambda o: (not _at_any_price(o), o.asked_odds_e4, places[id(o)]))
    lays.sort(key=lambda o: (not _at_any_price(o), -o.asked_odds_e4, places[id(o)]))
    wanted = {id(o): o.remaining_minor for o in backs}
    offered = {id(o): _size_at(o, price) for o in lays}
    both = min(sum(wanted.values()), sum(offered.values()))
    for side, sizes in ((backs, wanted), (lays, offered)):
        left = both
        for order in side:
            size = min(left, sizes[id(order)])
            if not size:
                continue
            left -= size
            remaining = 0 if size == sizes[id(order)] else _remaining(order, size, price)
            yield oe.BetMatched(
                *numbers.next(), order.client_id, order.bet_id, price, size, remaining, "sp"
            )


def _size_at(order: Order, price: int) -> int:
    """Return the backers' stakes that a lay takes at the price."""
    if order.order_type == "LIMIT" and not _at_any_price(order):
        return order.remaining_minor
    return _liability(order) * ODDS_ONE // (price - ODDS_ONE)


def _remaining(order: Order, size: int, price: int) -> int:
    """Return what is left of an order of which only so much is matched, in its own unit."""
    if not order.lay or (order.order_type == "LIMIT" and not _at_any_price(order)):
        return order.remaining_minor - size
    left = max(_liability(order) - liability_minor(size, price), 0)
    if order.order_type != "LIMIT":
        return left
    return min(left * ODDS_ONE // (order.asked_odds_e4 - ODDS_ONE), order.remaining_minor)
