"""Topic `journal`, continued: transfers, accounts, and coupons with their legs.

Entries of a bettor's book have the key `bettor/<client id>` in `event_id` and their number there in
`event_seq`. Transfers are numbered by themselves and belong to no book.
"""

from pipelines.messages.coupon_requests import BetType, LegRequest
from pipelines.messages.entry_bases import BetReference, EntryBase
from pipelines.messages.transfers import Body, Ratio

__all__ = [
    "AccountWasSet",
    "AnyBettorEntry",
    "CouponAccepted",
    "CouponDeclined",
    "CouponEntry",
    "CouponPending",
    "CouponRejected",
    "CouponRetired",
    "CouponSettled",
    "CouponUnsettled",
    "ExposureWasHeld",
    "FundsHeld",
    "FundsPosted",
    "FundsRefused",
    "FundsReleased",
    "FundsReserved",
    "LegHeld",
    "LegKept",
    "LegRefused",
    "LegReleased",
    "LegResultTakenBack",
    "LegResulted",
    "LegSettled",
    "LegTaken",
    "LegUnsettled",
    "TransferReceived",
    "TransferSent",
]


class TransferSent(EntryBase, frozen=True, array_like=True, tag=100):
    """A transfer to the book `to` leaves with this transaction."""

    to: str
    number: int
    body: Body


class TransferReceived(EntryBase, frozen=True, gc=False, array_like=True, tag=101):
    """A transfer came; what it leads to follows. With a `code` it leads to nothing."""

    to: str
    sender: int
    number: int
    code: str


class CouponEntry(BetReference, frozen=True, array_like=True):
    """The first answer to a coupon, with the coupon as it was asked for."""

    bet_type: BetType
    legs: tuple[LegRequest, ...]
    unit_stake_minor: int
    sizes: tuple[int, ...]
    each_way: bool
    stake_minor: int


class CouponPending(CouponEntry, frozen=True, array_like=True, tag=102):
    """Its legs are asked for; whatever has no answer by `due_ms` refuses it."""

    due_ms: int


class CouponRejected(CouponEntry, frozen=True, array_like=True, tag=103):
    """Refused, for good."""

    code: str
    reason: str


class LegTaken(BetReference, frozen=True, gc=False, array_like=True, tag=104):
    """The event holds a leg at `odds_e4`."""

    leg: int
    odds_e4: int
    accounts: bool


class CouponAccepted(BetReference, frozen=True, array_like=True, tag=105):
    """All legs are held: the coupon stands at these odds. Posts its stake to its own escrow."""

    stake_minor: int
    odds_e4: tuple[int, ...]


class CouponDeclined(BetReference, frozen=True, gc=False, array_like=True, tag=106):
    """A leg was refused (-1: none was) or too late; the others are let go."""

    leg: int
    code: str
    reason: str


class LegResulted(BetReference, frozen=True, gc=False, array_like=True, tag=107):
    """What a leg returns a unit staked, to win and for a place, as (numerator, denominator)."""

    leg: int
    settlement: int
    win: Ratio
    place: Ratio


class LegResultTakenBack(BetReference, frozen=True, gc=False, array_like=True, tag=108):
    """A leg's result was rolled back."""

    leg: int
    settlement: int


class CouponSettled(BetReference, frozen=True, array_like=True, tag=109):
    """The coupon came out. What is left of its stake is posted to the house."""

    settlement: int
    result: str
    payout_minor: int
    postings: tuple[tuple[str, int], ...]


class CouponUnsettled(BetReference, frozen=True, array_like=True, tag=110):
    """A leg's result was rolled back: the payout and the postings are reversed."""

    settlement: int
    payout_minor: int
    postings: tuple[tuple[str, int], ...]


class CouponRetired(BetReference, frozen=True, gc=False, array_like=True, tag=111):
    """Long after its settlement the coupon is forgotten."""


class AccountWasSet(EntryBase, frozen=True, gc=False, array_like=True, tag=114):
    """The account as an operator wants it."""

    client_id: str
    credit_minor: int
    open: bool


class FundsReserved(BetReference, frozen=True, gc=False, array_like=True, tag=115):
    """So much is held for a bet on the event `source`; the free balance is less by it."""

    source: str
    amount_minor: int


class FundsRefused(BetReference, frozen=True, gc=False, array_like=True, tag=116):
    """The free balance does not allow it."""

    source: str
    amount_minor: int
    code: str


class FundsReleased(BetReference, frozen=True, gc=False, array_like=True, tag=117):
    """What was held for a bet is free again."""

    source: str
    amount_minor: int


class FundsPosted(BetReference, frozen=True, array_like=True, tag=118):
    """Money moved: `postings` (account, amount) sum to zero; `balance_minor` is that after it.

    `kind`: stake, payout, payout_returned, deposit, withdrawal; of a whole exchange market, whose
    id is `of_market`: result, result_returned. Of what was held for the bet or the market,
    `released_minor` is held no more; negative where more is held.
    """

    source: str
    kind: str
    amount_minor: int
    released_minor: int
    balance_minor: int
    postings: tuple[tuple[str, int], ...]
    of_market: str = ""


class ExposureWasHeld(BetReference, frozen=True, gc=False, array_like=True, tag=127):
    """For an exchange market `held_minor` is held from now on; `bet_id`: see the transfer.

    Of what was held for that order alone `released_minor` is part of it.
    """

    source: str
    of_market: str
    held_minor: int
    released_minor: int


class FundsHeld(BetReference, frozen=True, gc=False, array_like=True, tag=120):
    """The bettor's account holds the money for a pending bet."""


class LegHeld(BetReference, frozen=True, gc=False, array_like=True, tag=121):
    """A coupon's leg is held at `odds_e4` until the coupon ends it."""

    leg: int
    selection_id: int
    odds_e4: int


class LegRefused(BetReference, frozen=True, gc=False, array_like=True, tag=122):
    """A coupon's leg is refused."""

    leg: int
    code: str


class LegKept(BetReference, frozen=True, gc=False, array_like=True, tag=123):
    """The coupon of a held leg stands."""

    leg: int


class LegReleased(BetReference, frozen=True, gc=False, array_like=True, tag=124):
    """The coupon of a held leg does not stand."""

    leg: int


class LegSettled(BetReference, frozen=True, gc=False, array_like=True, tag=125):
    """A leg came out; its coupon is told."""

    leg: int
    settlement: int
    win: Ratio
    place: Ratio


class LegUnsettled(BetReference, frozen=True, gc=False, array_like=True, tag=126):
    """A leg's result was rolled back; its coupon is told."""

    leg: int
    settlement: int


AnyBettorEntry = (
    TransferSent
    | TransferReceived
    | CouponPending
    | CouponRejected
    | LegTaken
    | CouponAccepted
    | CouponDeclined
    | LegResulted
    | LegResultTakenBack
    | CouponSettled
    | CouponUnsettled
    | CouponRetired
    | AccountWasSet
    | FundsReserved
    | FundsRefused
    | FundsReleased
    | FundsPosted
    | ExposureWasHeld
    | FundsHeld
    | LegHeld
    | LegRefused
    | LegKept
    | LegReleased
    | LegSettled
    | LegUnsettled
)
