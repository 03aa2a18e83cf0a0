"""What the entries of transfers, accounts, coupons and legs change in the state; by `evolve`."""

from collections.abc import Callable
from typing import Any, Final

from pipelines.books.fixed import FixedBook
from pipelines.books.multiples import sizes_of
from pipelines.errors import JournalError
from pipelines.limits import COUPONS_PER_BETTOR_MAX, EVENT_RETENTION_MS, REFERENCES_PER_BETTOR_MAX
from pipelines.messages import bettor_entries as be
from pipelines.messages.entry_bases import EntryBase
from pipelines.messages.transfers import Forwarded
from pipelines.shard.bettor import UNKNOWN, BettorState, Coupon, CouponLeg, client_of
from pipelines.shard.clock import timers_of
from pipelines.shard.funds_changes import told
from pipelines.shard.isolation_changes import remember
from pipelines.shard.state import (
    ACCEPTED,
    PENDING,
    REJECTED,
    RESULTS,
    EventState,
    Leg,
    MarketState,
    ShardState,
)

__all__ = ["APPLY_TO_BETTORS", "count_in_bettor"]


def _sent(shard: ShardState, event: None, market: None, entry: be.TransferSent, at_ms: int) -> None:
    shard.transfers_sent = entry.number
    if type(entry.body) is Forwarded:
        remember(shard, entry.body)
    elif shard.account_markets:
        told(shard, entry.to, entry.body)


def _received(
    shard: ShardState, event: None, market: None, entry: be.TransferReceived, at_ms: int
) -> None:
    seen = shard.transfers_seen
    seen[entry.sender] = max(entry.number, seen.get(entry.sender, 0))


def count_in_bettor(shard: ShardState, entry: EntryBase) -> None:
    """Number an entry in its bettor's book, which begins with the first."""
    bettor = shard.bettors.get(entry.event_id)
    if bettor is None:
        bettor = shard.bettors[entry.event_id] = BettorState(client_of(entry.event_id))
    if entry.event_seq != bettor.seq + 1:
        raise JournalError(f"{entry.event_id}: {bettor.seq} then {entry.event_seq}")
    bettor.seq = entry.event_seq


def _bettor(shard: ShardState, entry: Any) -> BettorState:
    return shard.bettors[entry.event_id]


def _coupon(entry: be.CouponEntry, status: int, at_ms: int) -> Coupon:
    return Coupon(
        entry.bet_id,
        entry.bet_type,
        [CouponLeg(leg) for leg in entry.legs],
        entry.unit_stake_minor,
        entry.sizes,
        sizes_of(entry.bet_type, len(entry.legs), entry.sizes),
        entry.each_way,
        entry.stake_minor,
        status,
        at_ms,
    )


def _pending(
    shard: ShardState, event: None, market: None, entry: be.CouponPending, at_ms: int
) -> None:
    coupon = _coupon(entry, PENDING, at_ms)
    coupon.due_ms = entry.due_ms
    _bettor(shard, entry).coupons[entry.bet_id] = coupon
    timer = (entry.due_ms, shard.shard_seq, "coupon", entry.event_id, entry.client_id, entry.bet_id)
    shard.timers.add(timer)


def _rejected(
    shard: ShardState, event: None, market: None, entry: be.CouponRejected, at_ms: int
) -> None:
    coupon = _coupon(entry, REJECTED, at_ms)
    coupon.code = entry.code
    _refuse(_bettor(shard, entry), coupon)


def _refuse(bettor: BettorState, coupon: Coupon) -> None:
    bettor.refusals[coupon.bet_id] = coupon
    if len(bettor.refusals) > COUPONS_PER_BETTOR_MAX:
        del bettor.refusals[next(iter(bettor.refusals))]


def _leg_taken(
    shard: ShardState, event: None, market: None, entry: be.LegTaken, at_ms: int
) -> None:
    _bettor(shard, entry).coupons[entry.bet_id].legs[entry.leg].odds_e4 = entry.odds_e4


def _coupon_timer(shard: ShardState, entry: Any) -> None:
    shard.timers.remove("coupon", entry.event_id, entry.client_id, entry.bet_id)


def _accepted(
    shard: ShardState, event: None, market: None, entry: be.CouponAccepted, at_ms: int
) -> None:
    _bettor(shard, entry).coupons[entry.bet_id].status = ACCEPTED
    _coupon_timer(shard, entry)


def _declined(
    shard: ShardState, event: None, market: None, entry: be.CouponDeclined, at_ms: int
) -> None:
    bettor = _bettor(shard, entry)
    coupon = bettor.coupons.pop(entry.bet_id)
    coupon.status, coupon.code = REJECTED, entry.code
    _refuse(bettor, coupon)
    _coupon_timer(shard, entry)


def _leg_resulted(
    shard: ShardState, event: None, market: None, entry: be.LegResulted, at_ms: int
) -> None:
    leg = _bettor(shard, entry).coupons[entry.bet_id].legs[entry.leg]
    leg.settlement, leg.win, leg.place = entry.settlement, entry.win, entry.place


def _leg_taken_back(
    shard: ShardState, event: None, market: None, entry: be.LegResultTakenBack, at_ms: int
) -> None:
    leg = _bettor(shard, entry).coupons[entry.bet_id].legs[entry.leg]
    leg.settlement, leg.win, leg.place = 0, UNKNOWN, UNKNOWN


def _settled(
    shard: ShardState, event: None, market: None, entry: be.CouponSettled, at_ms: int
) -> None:
    coupon = _bettor(shard, entry).coupons[entry.bet_id]
    coupon.status, coupon.settlement = RESULTS[entry.result], entry.settlement
    coupon.payout_minor, coupon.postings = entry.payout_minor, entry.postings
    due_ms = at_ms + EVENT_RETENTION_MS
    _coupon_timer(shard, entry)
    shard.timers.add(
        (due_ms, shard.shard_seq, "coupon", entry.event_id, entry.client_id, entry.bet_id)
    )


def _unsettled(
    shard: ShardState, event: None, market: None, entry: be.CouponUnsettled, at_ms: int
) -> None:
    coupon = _bettor(shard, entry).coupons[entry.bet_id]
    coupon.status, coupon.payout_minor, coupon.postings = ACCEPTED, 0, ()
    _coupon_timer(shard, entry)


def _retired(
    shard: ShardState, event: None, market: None, entry: be.CouponRetired, at_ms: int
) -> None:
    del _bettor(shard, entry).coupons[entry.bet_id]
    _coupon_timer(shard, entry)


def _account_set(
    shard: ShardState, event: None, market: None, entry: be.AccountWasSet, at_ms: int
) -> None:
    bettor = _bettor(shard, entry)
    bettor.is_open, bettor.credit_minor = entry.open, entry.credit_minor


def _reserved(
    shard: ShardState, event: None, market: None, entry: be.FundsReserved, at_ms: int
) -> None:
    bettor = _bettor(shard, entry)
    bettor.holds[(entry.source, entry.bet_id)] = entry.amount_minor
    bettor.held_minor += entry.amount_minor


def _released(
    shard: ShardState, event: None, market: None, entry: be.FundsReleased, at_ms: int
) -> None:
    bettor = _bettor(shard, entry)
    bettor.held_minor -= bettor.holds.pop((entry.source, entry.bet_id))


def _posted(
    shard: ShardState, event: None, market: None, entry: be.FundsPosted, at_ms: int
) -> None:
    bettor = _bettor(shard, entry)
    bettor.balance_minor = entry.balance_minor
    if entry.kind == "stake":
        bettor.held_minor -= bettor.holds.pop((entry.source, entry.bet_id), 0)
    elif entry.of_market:
        held = bettor.exposures.get((entry.source, entry.of_market), 0) - entry.released_minor
        _hold_for_market(bettor, (entry.source, entry.of_market), held)
    elif not entry.source:
        bettor.references[entry.bet_id] = None
        if len(bettor.references) > REFERENCES_PER_BETTOR_MAX:
            del bettor.references[next(iter(bettor.references))]


def _exposure_was_held(
    shard: ShardState, event: None, market: None, entry: be.ExposureWasHeld, at_ms: int
) -> None:
    bettor = _bettor(shard, entry)
    bettor.held_minor -= bettor.holds.pop((entry.source, entry.bet_id), 0)
    _hold_for_market(bettor, (entry.source, entry.of_market), entry.held_minor)


def _hold_for_market(bettor: BettorState, where: tuple[str, str], held_minor: int) -> None:
    bettor.held_minor += held_minor - bettor.exposures.pop(where, 0)
    if held_minor:
        bettor.exposures[where] = held_minor


def _funds_held(
    shard: ShardState, event: EventState, market: MarketState, entry: be.FundsHeld, at_ms: int
) -> None:
    key = (entry.client_id, entry.bet_id)
    del market.holds[key]
    shard.timers.remove("hold", entry.event_id, *key)
    timer = (market.pending[key], shard.shard_seq, "bet", entry.event_id, *key)
    timers_of(shard, event, "bet").add(timer)


def _leg_held(
    shard: ShardState, event: EventState, market: MarketState, entry: be.LegHeld, at_ms: int
) -> None:
    taken, withdrawals = 0, 0
    if isinstance(market.book, FixedBook):
        taken, withdrawals = market.book.taken, len(market.book.withdrawals)
    leg = Leg(entry.selection_id, entry.odds_e4, taken, at_ms, withdrawals=withdrawals)
    market.legs[(entry.client_id, entry.bet_id, entry.leg)] = leg


def _leg_kept(
    shard: ShardState, event: EventState, market: MarketState, entry: be.LegKept, at_ms: int
) -> None:
    market.legs[(entry.client_id, entry.bet_id, entry.leg)].kept = True


def _leg_released(
    shard: ShardState, event: EventState, market: MarketState, entry: be.LegReleased, at_ms: int
) -> None:
    del market.legs[(entry.client_id, entry.bet_id, entry.leg)]


def _leg_settled(
    shard: ShardState, event: EventState, market: MarketState, entry: be.LegSettled, at_ms: int
) -> None:
    leg = market.legs[(entry.client_id, entry.bet_id, entry.leg)]
    leg.settlement = entry.settlement
    leg.voided = not entry.settlement


def _leg_unsettled(
    shard: ShardState, event: EventState, market: MarketState, entry: be.LegUnsettled, at_ms: int
) -> None:
    market.legs[(entry.client_id, entry.bet_id, entry.leg)].settlement = 0


def _nothing(shard: ShardState, event: object, market: object, entry: object, at_ms: int) -> None:
    """A refusal: the transfer that follows it says so."""


APPLY_TO_BETTORS: Final[dict[type, Callable[..., None]]] = {
    be.TransferSent: _sent,
    be.TransferReceived: _received,
    be.CouponPending: _pending,
    be.CouponRejected: _rejected,
    be.LegTaken: _leg_taken,
    be.CouponAccepted: _accepted,
    be.CouponDeclined: _declined,
    be.LegResulted: _leg_resulted,
    be.LegResultTakenBack: _leg_taken_back,
    be.CouponSettled: _settled,
    be.CouponUnsettled: _unsettled,
    be.CouponRetired: _retired,
    be.AccountWasSet: _account_set,
    be.FundsReserved: _reserved,
    be.FundsRefused: _nothing,
    be.FundsReleased: _released,
    be.FundsPosted: _posted,
    be.ExposureWasHeld: _exposure_was_held,
    be.FundsHeld: _funds_held,
    be.LegHeld: _leg_held,
    be.LegRefused: _nothing,
    be.LegKept: _leg_kept,
    be.LegReleased: _leg_released,
    be.LegSettled: _leg_settled,
    be.LegUnsettled: _leg_unsettled,
}
