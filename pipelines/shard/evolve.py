"""The only place where a shard's state changes: `evolve(state, record)`, live and in a restore.

It trusts what it is given: entries are decisions that were made by `decide`, each applies to the
state in which it was decided. A journal that does not fit raises JournalError.
"""

from collections.abc import Callable
from typing import Final

from pipelines.errors import JournalError
from pipelines.limits import BETTOR_KEY_PREFIX
from pipelines.messages import cash_out_entries as co
from pipelines.messages import entries as e
from pipelines.messages.isolation_entries import MarketArrived
from pipelines.shard import changes, settling_changes
from pipelines.shard.bet_changes import APPLY_TO_BETS
from pipelines.shard.bettor_changes import APPLY_TO_BETTORS, count_in_bettor
from pipelines.shard.funds_changes import apply_with_funds
from pipelines.shard.isolation_changes import APPLY_TO_ISOLATION
from pipelines.shard.order_changes import APPLY_TO_ORDERS
from pipelines.shard.risk_changes import APPLY_TO_RISK, note_loss
from pipelines.shard.state import ShardState

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
        _APPLY[kind](shard, None, None, entry, at_ms)
        return
    if not event.feed_clock or kind is e.EventRetired:
        if at_ms > shard.now_ms:
            shard.now_ms = at_ms
        elif at_ms == shard.now_ms:
            at_ms = shard.now_ms  # one number for all bets of a time
    else:
        if at_ms > event.now_ms:
            event.now_ms = at_ms
        if record.wall_ms > shard.now_ms:
            shard.now_ms = record.wall_ms
    event_seq, market_seq = entry.event_seq, entry.market_seq
    if event_seq != event.seq + 1 and not (kind is MarketArrived and event_seq > event.seq):
        raise JournalError(f"event {event.event_id}: {event.seq} then {event_seq}")
    event.seq = event_seq
    market = event.markets.get(entry.market_id) if market_seq else None
    if market is not None:
        if market_seq != market.seq + 1:
            raise JournalError(f"market {entry.market_id}: {market.seq} then {market_seq}")
        market.seq = market_seq
        market.event_seq = event_seq
        market.at_ms = at_ms
    if shard.account_markets and market is not None and market.funds is not None:
        apply_with_funds(_APPLY[kind], shard, event, market, entry, at_ms)
        return
    _APPLY[kind](shard, event, market, entry, at_ms)
    if market is not None and (event.risk or shard.risk):
        note_loss(shard, event, market, entry)


def _nothing(shard: ShardState, event: object, market: object, entry: object, at_ms: int) -> None:
    """An answer that changes no book: its number and time are all it leaves."""


_APPLY: Final[dict[type, Callable[..., None]]] = {
    **APPLY_TO_BETS,
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
    co.BetPartlyCashedOut: changes.partly_cashed_out,
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
