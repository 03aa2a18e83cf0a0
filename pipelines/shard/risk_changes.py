"""What entries change of risk: limits, levers, referrals, sums by bettor, losses by market."""

from collections.abc import Callable
from typing import Final

from pipelines.limits import ODDS_ONE
from pipelines.messages import entries as e
from pipelines.messages.risk_operations import RiskLever, RiskSet
from pipelines.shard.clock import timers_of
from pipelines.shard.losses import worst_loss_minor
from pipelines.shard.order import Order
from pipelines.shard.risk_state import EventRisk, ShardRisk
from pipelines.shard.state import ACCEPTED, AnyBet, Bet, EventState, MarketState, ShardState

__all__ = [
    "APPLY_TO_RISK",
    "count_bet",
    "count_market",
    "forget_market",
    "note_loss",
    "note_prices",
]

#: Entries that come often and leave the book of their market as it was.
_STILL: Final = frozenset({e.BetPending, e.BetRejected, e.BetDeclined, e.BetRepeated, e.OddsSet})


def _risk(event: EventState) -> EventRisk:
    """Return the event's risk; from the first word on, it knows what is open."""
    risk = event.risk
    if risk is None:
        risk = event.risk = EventRisk(RiskSet(event.event_id))
        for bet in event.bets.values():
            if bet.status == ACCEPTED and not isinstance(bet, Order):
                risk.count(bet.market_id, bet.client_id, *_open(bet))
        for market_id, market in event.markets.items():
            risk.lose(market_id, worst_loss_minor(market))
    return risk


def _open(bet: Bet) -> tuple[int, int]:
    """Return what is at stake in an open bet, and what it may pay."""
    return bet.stake_minor, bet.pays_minor()


def count_bet(shard: ShardState, event: EventState, bet: AnyBet, sign: int) -> None:
    """Count an open bet where there are limits, or one that is open no more (`sign` -1)."""
    whole = shard.risk_over(event)
    if (event.risk is None and whole is None) or isinstance(bet, Order):
        return
    stake, payout = _open(bet)
    if event.risk is not None:
        event.risk.count(bet.market_id, bet.client_id, sign * stake, sign * payout)
    if whole is not None:
        whole.count(bet.client_id, sign * stake, sign * payout)


def note_loss(shard: ShardState, event: EventState, market: MarketState, entry: e.Entry) -> None:
    """Keep what a market loses at worst up to date, after an entry of it, where it is asked for."""
    if type(entry) in _STILL or market.exchange is not None:
        return
    if isinstance(entry, e.BetSettled) and entry.settlement:
        return  # the book stays as it was until all bets are settled
    name = market.definition.market_id
    if name not in event.markets:
        return  # it has left for another shard
    loss = worst_loss_minor(market)
    if event.risk is not None:
        event.risk.lose(name, loss)
    if (whole := shard.risk_over(event)) is not None:
        whole.lose(event.event_id, name, 0 if market.settled else loss)


def count_market(shard: ShardState, event: EventState, market: MarketState, sign: int = 1) -> None:
    """Count a market of an event towards its shard's limits, or no longer (`sign` -1)."""
    risk = shard.risk_over(event)
    if risk is None:
        return
    for bet in market.bets if not market.settled else ():
        if bet.status == ACCEPTED and not isinstance(bet, Order):
            stake, payout = _open(bet)
            risk.count(bet.client_id, sign * stake, sign * payout)
    gone = sign < 0 or market.settled
    name = market.definition.market_id
    risk.lose(event.event_id, name, 0 if gone else worst_loss_minor(market))


def forget_market(shard: ShardState, event: EventState, market: MarketState) -> None:
    """A market is not in the shard any more."""
    count_market(shard, event, market, -1)


def note_prices(event: EventState, market: MarketState, entry: e.OddsSet, at_ms: int) -> None:
    """Remember how far a price jumped, before the book has the new ones.

    A price that was taken away and comes back is compared with the last there was.
    """
    risk = event.risk
    if risk is None:
        return
    name = market.definition.market_id
    for selection_id, odds_e4 in entry.prices:
        before = market.book.odds(selection_id)
        if not odds_e4:
            if before:
                risk.pulled[name, selection_id] = before
            continue
        before = risk.pulled.pop((name, selection_id), before)
        if odds_e4 < before:
            risk.jumped(name, at_ms, before * ODDS_ONE // odds_e4)


def _set(
    shard: ShardState, event: EventState, market: None, entry: e.RiskWasSet, at_ms: int
) -> None:
    _risk(event).set_rules(entry.risk)


def _shard_set(
    shard: ShardState, event: None, market: None, entry: e.ShardRiskWasSet, at_ms: int
) -> None:
    """Limits of the shard; from the first on, it knows what is open, and after the last nothing."""
    rules = entry.risk
    if not rules.is_limited:
        shard.risk = None
    elif shard.risk is not None:
        shard.risk.rules = rules
    else:
        shard.risk = ShardRisk(rules)
        for one in shard.events.values():
            for each in one.markets.values():
                count_market(shard, one, each)


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
    bet = event.bets[key]
    del market.referred[key]
    if entry.stake_minor:
        event.parts[key] = bet.stake_minor
        bet.stake_minor = entry.stake_minor
    bet.due_ms = market.pending[key] = entry.due_ms
    if key in market.holds:
        return
    timers = timers_of(shard, event, "bet")
    timers.remove("bet", event.event_id, *key)
    timers.add((entry.due_ms, shard.shard_seq, "bet", event.event_id, *key))


APPLY_TO_RISK: Final[dict[type, Callable[..., None]]] = {
    e.RiskWasSet: _set,
    e.ShardRiskWasSet: _shard_set,
    e.LeverWasSet: _lever,
    e.ReferralAccepted: _goes_on,
}
