"""What the entries of markets that change their shard change in the state; called by `evolve`."""

from collections.abc import Callable
from typing import Any, Final

from pipelines.errors import JournalError
from pipelines.limits import EVENT_RETENTION_MS, ROUTED_BETS_MAX
from pipelines.messages import isolation_entries as ie
from pipelines.messages.transfers import Forwarded
from pipelines.shard.away import Away
from pipelines.shard.parcel import Parcel, timers_named, unpacked
from pipelines.shard.risk_changes import count_market, forget_market
from pipelines.shard.state import BetKey, EventState, MarketState, ShardState

__all__ = ["APPLY_TO_ISOLATION", "remember", "retire_when_settled"]


def retire_when_settled(shard: ShardState, event: EventState) -> None:
    """Forgetting is a timer once all markets are settled, here and elsewhere.

    Where an event is a guest, its home says when to forget it.
    """
    if event.guest or not all(m.settled for m in event.markets.values()):
        return
    if all(away.settled and not away.coming for away in event.away.values()):
        due = shard.now_ms + EVENT_RETENTION_MS
        shard.timers.remove("retire", event.event_id, "", "")
        shard.timers.add((due, shard.shard_seq, "retire", event.event_id, "", ""))


def remember(shard: ShardState, item: Forwarded) -> None:
    """A request goes to a market elsewhere: its bet id is that market's from now on."""
    event = shard.events.get(item.event_id)
    if event is not None and item.bet_id:
        _route(event, (item.client_id, item.bet_id), item.market_id)


def _route(event: EventState, key: BetKey, market_id: str) -> None:
    event.routed.setdefault(key, market_id)
    if len(event.routed) > ROUTED_BETS_MAX:
        del event.routed[next(iter(event.routed))]


def _handed_over(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    entry: ie.MarketHandedOver,
    at_ms: int,
) -> None:
    market_id = entry.market_id
    for timer in timers_named(shard, event, market):
        shard.timers.remove(*timer[2:])
    forget_market(shard, event, market)
    del event.markets[market_id]
    for kept in (event.bets, event.refusals):
        for key in [key for key, bet in kept.items() if bet.market_id == market_id]:
            del kept[key]
            event.parts.pop(key, None)
            if not event.guest:
                _route(event, key, market_id)
    if not event.guest:
        event.away[market_id] = Away(entry.to, settled=market.settled)
        if entry.to not in event.guests:
            event.guests.append(entry.to)


def _part_received(
    shard: ShardState, event: None, market: None, entry: ie.MarketPartReceived, at_ms: int
) -> None:
    shard.arriving.setdefault((entry.of_event, entry.of_market), []).append(entry.data)


def _arrived(
    shard: ShardState,
    event: EventState | None,
    market: None,
    entry: ie.MarketArrived,
    at_ms: int,
) -> None:
    event_id, market_id = entry.event_id, entry.market_id
    parcel = unpacked(shard.arriving.pop((event_id, market_id), ()), entry.digest)
    if event is None:
        event = _guest(shard, parcel, entry, at_ms)
    found = parcel.market
    # It was packed just before the entry that handed it over, whose number is the one between.
    if entry.market_seq != found.seq + 2:
        raise JournalError(f"market {market_id}: {found.seq} arrives as {entry.market_seq}")
    found.seq, found.event_seq, found.at_ms = entry.market_seq, entry.event_seq, at_ms
    event.markets[market_id] = found
    for bet in parcel.bets:
        event.bets.add(bet)
    for bet in parcel.refusals:
        event.refusals[bet.client_id, bet.bet_id] = bet
    event.parts.update(parcel.stakes_asked)
    count_market(shard, event, found)
    if event.away.pop(market_id, None) is not None:
        for key in [key for key, at in event.routed.items() if at == market_id]:
            del event.routed[key]
    first = shard.shard_seq - len(parcel.timers)  # among equals they keep their order
    for number, timer in enumerate(parcel.timers, first):
        shard.timers.add((timer[0], number, *timer[2:]))
    if found.settled:
        retire_when_settled(shard, event)


def _guest(shard: ShardState, parcel: Parcel, entry: ie.MarketArrived, at_ms: int) -> EventState:
    """An event of another shard has a market here, for the first time."""
    event = EventState(
        entry.event_id, parcel.event_name, parcel.event_type, parcel.start_ms, feed_clock=False
    )
    event.guest = True
    event.seq = entry.event_seq
    shard.events[entry.event_id] = event
    if parcel.start_ms > at_ms:
        timer = (parcel.start_ms, shard.shard_seq, "start", entry.event_id, "", "")
        shard.timers.add(timer)
    return event


def _recalled(
    shard: ShardState, event: EventState, market: None, entry: ie.MarketRecalled, at_ms: int
) -> None:
    event.away[entry.market_id].coming = True
    shard.timers.remove("retire", event.event_id, "", "")


def _waits(
    shard: ShardState, event: EventState, market: None, entry: ie.RequestWaits, at_ms: int
) -> None:
    event.away[entry.market_id].waiting.append(entry.waiting)
    remember(shard, entry.waiting)


def _taken(
    shard: ShardState, event: EventState, market: None, entry: ie.RequestTaken, at_ms: int
) -> None:
    """What was waiting went with the market's arrival."""


def _ended(
    shard: ShardState, event: EventState, market: None, entry: ie.AwayMarketEnded, at_ms: int
) -> None:
    event.away[entry.market_id].settled = entry.settled
    if entry.settled:
        retire_when_settled(shard, event)
    else:
        shard.timers.remove("retire", event.event_id, "", "")


APPLY_TO_ISOLATION: Final[dict[type, Callable[..., Any]]] = {
    ie.MarketHandedOver: _handed_over,
    ie.MarketPartReceived: _part_received,
    ie.MarketArrived: _arrived,
    ie.MarketRecalled: _recalled,
    ie.RequestWaits: _waits,
    ie.RequestTaken: _taken,
    ie.AwayMarketEnded: _ended,
}
