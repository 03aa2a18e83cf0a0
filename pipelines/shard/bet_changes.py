"""What the entries of bets against the house change in the state; by `evolve`."""

from collections.abc import Callable
from sys import intern
from typing import Any, Final

from msgspec import structs

from pipelines.limits import ANSWERS_OUTSIDE_MARKETS_MAX, ORPHAN_ANSWERS_MAX
from pipelines.messages import entries as e
from pipelines.shard.clock import timers_of
from pipelines.shard.numbers import shared
from pipelines.shard.order import Order
from pipelines.shard.risk_changes import count_bet
from pipelines.shard.state import (
    ACCEPTED,
    CANCELLED,
    PENDING,
    REJECTED,
    AnyBet,
    Bet,
    EventState,
    MarketState,
    ShardState,
    ShareBet,
)

__all__ = ["APPLY_TO_BETS"]


def _bet(entry: e.BetEntry, status: int, odds_e4: int, at_ms: int) -> Bet:
    return Bet(
        intern(entry.client_id),
        entry.bet_id,
        entry.market_id,
        entry.selection_id,
        entry.stake_minor,
        entry.asked_odds_e4,
        entry.price_policy,
        entry.tolerance_e4,
        entry.market_version,
        status,
        odds_e4,
        at_ms,
    )


def _accepted(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    entry: e.BetAccepted | e.BetPartlyAccepted,
    at_ms: int,
) -> None:
    # Written out: this runs once for nearly every bet. A bettor's name is kept once for all bets.
    client_id, bet_id = intern(entry.client_id), entry.bet_id
    selection_id, stake_minor = entry.selection_id, shared(entry.stake_minor)
    odds_e4, asked_e4 = entry.odds_e4, entry.asked_odds_e4
    bet: Bet = (ShareBet if entry.shares_minor else Bet)(
        client_id,
        bet_id,
        market.definition.market_id,
        selection_id,
        stake_minor,
        odds_e4 if asked_e4 == odds_e4 else asked_e4,  # one number where they are the same
        entry.price_policy,
        entry.tolerance_e4,
        entry.market_version,
        ACCEPTED,
        odds_e4,
        at_ms,
    )
    if entry.shares_minor:
        assert isinstance(bet, ShareBet)
        bet.shares_minor = entry.shares_minor
    bets = event.bets
    if bets.clashed or bets.by_id.setdefault(bet_id, bet) is not bet:
        bets.add(bet)
    market.bets.append(bet)
    market.escrow_minor += stake_minor
    market.book.take(selection_id, stake_minor, odds_e4, entry.shares_minor)
    if event.risk is not None or shard.risk is not None:
        count_bet(shard, event, bet, 1)


def _partly_accepted(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    entry: e.BetPartlyAccepted,
    at_ms: int,
) -> None:
    _accepted(shard, event, market, entry, at_ms)
    event.parts[(entry.client_id, entry.bet_id)] = entry.asked_stake_minor


def _take(market: MarketState, bet: Bet) -> None:
    market.bets.append(bet)
    market.escrow_minor += bet.stake_minor
    shares = bet.shares_minor if isinstance(bet, ShareBet) else 0
    market.book.take(bet.selection_id, bet.stake_minor, bet.odds_e4, shares)


def _with_shares(event: EventState, bet: Bet, shares_minor: int) -> ShareBet:
    """Put a bet that knows its shares in the place of one that was held."""
    found = ShareBet(**structs.asdict(bet), shares_minor=shares_minor)
    event.bets.add(found)
    return found


def _pending(
    shard: ShardState, event: EventState, market: MarketState, entry: e.BetPending, at_ms: int
) -> None:
    bet = _bet(entry, PENDING, 0, at_ms)
    bet.due_ms = entry.due_ms
    key = (bet.client_id, bet.bet_id)
    event.bets.add(bet)
    market.pending[key] = entry.due_ms
    if entry.referred:
        market.referred[key] = None
    if entry.accept_partial:
        market.partial[key] = None
    if entry.hold_ms:  # the delay counts once the account has answered
        market.holds[key] = entry.hold_ms
        shard.timers.add((entry.hold_ms, shard.shard_seq, "hold", event.event_id, *key))
        return
    timer = (entry.due_ms, shard.shard_seq, "bet", event.event_id, bet.client_id, bet.bet_id)
    timers_of(shard, event, "bet").add(timer)


def _rejected(
    shard: ShardState,
    event: EventState | None,
    market: MarketState | None,
    entry: e.BetRejected,
    at_ms: int,
) -> None:
    bet = _bet(entry, REJECTED, 0, at_ms)
    bet.code = entry.code
    if event is None:
        shard.orphans[(entry.event_id, bet.client_id, bet.bet_id)] = bet
        if len(shard.orphans) > ORPHAN_ANSWERS_MAX:
            del shard.orphans[next(iter(shard.orphans))]
        return
    event.refusals[(bet.client_id, bet.bet_id)] = bet
    if len(event.refusals) > ANSWERS_OUTSIDE_MARKETS_MAX:
        del event.refusals[next(iter(event.refusals))]


def _released(shard: ShardState, event: EventState, market: MarketState, entry: Any) -> AnyBet:
    """Take a pending bet out of its wait."""
    key = (entry.client_id, entry.bet_id)
    del market.pending[key]
    market.referred.pop(key, None)
    market.partial.pop(key, None)
    timers_of(shard, event, "bet").remove("bet", event.event_id, *key)
    if market.holds.pop(key, 0):
        shard.timers.remove("hold", event.event_id, *key)
    return event.bets[key]


def _confirmed(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    entry: e.BetConfirmed | e.BetPartlyConfirmed,
    at_ms: int,
) -> None:
    bet = _released(shard, event, market, entry)
    assert not isinstance(bet, Order), "see `OrderConfirmed`"
    bet.status, bet.odds_e4, bet.at_ms = ACCEPTED, entry.odds_e4, at_ms
    if entry.shares_minor:
        bet = _with_shares(event, bet, entry.shares_minor)
    _take(market, bet)
    count_bet(shard, event, bet, 1)


def _partly_confirmed(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    entry: e.BetPartlyConfirmed,
    at_ms: int,
) -> None:
    key = (entry.client_id, entry.bet_id)
    event.bets[key].stake_minor = entry.stake_minor
    event.parts[key] = entry.asked_stake_minor
    _confirmed(shard, event, market, entry, at_ms)


def _declined(
    shard: ShardState, event: EventState, market: MarketState, entry: e.BetDeclined, at_ms: int
) -> None:
    bet = _released(shard, event, market, entry)
    bet.status, bet.code = REJECTED, entry.code
    if isinstance(bet, Order):
        bet.withdraw(cancelled=False)


def _cancelled(
    shard: ShardState, event: EventState, market: MarketState, entry: e.BetCancelled, at_ms: int
) -> None:
    bet = _released(shard, event, market, entry)
    bet.status = CANCELLED
    if isinstance(bet, Order):
        bet.withdraw(cancelled=True)


APPLY_TO_BETS: Final[dict[type, Callable[..., None]]] = {
    e.BetAccepted: _accepted,
    e.BetPartlyAccepted: _partly_accepted,
    e.BetPending: _pending,
    e.BetRejected: _rejected,
    e.BetConfirmed: _confirmed,
    e.BetPartlyConfirmed: _partly_confirmed,
    e.BetDeclined: _declined,
    e.BetCancelled: _cancelled,
}
