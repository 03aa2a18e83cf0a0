"""What entries change in what accounts hold for exchange markets; called by `evolve`.

What is held for a bettor grows with the orders that the account let in, at once. Where it is more
than is needed, that is a surplus, and a timer: so a bettor who cancels and orders again need not
ask again, and the account hears of it once a second at most.
"""

from collections.abc import Callable
from typing import Any, Final

from pipelines.limits import EXPOSURE_RELEASE_MS
from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe
from pipelines.messages import transfers as t
from pipelines.messages.apart import apart
from pipelines.shard.bettor import client_of
from pipelines.shard.exposure import added, needed_minor, position_of, worst_loss_minor
from pipelines.shard.market_funds import Exposure, Position
from pipelines.shard.order import Order
from pipelines.shard.state import PENDING, EventState, MarketState, ShardState

__all__ = ["account_settled", "account_unsettled", "apply_with_funds", "exposure_raised", "told"]

NOTHING: Final = (0, 0)
_ANSWERS: Final = frozenset({oe.OrderConfirmed, e.BetDeclined, e.BetCancelled})


def apply_with_funds(
    apply: Callable[..., None],
    shard: ShardState,
    event: EventState,
    market: MarketState,
    entry: Any,
    at_ms: int,
) -> None:
    """Apply an entry of a market of accounts, and note what its bettors have at risk then."""
    parts: list[Any] = [part for part in apart(entry) if getattr(part, "bet_id", "")]
    # An order may be matched in several parts: what it came to before is asked once.
    before = {(p.client_id, p.bet_id): NOTHING for p in parts}
    for client_id, bet_id in before:
        before[client_id, bet_id] = _position(event, market, client_id, bet_id)
    apply(shard, event, market, entry, at_ms)
    if type(entry) is e.SelectionWasRemoved:
        _withdrawn(shard, event, market, entry.selection_id)
    for part in parts:
        kind, key = type(part), (part.client_id, part.bet_id)
        after = _position(event, market, *key)
        was, before[key] = before[key], after
        if was != after or kind is oe.OrderPending or kind in _ANSWERS:
            _note(shard, event, market, part, (after[0] - was[0], after[1] - was[1]))


def _position(event: EventState, market: MarketState, client_id: str, bet_id: str) -> Position:
    """Return what an order comes to that is in the market."""
    order = event.bets.of(client_id, bet_id)
    if not isinstance(order, Order) or order.status == PENDING:
        return NOTHING
    # Whatever is on it will be void; until all of it is, nothing of it counts.
    if market.selections[order.selection_id] == "REMOVED":
        return NOTHING
    return position_of(order)


def _exposure(market: MarketState, client_id: str) -> Exposure:
    assert market.funds is not None
    bettors = market.funds.bettors
    found = bettors.get(client_id)
    if found is None:
        found = bettors[client_id] = Exposure()
    return found


def _note(
    shard: ShardState, event: EventState, market: MarketState, entry: Any, change: Position
) -> None:
    client_id, bet_id = entry.client_id, entry.bet_id
    exposure = _exposure(market, client_id)
    if change != NOTHING:
        order = event.bets[client_id, bet_id]
        added(exposure.positions, order.selection_id, change)
        exposure.worst_minor = worst_loss_minor(market, exposure.positions.values())
    if isinstance(entry, oe.OrderPending):
        exposure.asked[bet_id] = entry.asked_minor if entry.hold_ms else None
    elif type(entry) in _ANSWERS:
        asked = exposure.asked.pop(bet_id)
        exposure.ended = "" if asked is None else bet_id
        if isinstance(entry, oe.OrderConfirmed):
            exposure.held_minor += asked or 0
    _watch(shard, event, market, client_id, exposure)


def _withdrawn(
    shard: ShardState, event: EventState, market: MarketState, selection_id: int
) -> None:
    assert market.funds is not None
    for client_id, exposure in list(market.funds.bettors.items()):
        exposure.positions.pop(selection_id, None)
        exposure.worst_minor = worst_loss_minor(market, exposure.positions.values())
        _watch(shard, event, market, client_id, exposure)


def _watch(
    shard: ShardState, event: EventState, market: MarketState, client_id: str, exposure: Exposure
) -> None:
    """Let a surplus be let go soon; forget a bettor for whom there is nothing."""
    funds = market.funds
    assert funds is not None
    needed = 0
    if client_id not in funds.posted:
        asked = exposure.asked
        needed = needed_minor(event, market, client_id) if asked else exposure.worst_minor
    name = ("surplus", event.event_id, client_id, market.definition.market_id)
    timers = shard.timers
    if exposure.held_minor <= needed:
        timers.remove(*name)
    elif timers.named(*name) is None:
        timers.add((shard.now_ms + EXPOSURE_RELEASE_MS, shard.shard_seq, *name))
    if not (exposure.positions or exposure.held_minor or exposure.asked or exposure.ended):
        del funds.bettors[client_id]


def told(shard: ShardState, to: str, body: t.Body) -> None:
    """An account is told what to hold, or what becomes of an order for which it was asked."""
    event = shard.events.get(body.event_id) if isinstance(body, _TOLD) else None
    if event is None:
        return
    client_id = client_of(to)
    if isinstance(body, t.FundsReturned):
        order = event.bets.of(client_id, body.bet_id)
        market = event.markets[order.market_id] if isinstance(order, Order) else None
    else:
        assert isinstance(body, t.ExposureHeld | t.MarketPosted)
        market = event.markets[body.market_id]
    if market is None or market.funds is None:
        return
    exposure = _exposure(market, client_id)
    exposure.ended = ""
    if not isinstance(body, t.FundsReturned):
        exposure.held_minor = body.held_minor
    _watch(shard, event, market, client_id, exposure)


_TOLD: Final = (t.FundsReturned, t.ExposureHeld, t.MarketPosted)


def account_settled(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    entry: oe.AccountSettled,
    at_ms: int,
) -> None:
    """A bettor's result of the market is posted; nothing is at risk any more."""
    assert market.funds is not None
    market.funds.posted[entry.client_id] = (entry.net_minor, entry.commission_minor)


def account_unsettled(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    entry: oe.AccountUnsettled,
    at_ms: int,
) -> None:
    """The posting is reversed, the orders stand as they were."""
    assert market.funds is not None
    del market.funds.posted[entry.client_id]


def exposure_raised(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    entry: oe.ExposureRaised,
    at_ms: int,
) -> None:
    """The transfer that follows says so to the account."""
