"""The only place where a shard's state changes: `evolve(state, record)`, live and in a restore.

It trusts what it is given: entries are decisions that were made by `decide`, each applies to the
state in which it was decided. A journal that does not fit raises JournalError.
"""

from collections.abc import Callable
from sys import intern
from typing import Any, Final

from pipelines.errors import JournalError
from pipelines.limits import (
    ANSWERS_OUTSIDE_MARKETS_MAX,
    BETTOR_KEY_PREFIX,
    ORPHAN_ANSWERS_MAX,
)
from pipelines.messages import cash_out_entries as co
from pipelines.messages import entries as e
from pipelines.messages.isolation_entries import MarketArrived
from pipelines.shard import changes, settling_changes
from pipelines.shard.bettor_changes import APPLY_TO_BETTORS, count_in_bettor
from pipelines.shard.clock import timers_of
from pipelines.shard.funds_changes import apply_with_funds
from pipelines.shard.isolation_changes import APPLY_TO_ISOLATION
from pipelines.shard.numbers import shared
from pipelines.shard.order import Order
from pipelines.shard.order_changes import APPLY_TO_ORDERS
from pipelines.shard.risk_changes import APPLY_TO_RISK, count_bet
from pipelines.shard.state import (
    ACCEPTED,
    CANCELLED,
    PENDING,
    REJECTED,
    Bet,
    EventState,
    MarketState,
    ShardState,
)

__all__ = ["evolve"]


def evolve(shard: ShardState, record: e.JournalRecord) -> None:
    """Apply one journal record. Raises JournalError where it does not follow on the state."""
    shard_seq = record.shard_seq
    if shard_seq != shard.shard_seq + 1:
        raise JournalError(
            f"journal of partition {shard.partition} goes from {shard.shard_seq} to {shard_seq}"
        )
    shard.shard_seq = shard_seq
    shard.bets_next = record.bets_next
    shard.events_next = record.events_next
    shard.transfers_next = record.transfers_next
    entry = record.entry
    at_ms = record.at_ms
    kind = type(entry)
    event = shard.events.get(entry.event_id)
    if event is None:
        if entry.event_seq and entry.event_id.startswith(BETTOR_KEY_PREFIX):
            count_in_bettor(shard, entry)
        # A feed event opens at a time of its own, which is not the time of the others.
        if at_ms > shard.now_ms and not (
            isinstance(entry, e.EventWasOpened) and entry.clock == "feed"
        ):
            shard.now_ms = at_ms
    elif not event.feed_clock or kind is e.EventRetired:
        if at_ms > shard.now_ms:
            shard.now_ms = at_ms
    else:
        if at_ms > event.now_ms:
            event.now_ms = at_ms
        if record.wall_ms > shard.now_ms:
            shard.now_ms = record.wall_ms
    market = None
    if event is not None:
        event_seq, market_seq = entry.event_seq, entry.market_seq
        if event_seq != event.seq + 1 and not (kind is MarketArrived and event_seq > event.seq):
            raise JournalError(f"event {event.event_id}: {event.seq} then {event_seq}")
        event.seq = event_seq
        if market_seq:
            market = event.markets.get(entry.market_id)
            if market is not None:
                if market_seq != market.seq + 1:
                    raise JournalError(f"market {entry.market_id}: {market.seq} then {market_seq}")
                market.seq = market_seq
                market.event_seq = event_seq
                market.at_ms = at_ms
    if shard.account_markets and market is not None and market.funds is not None:
        assert event is not None
        apply_with_funds(_APPLY[kind], shard, event, market, entry, at_ms)
        return
    _APPLY[kind](shard, event, market, entry, at_ms)


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
    shard: ShardState, event: EventState, market: MarketState, entry: e.BetAccepted, at_ms: int
) -> None:
    # Written out: this runs once for nearly every bet. A bettor's name is kept once for all bets.
    client_id, bet_id = intern(entry.client_id), entry.bet_id
    selection_id, stake_minor = entry.selection_id, shared(entry.stake_minor)
    odds_e4, asked_e4 = entry.odds_e4, entry.asked_odds_e4
    bet = Bet(
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
    bets = event.bets
    if bets.clashed or bets.by_id.setdefault(bet_id, bet) is not bet:
        bets.add(bet)
    market.bets.append(bet)
    market.escrow_minor += stake_minor
    market.book.take(selection_id, stake_minor, odds_e4)
    if event.risk is not None:
        count_bet(event, bet, 1)


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
    market.book.take(bet.selection_id, bet.stake_minor, bet.odds_e4)


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


def _released(shard: ShardState, event: EventState, market: MarketState, entry: Any) -> Bet:
    """Take a pending bet out of its wait."""
    key = (entry.client_id, entry.bet_id)
    del market.pending[key]
    market.referred.pop(key, None)
    timers_of(shard, event, "bet").remove("bet", event.event_id, *key)
    if market.holds.pop(key, 0):
        shard.timers.remove("hold", event.event_id, *key)
    return event.bets[key]


def _confirmed(
    shard: ShardState, event: EventState, market: MarketState, entry: e.BetConfirmed, at_ms: int
) -> None:
    bet = _released(shard, event, market, entry)
    bet.status, bet.odds_e4, bet.at_ms = ACCEPTED, entry.odds_e4, at_ms
    _take(market, bet)
    count_bet(event, bet, 1)


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


def _nothing(shard: ShardState, event: object, market: object, entry: object, at_ms: int) -> None:
    """An answer that changes no book: its number and time are all it leaves."""


_APPLY: Final[dict[type, Callable[..., None]]] = {
    e.BetAccepted: _accepted,
    e.BetPartlyAccepted: _partly_accepted,
    e.BetPending: _pending,
    e.BetRejected: _rejected,
    e.BetConfirmed: _confirmed,
    e.BetDeclined: _declined,
    e.BetCancelled: _cancelled,
    e.CancelRejected: _nothing,
    e.BetRepeated: _nothing,
    e.BetConflict: _nothing,
    e.RequestRefused: _nothing,
    e.RecordDeadLettered: _nothing,
    e.EventWasOpened: changes.event_opened,
    e.EventIsStarting: changes.event_starting,
    e.EventRetired: changes.event_retired,
    e.MarketWasOpened: changes.market_opened,
    e.MarketChanged: changes.market_changed,
    e.OddsSet: changes.odds_set,
    e.SelectionWasRemoved: changes.selection_removed,
    e.MarketResulted: changes.resulted,
    e.BetSettled: changes.bet_settled,
    e.MarketSettled: changes.market_settled,
    e.BetUnsettled: changes.bet_unsettled,
    e.MarketUnsettled: changes.market_unsettled,
    e.OperationRefused: _nothing,
    co.CashOutQuoted: _nothing,
    co.BetCashedOut: changes.cashed_out,
    co.CashOutRejected: _nothing,
    e.SettlementWentOn: settling_changes.settlement_went_on,
    e.RollbackBegan: settling_changes.rollback_began,
    e.RefundBegan: settling_changes.refund_began,
    e.RefundEnded: settling_changes.refund_ended,
    e.SelectionWasResulted: settling_changes.selection_resulted,
    e.SelectionResultEnded: settling_changes.selection_result_ended,
    e.OperationWaits: settling_changes.operation_waits,
    e.OperationTaken: settling_changes.operation_taken,
    **APPLY_TO_ORDERS,
    **APPLY_TO_BETTORS,
    **APPLY_TO_RISK,
    **APPLY_TO_ISOLATION,
}
