"""Stages 3 to 8 for a multiple, in the partition of its bettor: ask for its legs, answer, settle.

Looks at the state and changes nothing. A coupon is pending until every event has said that it holds
its leg; one refusal, or no answer by the deadline, refuses the coupon and lets the others go.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction

from pipelines.books.multiples import line_count, payout_max_minor, payout_minor, sizes_of
from pipelines.codes import SENTENCES, Code
from pipelines.limits import (
    BETTORS_PER_SHARD_MAX,
    COUPON_PAYOUT_MAX_MINOR,
    COUPONS_PER_BETTOR_MAX,
    STAKE_MAX_MINOR,
    TRANSFER_DEADLINE_MS,
)
from pipelines.messages import bettor_entries as be
from pipelines.messages import entries as e
from pipelines.messages import transfers as t
from pipelines.messages.coupon_requests import CouponRequest
from pipelines.shard.account import funds_refusal, post
from pipelines.shard.bettor import BettorState, Coupon, bettor_key
from pipelines.shard.state import ACCEPTED, LOST, PENDING, STATUS_NAMES, VOID, WON, ShardState

__all__ = ["Decided", "decide_coupon", "decide_due_coupon", "decide_leg"]

Decided = Iterator[e.Entry | t.Send]

#: What a coupon's stake is held and posted under, in place of an event.
COUPONS = "coupons"


def decide_coupon(
    shard: ShardState, key: str, client_id: str, request: CouponRequest, at_ms: int
) -> list[e.Entry | t.Send] | tuple[Code, str]:
    """Answer a readable coupon of a known bettor; a code and reason where it is no such book's."""
    if key != bettor_key(client_id):
        return Code.EVENT_KEY_MISMATCH, "a coupon's key must be its bettor's own"
    bettor = shard.bettors.get(key)
    if bettor is None and len(shard.bettors) >= BETTORS_PER_SHARD_MAX:
        return Code.TOO_MANY_BETS, "the shard holds all the bettors it can"
    bettor = bettor or BettorState(client_id)
    known = bettor.coupons.get(request.bet_id) or bettor.refusals.get(request.bet_id)
    if known is not None:
        return [_again(key, bettor, known, request)]
    sizes = sizes_of(request.bet_type, len(request.legs), request.sizes)
    lines = line_count(len(request.legs), sizes) * (2 if request.each_way else 1)
    stake_minor = lines * request.unit_stake_minor
    head = (key, bettor.seq + 1, "", 0, client_id, request.bet_id, request.bet_type, request.legs)
    told = (*head, request.unit_stake_minor, request.sizes, request.each_way, stake_minor)
    code = _refusal(bettor, client_id, request, sizes, stake_minor)
    if code is not None:
        return [be.CouponRejected(*told, code.value, SENTENCES[code])]
    found: list[e.Entry | t.Send] = [be.CouponPending(*told, at_ms + TRANSFER_DEADLINE_MS)]
    if bettor.is_open:
        reserved = (key, bettor.seq + 2, "", 0, client_id, request.bet_id, COUPONS, stake_minor)
        found.append(be.FundsReserved(*reserved))
    found += [
        _asked(client_id, request, number, stake_minor) for number in range(len(request.legs))
    ]
    return found


def _refusal(
    bettor: BettorState, client_id: str, request: CouponRequest, sizes: tuple[int, ...], stake: int
) -> Code | None:
    if request.client_id and request.client_id != client_id:
        return Code.PERMISSION_DENIED
    if not sizes:
        return Code.INVALID_BET_TYPE
    if len({leg.event_id for leg in request.legs}) != len(request.legs):
        return Code.RELATED_CONTINGENCY
    asked = [leg.odds_e4 for leg in request.legs]
    if stake > STAKE_MAX_MINOR or _pays_too_much(request, sizes, asked):
        return Code.ABOVE_MAX_BET_AMOUNT
    if len(bettor.coupons) >= COUPONS_PER_BETTOR_MAX:
        return Code.TOO_MANY_BETS
    return funds_refusal(bettor, stake) if bettor.is_open else None


def _pays_too_much(coupon: CouponRequest | Coupon, sizes: Sequence[int], odds: list[int]) -> bool:
    """Whether a coupon could pay more than any: its payout could not be written down."""
    unit = coupon.unit_stake_minor
    return payout_max_minor(unit, sizes, odds, coupon.each_way) > COUPON_PAYOUT_MAX_MINOR


def _asked(client_id: str, request: CouponRequest, number: int, stake_minor: int) -> t.Send:
    leg = request.legs[number]
    body = t.LegAsked(
        client_id,
        request.bet_id,
        number,
        leg.market_id,
        leg.selection_id,
        stake_minor,
        leg.odds_e4,
        leg.price_policy,
        leg.tolerance_e4,
        leg.market_version,
        request.each_way,
    )
    return t.Send(leg.event_id, body)


def _again(
    key: str, bettor: BettorState, known: Coupon, request: CouponRequest
) -> e.BetRepeated | e.BetConflict:
    head = (key, bettor.seq + 1, "", 0, bettor.client_id, known.bet_id)
    same = (
        known.bet_type == request.bet_type
        and known.unit_stake_minor == request.unit_stake_minor
        and known.asked_sizes == request.sizes
        and known.each_way == request.each_way
        and tuple(leg.request for leg in known.legs) == request.legs
    )
    if not same:
        return e.BetConflict(*head)
    return e.BetRepeated(*head, STATUS_NAMES[known.status], 0, known.code)


def decide_leg(shard: ShardState, key: str, body: t.Body) -> Decided:
    """Yield what an event's word on a leg means for its coupon."""
    bettor = shard.bettors.get(key)
    if bettor is None or not isinstance(body, t.LegAnswered | t.LegCameOut | t.LegReopened):
        return
    coupon = bettor.coupons.get(body.bet_id)
    if coupon is None or not 0 <= body.leg < len(coupon.legs):
        return
    if isinstance(body, t.LegAnswered):
        yield from _answered(bettor, coupon, body)
    elif isinstance(body, t.LegCameOut):
        head = (key, bettor.seq + 1, "", 0, bettor.client_id, coupon.bet_id)
        yield be.LegResulted(*head, body.leg, body.settlement, body.win, body.place)
        yield from _settle(bettor, coupon)
    else:
        yield from _reopen(bettor, coupon, body)


def _answered(bettor: BettorState, coupon: Coupon, body: t.LegAnswered) -> Decided:
    if coupon.status != PENDING:
        return  # refused meanwhile, and this event was told
    if body.code:
        yield from _decline(bettor, coupon, body.leg, Code(body.code))
        return
    if body.accounts and not bettor.is_open:
        yield from _decline(bettor, coupon, body.leg, Code.INVALID_ACCOUNT_STATE)
        return
    key = bettor_key(bettor.client_id)
    head = (bettor.client_id, coupon.bet_id)
    yield be.LegTaken(key, bettor.seq + 1, "", 0, *head, body.leg, body.odds_e4, body.accounts)
    if not all(leg.odds_e4 for leg in coupon.legs):
        return
    odds = tuple(leg.odds_e4 for leg in coupon.legs)
    if _pays_too_much(coupon, coupon.sizes, list(odds)):  # at better odds than it asked for
        yield from _decline(bettor, coupon, -1, Code.ABOVE_MAX_BET_AMOUNT)
        return
    yield be.CouponAccepted(key, bettor.seq + 1, "", 0, *head, coupon.stake_minor, odds)
    held = bettor.holds.get((COUPONS, coupon.bet_id))
    if held is not None:
        other = f"event:{COUPONS}"
        yield post(bettor, coupon.bet_id, other, "stake", -coupon.stake_minor, held)
    for number, leg in enumerate(coupon.legs):
        ended = t.LegEnded(bettor.client_id, coupon.bet_id, number, taken=True)
        yield t.Send(leg.request.event_id, ended)
    yield from _settle(bettor, coupon)


def _decline(bettor: BettorState, coupon: Coupon, refused: int, code: Code) -> Decided:
    key = bettor_key(bettor.client_id)
    head = (bettor.client_id, coupon.bet_id)
    yield be.CouponDeclined(key, bettor.seq + 1, "", 0, *head, refused, code.value, SENTENCES[code])
    held = bettor.holds.get((COUPONS, coupon.bet_id))
    if held is not None:
        yield be.FundsReleased(key, bettor.seq + 1, "", 0, *head, COUPONS, held)
    for number, leg in enumerate(coupon.legs):
        # Also the one that refused: it lets go of nothing, and says so.
        ended = t.LegEnded(bettor.client_id, coupon.bet_id, number, taken=False)
        yield t.Send(leg.request.event_id, ended)


def decide_due_coupon(shard: ShardState, key: str, bet_id: str) -> Decided:
    """Yield the refusal of a coupon whose legs did not all answer in time."""
    bettor = shard.bettors[key]
    yield from _decline(bettor, bettor.coupons[bet_id], -1, Code.EXPIRED_DOWNSTREAM)


def _settle(bettor: BettorState, coupon: Coupon) -> Decided:
    """Yield the settlement of a coupon as soon as nothing open can change what it pays."""
    if coupon.status != ACCEPTED or not _is_decided(coupon):
        return
    key = bettor_key(bettor.client_id)
    # Earlier programs took coupons that could pay more than can be written down.
    payout = min(coupon_payout_minor(coupon), COUPON_PAYOUT_MAX_MINOR)
    void = all(leg.is_known and leg.win == (1, 1) for leg in coupon.legs)
    result = "void" if void else "win" if payout else "loss"
    rest = coupon.stake_minor - payout
    postings = (("house:multiples", rest),) if rest else ()
    head = (bettor.client_id, coupon.bet_id)
    yield be.CouponSettled(
        key, bettor.seq + 1, "", 0, *head, coupon.settlement + 1, result, payout, postings
    )
    if payout and bettor.is_open:
        yield post(bettor, coupon.bet_id, f"event:{COUPONS}", "payout", payout, 0)


def coupon_payout_minor(coupon: Coupon) -> int:
    """Return what a decided coupon pays; a leg that is not known is in losing lines alone."""
    kinds = ("win", "place") if coupon.each_way else ("win",)
    parts = [
        [Fraction(*getattr(leg, kind)) if leg.is_known else Fraction(0) for leg in coupon.legs]
        for kind in kinds
    ]
    return payout_minor(coupon.unit_stake_minor, coupon.sizes, parts)


def _is_decided(coupon: Coupon) -> bool:
    """Return whether all legs are known, or no line without a lost leg is left."""
    if all(leg.is_known for leg in coupon.legs):
        return True
    alive = sum(
        not leg.is_known or leg.win[0] > 0 or (coupon.each_way and leg.place[0] > 0)
        for leg in coupon.legs
    )
    return alive < min(coupon.sizes)


def _reopen(bettor: BettorState, coupon: Coupon, body: t.LegReopened) -> Decided:
    key = bettor_key(bettor.client_id)
    head = (bettor.client_id, coupon.bet_id)
    if coupon.legs[body.leg].settlement != body.settlement:
        return
    yield be.LegResultTakenBack(key, bettor.seq + 1, "", 0, *head, body.leg, body.settlement)
    if coupon.status not in (WON, LOST, VOID):
        return
    paid = coupon.payout_minor
    reversed_postings = tuple((account, -amount) for account, amount in coupon.postings)
    yield be.CouponUnsettled(
        key, bettor.seq + 1, "", 0, *head, coupon.settlement, paid, reversed_postings
    )
    if paid and bettor.is_open:
        yield post(bettor, coupon.bet_id, f"event:{COUPONS}", "payout_returned", -paid, 0)
    yield from _settle(bettor, coupon)
