"""What an order that comes into its market changes in the state, and in those that it meets."""

from sys import intern

from pipelines.books.exchange_levels import Resting
from pipelines.limits import ODDS_ONE
from pipelines.messages import order_entries as oe
from pipelines.shard.numbers import shared
from pipelines.shard.order import Order
from pipelines.shard.order_parts import terms_of
from pipelines.shard.state import ACCEPTED, AnyBet, EventState, MarketState, ShardState

__all__ = ["enter", "new_order", "placed", "traded"]

Parts = tuple[tuple[int, int, bool], ...]


def new_order(entry: oe.OrderEntry, status: int, at_ms: int, remaining_minor: int) -> Order:
    """Return an order as its first answer has it."""
    # What many orders have in common is kept once.
    order = Order(
        intern(entry.client_id),
        entry.bet_id,
        terms_of(entry),
        shared(entry.stake_minor),
        shared(entry.asked_odds_e4),
        remaining_minor,
        status,
        at_ms,
    )
    if entry.replaces:
        order.fated().replaces = entry.replaces
    return order


def enter(market: MarketState, order: Order, parts: Parts, at_ms: int) -> None:
    """An order comes into the book: what was matched at once, and what waits."""
    book = market.exchange
    assert book is not None
    book.orders += 1
    market.bets.append(order)
    if parts:
        market.escrow_minor += order.fill_at_once(parts, at_ms)
        left = order.stake_minor
        for odds_e4, size_minor, virtual in parts:
            left -= size_minor
            if virtual:  # a trade without a resting order of this selection
                book.trade(order.selection_id, odds_e4, size_minor)
        order.remaining_minor = left
        if not left:
            return
    if order.rests():
        book.rest(order, order.lay)
    elif order.order_type != "LIMIT":
        book.rest_for_sp(order)


def placed(
    shard: ShardState, event: EventState, market: MarketState, entry: oe.OrderPlaced, at_ms: int
) -> None:
    """An order is in the market."""
    # Written out: this runs once for nearly every order.
    bet_id, stake_minor, terms = entry.bet_id, shared(entry.stake_minor), terms_of(entry)
    order = Order(
        intern(entry.client_id),
        bet_id,
        terms,
        stake_minor,
        shared(entry.asked_odds_e4),
        stake_minor,
        ACCEPTED,
        at_ms,
    )
    bets = event.bets
    if bets.clashed or bets.by_id.setdefault(bet_id, order) is not order:
        bets.add(order)
    if entry.fills or entry.replaces or not terms.rests:
        if entry.replaces:
            order.fated().replaces = entry.replaces
        enter(market, order, entry.fills, at_ms)
        return
    book = market.exchange
    assert book is not None
    book.orders += 1
    market.bets.append(order)
    runner = book.runners[terms.selection_id]
    if (runner.lays if terms.lay else runner.backs).add(order) or book.near:
        runner.shown = None


def traded(
    shard: ShardState, event: EventState, market: MarketState, entry: oe.OrderTraded, at_ms: int
) -> None:
    """An order is in the market, and so much of those that waited was matched with it."""
    placed(shard, event, market, entry, at_ms)
    book = market.exchange
    assert book is not None
    bets, runners = event.bets, book.runners
    taker = runners[entry.selection_id]
    opposite = taker.backs if entry.side == "LAY" else taker.lays
    matches = entry.matches
    held_minor = 0
    for client_id, bet_id, odds_e4, size_minor, remaining_minor, virtual in matches:
        # Mostly it is the next in turn.
        order: AnyBet | Resting | None = None if virtual else opposite.orders[-1]
        if order is None or order.bet_id != bet_id or order.client_id != client_id:
            order = bets.of(client_id, bet_id)
        assert type(order) is Order
        # As `Order.fill` and `ExchangeBook.take_from` do: written out, it runs for every trade.
        terms = order.terms
        lay = terms.lay
        if order.trades is None:
            order.trades = (odds_e4, size_minor, at_ms)
            held_minor -= (ODDS_ONE - odds_e4) * size_minor // ODDS_ONE if lay else -size_minor
        else:
            held_minor += order.fill(odds_e4, size_minor, at_ms)
        order.remaining_minor = remaining_minor
        runner = runners[terms.selection_id] if virtual else taker
        (runner.lays if lay else runner.backs).reduced(order, size_minor)
        traded = runner.traded
        traded[odds_e4] = traded.pop(odds_e4, 0) + size_minor
        runner.traded_minor += size_minor
        runner.last_odds_e4 = odds_e4
        runner.shown = None
    market.escrow_minor += held_minor
    event.seq += len(matches)
    market.seq += len(matches)
    market.event_seq = event.seq
