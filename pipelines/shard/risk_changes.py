"""What entries change of an event's risk: limits, levers, referrals, sums by bettor."""

from collections.abc import Callable
from typing import Final

from pipelines.books.rounding import payout_minor
from pipelines.limits import ODDS_ONE
from pipelines.messages import entries as e
from pipelines.messages.risk_operations import RiskLever, RiskSet
from pipelines.shard.clock import timers_of
from pipelines.shard.order import Order
from pipelines.shard.risk_state import EventRisk
from pipelines.shard.state import ACCEPTED, AnyBet, EventState, MarketState, ShardState

__all__ = ["APPLY_TO_RISK", "count_bet", "note_prices"]


def _risk(event: EventState) -> EventRisk:
    """Return the event's risk; from the first word on, it knows what is open."""
    risk = event.risk
    if risk is None:
        risk = event.risk = EventRisk(RiskSet(event.event_id))
        for bet in event.bets.values():
            if bet.status == ACCEPTED:
                count_bet(event, bet, 1)
    return risk


def count_bet(event: EventState, bet: AnyBet, sign: int) -> None:
    """Count an open bet of an event with limits, or one that is open no more (`sign` -1)."""
    if event.risk is not None and not isinstance(bet, Order):
        payout = payout_minor(bet.stake_minor, bet.odds_e4)
        event.risk.count(bet.market_id, bet.client_id, sign * bet.stake_minor, sign * payout)


def note_prices(event: EventState, market: MarketState, entry: e.OddsSet, at_ms: int) -> None:
    """Remember how far a price jumped, before the book has the new ones."""
    if event.risk is None:
        return
    name = market.definition.market_id
    for selection_id, odds_e4 in entry.prices:
        before = market.book.odds(selection_id)
        if before and odds_e4 and odds_e4 < before:
            event.risk.jumped(name, at_ms, before * ODDS_ONE // odds_e4)


def _set(
    shard: ShardState, event: EventState, market: None, entry: e.RiskWasSet, at_ms: int
) -> None:
    _risk(event).set_rules(entry.risk)


def _lever(
    shard: ShardState,
    event: EventState,
    market: MarketState | None,
    entry: e.LeverWasSet,
    at_ms: int,
) -> None:
    levers, where = _risk(event).levers, (entry.market_id, entry.client_id)
    if entry.action == "none":
        del levers[where]
        return
    levers[where] = RiskLever(
        entry.event_id,
        entry.action,
        entry.market_id,
        entry.client_id,
        entry.stake_max_minor,
        entry.reason,
    )


def _goes_on(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    entry: e.ReferralAccepted,
    at_ms: int,
) -> None:
    """A referred bet is checked again soon; where its money is not held yet, after that."""
    key = (entry.client_id, entry.bet_id)
    del market.referred[key]
    event.bets[key].due_ms = market.pending[key] = entry.due_ms
    if key in market.holds:
        return
    timers = timers_of(shard, event, "bet")
    timers.remove("bet", event.event_id, *key)
    timers.add((entry.due_ms, shard.shard_seq, "bet", event.event_id, *key))


APPLY_TO_RISK: Final[dict[type, Callable[..., None]]] = {
    e.RiskWasSet: _set,
    e.LeverWasSet: _lever,
    e.ReferralAccepted: _goes_on,
}
