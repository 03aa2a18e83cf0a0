"""Topic `transfers`: what shards say to each other; nobody else writes here.

A bettor's account and coupons live under the key `bettor/<client id>`, in whatever partition that
is; events live in theirs. A shard never waits for another: it sends a transfer in its own
transaction and goes on when the answer comes, or when its deadline fires. Transfers are numbered by
sender, so that a receiver drops a repeat.
"""

from typing import Annotated

from msgspec import Meta, Struct

from pipelines.messages.requests import PricePolicy

__all__ = [
    "Body",
    "EventEnded",
    "ExposureHeld",
    "Forwarded",
    "FundsAnswered",
    "FundsAsked",
    "FundsPaid",
    "FundsReturned",
    "FundsTaken",
    "LegAnswered",
    "LegAsked",
    "LegCameOut",
    "LegEnded",
    "LegReopened",
    "MarketAskedBack",
    "MarketEnded",
    "MarketMoved",
    "MarketPosted",
    "Send",
    "Transfer",
]

#: A return a unit staked, as (numerator, denominator); exact, because legs multiply.
Ratio = tuple[int, int]


class FundsAsked(Struct, frozen=True, gc=False, array_like=True, tag="funds_asked"):
    """Event to bettor: hold so much for a bet."""

    event_id: str
    bet_id: str
    amount_minor: int


class FundsAnswered(Struct, frozen=True, gc=False, array_like=True, tag="funds_answered"):
    """Bettor to event: the amount is held, or `code` says why not."""

    client_id: str
    bet_id: str
    code: str


class FundsReturned(Struct, frozen=True, gc=False, array_like=True, tag="funds_returned"):
    """Event to bettor: the bet did not come about, hold nothing for it."""

    event_id: str
    bet_id: str


class FundsTaken(Struct, frozen=True, gc=False, array_like=True, tag="funds_taken"):
    """Event to bettor: the bet stands; of what is held this much is its stake."""

    event_id: str
    bet_id: str
    amount_minor: int


class FundsPaid(Struct, frozen=True, gc=False, array_like=True, tag="funds_paid"):
    """Event to bettor: a bet pays, or takes back where `amount_minor` is negative."""

    event_id: str
    bet_id: str
    amount_minor: int
    settlement: int


class ExposureHeld(Struct, frozen=True, gc=False, array_like=True, tag="exposure_held"):
    """Event to bettor: for this exchange market hold so much from now on, however much that was.

    What was held for the order `bet_id` alone ("" for none) is part of it.
    """

    event_id: str
    market_id: str
    bet_id: str
    held_minor: int


class MarketPosted(Struct, frozen=True, gc=False, array_like=True, tag="market_posted"):
    """Event to bettor: an exchange market comes to so much, commission paid; then hold that much.

    `amount_minor` is negative for a loss; with `rolled_back` it is the former amount, reversed.
    """

    event_id: str
    market_id: str
    settlement: int
    amount_minor: int
    held_minor: int
    rolled_back: bool


class LegAsked(Struct, frozen=True, gc=False, array_like=True, tag="leg_asked"):
    """Bettor to event: would this leg of a coupon be taken? Hold it if so."""

    client_id: str
    bet_id: str
    leg: int
    market_id: str
    selection_id: int
    stake_minor: int
    odds_e4: int
    price_policy: PricePolicy
    tolerance_e4: int
    market_version: int
    each_way: bool


class LegAnswered(Struct, frozen=True, gc=False, array_like=True, tag="leg_answered"):
    """Event to bettor: the leg is held at `odds_e4`, or `code` says why not.

    `accounts`: the market takes bets from accounts alone.
    """

    bet_id: str
    leg: int
    code: str
    odds_e4: int
    accounts: bool


class LegEnded(Struct, frozen=True, gc=False, array_like=True, tag="leg_ended"):
    """Bettor to event: the coupon stands (`taken`), or its leg is let go."""

    client_id: str
    bet_id: str
    leg: int
    taken: bool


class LegCameOut(Struct, frozen=True, gc=False, array_like=True, tag="leg_came_out"):
    """Event to bettor: what the leg returns a unit staked to win, and for a place."""

    bet_id: str
    leg: int
    settlement: int
    win: Ratio
    place: Ratio


class LegReopened(Struct, frozen=True, gc=False, array_like=True, tag="leg_reopened"):
    """Event to bettor: the leg's result was rolled back."""

    bet_id: str
    leg: int
    settlement: int


class Forwarded(Struct, frozen=True, gc=False, array_like=True, tag="forwarded"):
    """Home of an event to the shard that has a market of it: decide this, as it came.

    `topic` bets or events; `bet_id` is the id that is answered first there, "" where none is.
    With a `code` the request broke the schema, and `value` is what could be read of the bet.
    """

    topic: str
    event_id: str
    market_id: str
    client_id: str
    bet_id: str
    value: bytes
    code: str = ""
    reason: str = ""


class MarketMoved(Struct, frozen=True, gc=False, array_like=True, tag="market_moved"):
    """Part `part` (from 0) of `parts` of a market's state; numbers are those it was left at."""

    event_id: str
    market_id: str
    event_seq: int
    market_seq: int
    part: int
    parts: int
    data: bytes


class MarketAskedBack(Struct, frozen=True, gc=False, array_like=True, tag="market_asked_back"):
    """Home of an event to the shard that has a market of it: hand it over."""

    event_id: str
    market_id: str


class MarketEnded(Struct, frozen=True, gc=False, array_like=True, tag="market_ended"):
    """To the home of an event: its market is settled here, or open again."""

    event_id: str
    market_id: str
    settled: bool


class EventEnded(Struct, frozen=True, gc=False, array_like=True, tag="event_ended"):
    """Home of an event to those that had markets of it: forget it."""

    event_id: str


Body = (
    FundsAsked
    | FundsAnswered
    | FundsReturned
    | FundsTaken
    | FundsPaid
    | ExposureHeld
    | MarketPosted
    | LegAsked
    | LegAnswered
    | LegEnded
    | LegCameOut
    | LegReopened
    | Forwarded
    | MarketMoved
    | MarketAskedBack
    | MarketEnded
    | EventEnded
)


class Send(Struct, frozen=True, gc=False):
    """A decision to send `body` to the book `to`; the engine numbers it."""

    to: str
    body: Body


class Transfer(Struct, frozen=True, gc=False, array_like=True):
    """One record: `number` rises by one with each transfer of the sending partition."""

    v: Annotated[int, Meta(ge=1, le=1)]
    sender: int
    number: int
    to: str
    body: Body
