"""Bettors' own books: accounts balance, and coupons have one answer and pay what their legs say.

Kept apart from the fold on purpose: it follows the entries with a ledger of its own, and works
payouts out line by line.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations
from math import prod
from typing import Final

from pipelines.audit.exposures import Exposures
from pipelines.audit.tally import Place, Tally
from pipelines.books.multiples import line_count, payout_minor, sizes_of
from pipelines.messages import bettor_entries as be
from pipelines.messages import entries as e

__all__ = ["Bettors"]

LINES_MAX: Final = 5_000  # of a coupon, to work it out line by line


@dataclass(slots=True)
class _Coupon:
    entry: be.CouponEntry
    place: str = "pending"  # then open, settled, refused
    legs: dict[int, tuple[Fraction, Fraction]] = field(default_factory=dict)
    paid_minor: int = 0
    postings: tuple[tuple[str, int], ...] = ()


@dataclass(slots=True)
class _Account:
    balance_minor: int = 0
    holds: dict[tuple[str, str], int] = field(default_factory=dict)
    exposures: dict[tuple[str, str], int] = field(default_factory=dict)  # by event and market


class Bettors:
    """Follows the bettors of one partition."""

    def __init__(self, tally: Tally, exposures: Exposures) -> None:
        self._tally = tally
        self._exposures = exposures
        self._accounts: dict[str, _Account] = {}
        self._coupons: dict[tuple[str, str], _Coupon] = {}

    def see(self, place: Place, entry: e.Entry) -> None:
        """Look at the next entry of the journal."""
        self._exposures.see(entry)
        if isinstance(entry, be.FundsReserved):
            held = self._account(entry).holds
            if (entry.source, entry.bet_id) in held:
                self._tally.fail(place, f"holds twice for bet {entry.bet_id!r}")
            held[(entry.source, entry.bet_id)] = entry.amount_minor
        elif isinstance(entry, be.FundsReleased):
            if self._account(entry).holds.pop((entry.source, entry.bet_id), -1) < 0:
                self._tally.fail(place, f"releases what is not held for bet {entry.bet_id!r}")
        elif isinstance(entry, be.ExposureWasHeld):
            account = self._account(entry)
            released = account.holds.pop((entry.source, entry.bet_id), 0)
            if released != entry.released_minor:
                self._tally.fail(place, f"releases {entry.released_minor} of {released}")
            account.exposures[entry.source, entry.of_market] = entry.held_minor
        elif isinstance(entry, be.FundsPosted):
            self._posted(place, entry)
        elif isinstance(entry, be.CouponEntry):
            self._first(place, entry)
        elif isinstance(entry, be.CouponAccepted):
            self._move(place, entry, "pending", "open")
        elif isinstance(entry, be.CouponDeclined):
            self._move(place, entry, "pending", "refused")
        elif isinstance(entry, be.LegResulted):
            coupon = self._coupon(place, entry)
            if coupon is not None:
                coupon.legs[entry.leg] = (Fraction(*entry.win), Fraction(*entry.place))
        elif isinstance(entry, be.LegResultTakenBack):
            coupon = self._coupon(place, entry)
            if coupon is not None:
                coupon.legs.pop(entry.leg, None)
        elif isinstance(entry, be.CouponSettled):
            self._settled(place, entry)
        elif isinstance(entry, be.CouponUnsettled):
            self._unsettled(place, entry)
        elif isinstance(entry, be.CouponRetired):
            self._coupons.pop((entry.event_id, entry.bet_id), None)

    def finish(self, complete: bool) -> None:
        """The journal ends here; with `complete`, no coupon may wait for its answer."""
        for (key, bet_id), coupon in self._coupons.items():
            if coupon.place == "pending":
                self._tally.count("coupons that still wait for their legs")
                if complete:
                    self._tally.fail(Place("bets", -1, -1), f"coupon {bet_id!r} of {key} waits")

    def _account(self, entry: e.Entry) -> _Account:
        return self._accounts.setdefault(entry.event_id, _Account())

    def _posted(self, place: Place, entry: be.FundsPosted) -> None:
        self._tally.count("account postings")
        account = self._account(entry)
        account.balance_minor += entry.amount_minor
        if account.balance_minor != entry.balance_minor:
            said, found = entry.balance_minor, account.balance_minor
            self._tally.fail(place, f"{entry.event_id} has {said}, its postings say {found}")
            account.balance_minor = entry.balance_minor
        if sum(amount for _, amount in entry.postings):
            self._tally.fail(place, f"a posting of {entry.event_id} does not sum to zero")
        if (entry.event_id, entry.amount_minor) not in entry.postings:
            self._tally.fail(place, f"a posting of {entry.event_id} is not to its account")
        held = 0
        if entry.kind == "stake":
            held = account.holds.pop((entry.source, entry.bet_id), 0)
        if entry.of_market:
            where = (entry.source, entry.of_market)
            account.exposures[where] = account.exposures.get(where, 0) - entry.released_minor
            if account.exposures[where] < 0:
                self._tally.fail(place, f"holds {account.exposures[where]} for {where}")
        elif held != entry.released_minor:
            self._tally.fail(place, f"releases {entry.released_minor} of {held} that were held")

    def _first(self, place: Place, entry: be.CouponEntry) -> None:
        self._tally.count("coupons")
        name = (entry.event_id, entry.bet_id)
        if name in self._coupons:
            self._tally.fail(place, f"coupon {entry.bet_id!r} has a second first answer")
        lines = line_count(len(entry.legs), _sizes(entry)) * (2 if entry.each_way else 1)
        if entry.stake_minor != lines * entry.unit_stake_minor:
            self._tally.fail(place, f"coupon {entry.bet_id!r} stakes {entry.stake_minor}")
        refused = isinstance(entry, be.CouponRejected)
        self._coupons[name] = _Coupon(entry, "refused" if refused else "pending")

    def _coupon(self, place: Place, entry: e.BetReference) -> _Coupon | None:
        coupon = self._coupons.get((entry.event_id, entry.bet_id))
        if coupon is None:
            self._tally.fail(place, f"{type(entry).__name__} of an unknown coupon")
        return coupon

    def _move(self, place: Place, entry: e.BetReference, at: str, to: str) -> _Coupon | None:
        coupon = self._coupon(place, entry)
        if coupon is not None:
            if coupon.place != at:
                what = f"{type(entry).__name__} of coupon {entry.bet_id!r}: it is {coupon.place}"
                self._tally.fail(place, what)
            coupon.place = to
        return coupon

    def _settled(self, place: Place, entry: be.CouponSettled) -> None:
        coupon = self._move(place, entry, "open", "settled")
        if coupon is None:
            return
        due = _due_minor(coupon)
        if due != entry.payout_minor:
            what = f"coupon {entry.bet_id!r} is paid {entry.payout_minor}, its legs say {due}"
            self._tally.fail(place, what)
        coupon.paid_minor, coupon.postings = entry.payout_minor, entry.postings
        posted = sum(amount for _, amount in entry.postings)
        if coupon.entry.stake_minor != entry.payout_minor + posted:
            self._tally.fail(place, f"coupon {entry.bet_id!r} does not sum to zero")

    def _unsettled(self, place: Place, entry: be.CouponUnsettled) -> None:
        coupon = self._move(place, entry, "settled", "open")
        if coupon is None:
            return
        reverse = tuple((account, -amount) for account, amount in coupon.postings)
        if (entry.payout_minor, entry.postings) != (coupon.paid_minor, reverse):
            self._tally.fail(place, f"coupon {entry.bet_id!r} is not reversed as it was settled")
        coupon.paid_minor, coupon.postings = 0, ()


def _sizes(entry: be.CouponEntry) -> tuple[int, ...]:
    return sizes_of(entry.bet_type, len(entry.legs), entry.sizes)


def _due_minor(coupon: _Coupon) -> int:
    """Return what the coupon's lines pay; a leg without a result counts as lost."""
    entry = coupon.entry
    lost = (Fraction(0), Fraction(0))
    known = [coupon.legs.get(number, lost) for number in range(len(entry.legs))]
    parts = [[win for win, _ in known]]
    if entry.each_way:
        parts.append([placed for _, placed in known])
    sizes = _sizes(entry)
    if line_count(len(known), sizes) > LINES_MAX:
        return payout_minor(entry.unit_stake_minor, sizes, parts)
    lines = [line for part in parts for size in sizes for line in combinations(part, size)]
    return int(entry.unit_stake_minor * sum((prod(line) for line in lines), Fraction(0)))
