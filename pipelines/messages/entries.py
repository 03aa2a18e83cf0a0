"""Topic `journal`: what was decided, in the order in which it was decided.

A shard's state is the fold of these entries and nothing else. Each belongs to an event and mostly
to a market, and is numbered in both without gaps (`event_seq`, `market_seq`, from 1; 0 where it
belongs to none), so that a missing one shows.
"""

from typing import Annotated

from msgspec import Meta, Struct

from pipelines.messages import bettor_entries as be
from pipelines.messages import cash_out_entries as co
from pipelines.messages import isolation_entries as ie
from pipelines.messages import order_entries as oe
from pipelines.messages.bet_entries import (
    BetAccepted,
    BetCancelled,
    BetConfirmed,
    BetDeclined,
    BetPartlyAccepted,
    BetPartlyConfirmed,
    BetPending,
    BetRejected,
)
from pipelines.messages.entry_bases import BetEntry, BetReference, EntryBase
from pipelines.messages.operations import Market
from pipelines.messages.risk_entries import (
    AnyRiskEntry,
    LeverWasSet,
    ReferralAccepted,
    RiskWasSet,
    ShardRiskWasSet,
)
from pipelines.messages.settling_entries import (
    AnySettlingEntry,
    OperationTaken,
    OperationWaits,
    RefundBegan,
    RefundEnded,
    RollbackBegan,
    SelectionResultEnded,
    SelectionWasResulted,
    SettlementWentOn,
)

__all__ = [
    "BetAccepted",
    "BetCancelled",
    "BetConfirmed",
    "BetConflict",
    "BetDeclined",
    "BetEntry",
    "BetPartlyAccepted",
    "BetPartlyConfirmed",
    "BetPending",
    "BetReference",
    "BetRejected",
    "BetRepeated",
    "BetSettled",
    "BetUnsettled",
    "CancelRejected",
    "Entry",
    "EntryBase",
    "EventIsStarting",
    "EventRetired",
    "EventWasOpened",
    "JournalRecord",
    "LeverWasSet",
    "MarketChanged",
    "MarketResulted",
    "MarketSettled",
    "MarketUnsettled",
    "MarketWasOpened",
    "OddsSet",
    "OperationRefused",
    "OperationTaken",
    "OperationWaits",
    "RecordDeadLettered",
    "ReferralAccepted",
    "RefundBegan",
    "RefundEnded",
    "RequestRefused",
    "RiskWasSet",
    "RollbackBegan",
    "SelectionResultEnded",
    "SelectionWasRemoved",
    "SelectionWasResulted",
    "SettlementWentOn",
    "ShardRiskWasSet",
]


class CancelRejected(BetReference, frozen=True, gc=False, array_like=True, tag=7):
    """A cancel came too late or names no bet."""

    code: str
    reason: str


class BetRepeated(BetReference, frozen=True, gc=False, array_like=True, tag=8):
    """The same bet came again: its present answer is sent again, nothing else happens."""

    status: str
    odds_e4: int
    code: str


class BetConflict(BetReference, frozen=True, gc=False, array_like=True, tag=9):
    """Another body under the id of a known bet: refused, the known bet stands."""


class RequestRefused(EntryBase, frozen=True, gc=False, array_like=True, tag=10):
    """An unreadable request of a known bettor; answered by the transport's message id."""

    client_id: str
    message_id: str
    code: str
    reason: str


class RecordDeadLettered(EntryBase, frozen=True, gc=False, array_like=True, tag=11):
    """An input record could not be understood; it is kept in `dead-letters`."""

    topic: str
    offset: int
    code: str
    reason: str


class EventWasOpened(EntryBase, frozen=True, gc=False, array_like=True, tag=20):
    """An event exists from here on."""

    name: str
    event_type: str
    start_ms: int
    clock: str


class EventIsStarting(EntryBase, frozen=True, gc=False, array_like=True, tag=21):
    """The event's start time has come: its bettors are told."""

    name: str


class EventRetired(EntryBase, frozen=True, gc=False, array_like=True, tag=22):
    """Long after its last settlement the event is forgotten."""


class MarketWasOpened(EntryBase, frozen=True, array_like=True, tag=30):
    """A market exists from here on, with version 1."""

    market: Market


class MarketChanged(EntryBase, frozen=True, gc=False, array_like=True, tag=31):
    """Status, in-play flag or bet delay after the change, and the versions it leads to."""

    status: str
    in_play: bool
    bet_delay_ms: int
    version: int
    material_version: int
    reason: str


class OddsSet(EntryBase, frozen=True, array_like=True, tag=32):
    """New odds of a fixed book."""

    prices: tuple[tuple[int, int], ...]


class SelectionWasRemoved(EntryBase, frozen=True, gc=False, array_like=True, tag=33):
    """A selection is withdrawn; entries that refund its bets follow.

    `deduction_e4`: what Rule 4 takes from the winnings of bets struck before, or the reduction
    factor of an exchange; -1 in journals of programs that did not say.
    """

    selection_id: int
    version: int
    reason: str
    deduction_e4: int = -1


class MarketResulted(EntryBase, frozen=True, array_like=True, tag=40):
    """The result stands; its settlement follows. `dividends` of a pool a unit staked, in e4.

    `factors` (selection id, a, b, d) pay stake * (a * odds + b) / d, where winners are not all;
    `finish` and `score` as the result gave them.
    """

    settlement: int
    winners: tuple[int, ...]
    void: bool
    dividends: tuple[tuple[int, int], ...]
    reason: str
    factors: tuple[tuple[int, int, int, int], ...] = ()
    finish: tuple[tuple[int, ...], ...] = ()
    score: tuple[int, ...] = ()


class BetSettled(BetReference, frozen=True, gc=False, array_like=True, tag=41):
    """A bet came out: `result` win, loss or void; posts `payout_minor` from market to bettor."""

    settlement: int
    result: str
    payout_minor: int
    reason: str


class MarketSettled(EntryBase, frozen=True, array_like=True, tag=42):
    """All bets are settled; `postings` (account, amount) move what is left to the house."""

    settlement: int
    bets: int
    staked_minor: int
    paid_minor: int
    postings: tuple[tuple[str, int], ...]


class BetUnsettled(BetReference, frozen=True, gc=False, array_like=True, tag=43):
    """A settlement was rolled back for this bet: its payout is posted back."""

    settlement: int
    payout_minor: int


class MarketUnsettled(EntryBase, frozen=True, array_like=True, tag=44):
    """A result was rolled back; `postings` reverse those of its `MarketSettled`."""

    settlement: int
    postings: tuple[tuple[str, int], ...]
    reason: str


class OperationRefused(EntryBase, frozen=True, gc=False, array_like=True, tag=50):
    """An operator's message was understood but cannot be done, or changes nothing."""

    operation: str
    code: str
    reason: str


_Taken = BetAccepted | BetPartlyAccepted
_Decided = BetConfirmed | BetPartlyConfirmed | BetDeclined | BetCancelled
_Bet = _Taken | BetPending | BetRejected | _Decided
_Reply = CancelRejected | BetRepeated | BetConflict | RequestRefused | RecordDeadLettered
_Event = EventWasOpened | EventIsStarting | EventRetired | OperationRefused
_Market = MarketWasOpened | MarketChanged | OddsSet | SelectionWasRemoved
_Settled = MarketResulted | BetSettled | MarketSettled | BetUnsettled | MarketUnsettled
_Book = _Bet | _Reply | _Event | _Market | _Settled | AnySettlingEntry
_Other = co.AnyCashOutEntry | AnyRiskEntry | ie.AnyIsolationEntry
Entry = _Book | oe.AnyOrderEntry | be.AnyBettorEntry | _Other


class JournalRecord(Struct, frozen=True, gc=False, array_like=True):
    """One record of the journal: an entry, its number in the shard, its time, the positions.

    `at_ms` is the engine time of the event's clock; `bets_next` and the like are the offsets
    at which the inputs go on once this record is committed. `wall_ms` is set where an entry in
    feed time starts a wait in wall time: a feed event's market settles, to be forgotten later.
    """

    v: Annotated[int, Meta(ge=1, le=1)]
    shard_seq: int
    at_ms: int
    bets_next: int
    events_next: int
    entry: Entry
    wall_ms: int = 0
    transfers_next: int = 0
