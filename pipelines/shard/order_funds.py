"""Stage 5, risk, on an exchange of accounts: hold what a bettor may lose before an order comes in.

For each bettor and market the account holds the worst loss of all orders there (betting.md 1.5 and
3.8), not each order's own. An order within it is decided at once. For any other the account is
asked for the difference, and the order is pending until it holds that; then it is checked again, as
after a bet delay. Looks at the state and changes nothing.
"""

from collections.abc import Iterator, Sequence

from pipelines.limits import TRANSFER_DEADLINE_MS
from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe
from pipelines.messages import transfers as t
from pipelines.shard.bettor import bettor_key
from pipelines.shard.exposure import (
    added,
    asked_position,
    needed_minor,
    position_of,
    worst_loss_minor,
)
from pipelines.shard.numbering import Numbers
from pipelines.shard.order import Order
from pipelines.shard.state import EventState, MarketState

__all__ = [
    "follow_order",
    "raised",
    "released",
    "settle_accounts",
    "short_of_funds",
    "unsettle_accounts",
    "with_order_funds",
]

Decided = Sequence[e.Entry | t.Send]


def with_order_funds(
    event: EventState, market: MarketState, found: Decided, at_ms: int, wall_ms: int
) -> Decided:
    """Return the answer to an order or a replace: what would be placed may wait for its money."""
    at = 1 if isinstance(found[0], oe.OrderCancelled) else 0
    entry = found[at] if at < len(found) else None
    if not isinstance(entry, oe.OrderPlaced | oe.OrderPending):
        return found
    assert market.funds is not None
    client_id = entry.client_id
    lay, limit = entry.side == "LAY", entry.order_type == "LIMIT"
    position = asked_position(lay, limit, entry.stake_minor, entry.asked_odds_e4)
    replaced = event.bets.of(client_id, entry.replaces) if entry.replaces else None
    assert replaced is None or isinstance(replaced, Order)
    bet = (entry.selection_id, position)
    needed = needed_minor(event, market, client_id, bet, replaced)
    exposure = market.funds.bettors.get(client_id)
    held = exposure.held_minor if exposure is not None else 0
    # Whoever has nothing here is asked for even where nothing can be lost: there may be no account.
    if needed <= held and exposure is not None and (exposure.positions or held):
        return found
    asked = max(needed - held, 0)
    due_ms = entry.due_ms if isinstance(entry, oe.OrderPending) else at_ms
    pending = oe.OrderPending(
        entry.event_id,
        entry.event_seq,
        entry.market_id,
        entry.market_seq,
        client_id,
        entry.bet_id,
        entry.selection_id,
        entry.stake_minor,
        entry.asked_odds_e4,
        entry.price_policy,
        entry.tolerance_e4,
        entry.market_version,
        entry.side,
        entry.order_type,
        entry.persistence,
        entry.time_in_force,
        entry.min_fill_minor,
        entry.replaces,
        due_ms,
        wall_ms + TRANSFER_DEADLINE_MS,
        asked,
    )
    send = t.Send(bettor_key(client_id), t.FundsAsked(entry.event_id, entry.bet_id, asked))
    return [*found[:at], pending, send]


def short_of_funds(market: MarketState, order: Order) -> bool:
    """Return whether a pending order would put more at risk than is held: the second check."""
    assert market.funds is not None
    exposure = market.funds.bettors[order.client_id]
    positions = dict(exposure.positions)
    added(positions, order.selection_id, position_of(order))
    held = exposure.held_minor + (exposure.asked[order.bet_id] or 0)
    return worst_loss_minor(market, positions.values()) > held


def follow_order(market: MarketState, entry: e.Entry) -> t.Send | None:
    """Return what an account is told of an entry, which the state holds already."""
    client_id = getattr(entry, "client_id", "")
    assert market.funds is not None
    exposure = market.funds.bettors.get(client_id)
    where = (entry.event_id, entry.market_id)
    body: t.Body
    if isinstance(entry, oe.AccountSettled):
        amount = entry.net_minor - entry.commission_minor
        body = t.MarketPosted(*where, entry.settlement, amount, 0, rolled_back=False)
    elif isinstance(entry, oe.AccountUnsettled):
        amount = entry.commission_minor - entry.net_minor
        held = exposure.worst_minor if exposure is not None else 0
        body = t.MarketPosted(*where, entry.settlement, amount, held, rolled_back=True)
    elif exposure is None:
        return None
    elif isinstance(entry, oe.ExposureRaised):
        body = t.ExposureHeld(*where, "", entry.held_minor)
    elif not exposure.ended:
        return None
    elif isinstance(entry, oe.OrderConfirmed):
        body = t.ExposureHeld(*where, exposure.ended, exposure.held_minor)
    else:
        body = t.FundsReturned(entry.event_id, exposure.ended)
    return t.Send(bettor_key(client_id), body)


def released(event: EventState, client_id: str, market_id: str) -> t.Send:
    """Return that what is held for a bettor beyond what is needed is let go; it is due."""
    market = event.markets[market_id]
    assert market.funds is not None
    settled = client_id in market.funds.posted
    needed = 0 if settled else needed_minor(event, market, client_id)
    body = t.ExposureHeld(event.event_id, market_id, "", needed)
    return t.Send(bettor_key(client_id), body)


def raised(market: MarketState, numbers: Numbers) -> Iterator[oe.ExposureRaised]:
    """Yield who has more at risk than is held after a withdrawal, void or starting price.

    Nobody is asked: the bets stand, so the money is due, and may lead the free balance below zero.
    """
    if market.funds is None:
        return
    for client_id, exposure in tuple(market.funds.bettors.items()):
        if exposure.worst_minor > exposure.held_minor and client_id not in market.funds.posted:
            yield oe.ExposureRaised(*numbers.next(), client_id, exposure.worst_minor)


def settle_accounts(
    market: MarketState, numbers: Numbers, clients: Sequence[str], nets: dict[str, int]
) -> Iterator[oe.AccountSettled]:
    """Yield what a market comes to for these bettors; their commissions are charged."""
    if market.funds is None:
        return
    for client_id in clients:
        commission = market.commissions.get(client_id, 0)
        yield oe.AccountSettled(
            *numbers.next(), client_id, market.settlement, nets[client_id], commission
        )


def unsettle_accounts(
    market: MarketState, numbers: Numbers, clients: Sequence[str]
) -> Iterator[oe.AccountUnsettled]:
    """Yield that these bettors' postings of the present settlement are reversed."""
    assert market.funds is not None
    for client_id in clients:
        net, commission = market.funds.posted[client_id]
        yield oe.AccountUnsettled(*numbers.next(), client_id, market.settlement, net, commission)
