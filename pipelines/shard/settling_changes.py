"""What the entries of what goes through a market's bets in chunks change in the state."""

from pipelines.errors import JournalError
from pipelines.limits import SETTLE_CHUNK_EVERY_MS
from pipelines.messages import entries as e
from pipelines.shard.state import ACCEPTED, RESULTS, EventState, MarketState, Settling, ShardState


def outcome_followed(
    shard: ShardState, event: EventState, market: MarketState, entry: e.BetSettled | e.BetUnsettled
) -> None:
    """Apply an outcome right behind another of the same settlement: what `evolve` does, shorter.

    A market of a million bets has a million of them, one after the other, at one time. For markets
    that are no exchange, of events without risk rules. Raises JournalError as `evolve` does.
    """
    event_seq, market_seq = entry.event_seq, entry.market_seq
    if event_seq != event.seq + 1 or market_seq != market.seq + 1:
        raise JournalError(f"market {entry.market_id}: outcome {market_seq} after {market.seq}")
    shard.shard_seq += 1
    event.seq = market.event_seq = event_seq
    market.seq = market_seq
    bets = event.bets
    bet = bets.of(entry.client_id, entry.bet_id) if bets.clashed else bets.by_id[entry.bet_id]
    assert bet is not None
    settling = market.settling
    payout_minor = entry.payout_minor
    if type(entry) is e.BetSettled:
        assert settling is not None
        bet.status = RESULTS[entry.result]
        bet.payout_minor = payout_minor
        bet.settlement = entry.settlement
        settling.bets += 1
        settling.staked_minor += bet.stake_minor
        if payout_minor:
            settling.paid_minor += payout_minor
            market.escrow_minor -= payout_minor
        return
    bet.status, bet.payout_minor = ACCEPTED, 0
    market.escrow_minor += payout_minor


def arm(shard: ShardState, event: EventState, market: MarketState) -> None:
    """Let the next chunk of what is under way, or the next operation that waits, be due soon."""
    name = ("settle", event.event_id, market.definition.market_id, "")
    shard.timers.remove(*name)
    if market.settling is not None or market.waiting:
        shard.timers.add((shard.now_ms + SETTLE_CHUNK_EVERY_MS, shard.shard_seq, *name))


def settlement_went_on(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    entry: e.SettlementWentOn,
    at_ms: int,
) -> None:
    """A chunk is done, the next is due soon."""
    assert market.settling is not None
    market.settling.next = entry.next
    arm(shard, event, market)


def rollback_began(
    shard: ShardState, event: EventState, market: MarketState, entry: e.RollbackBegan, at_ms: int
) -> None:
    """A rollback goes through the bets."""
    market.settled = False
    shard.timers.remove("retire", event.event_id, "", "")
    market.settling = Settling("roll_back", len(market.bets), entry.reason)
    arm(shard, event, market)


def refund_began(
    shard: ShardState, event: EventState, market: MarketState, entry: e.RefundBegan, at_ms: int
) -> None:
    """Refunds go through the bets that are there now."""
    market.settling = Settling(
        "refund",
        len(market.bets),
        entry.reason,
        selection_id=entry.selection_id,
        from_ms=entry.from_ms,
        to_ms=entry.to_ms,
    )
    arm(shard, event, market)


def refund_ended(
    shard: ShardState, event: EventState, market: MarketState, entry: e.RefundEnded, at_ms: int
) -> None:
    """No more refunds."""
    market.settling = None
    arm(shard, event, market)


def selection_resulted(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    entry: e.SelectionWasResulted,
    at_ms: int,
) -> None:
    """A selection is decided before the market, or no longer: its bets are gone through."""
    market.selections[entry.selection_id] = entry.result
    market.version = market.material_version = entry.version
    kind = "reopen_part" if entry.result == "ACTIVE" else "settle_part"
    early, end = market.settled_early, len(market.bets)
    selection_id = entry.selection_id
    market.settling = Settling(kind, end, entry.reason, 0, *early, selection_id=selection_id)
    arm(shard, event, market)


def selection_result_ended(
    shard: ShardState,
    event: EventState,
    market: MarketState,
    entry: e.SelectionResultEnded,
    at_ms: int,
) -> None:
    """The bets on a selection are gone through."""
    market.settled_early = (entry.bets, entry.staked_minor, entry.paid_minor)
    market.settling = None
    arm(shard, event, market)


def operation_waits(
    shard: ShardState, event: EventState, market: MarketState, entry: e.OperationWaits, at_ms: int
) -> None:
    """An operation comes later."""
    market.waiting.append(entry.waiting)


def operation_taken(
    shard: ShardState, event: EventState, market: MarketState, entry: e.OperationTaken, at_ms: int
) -> None:
    """An operation waits no more."""
    del market.waiting[0]
    arm(shard, event, market)
