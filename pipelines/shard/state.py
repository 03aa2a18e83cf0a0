"""A shard's state: the fold of its journal. Only `evolve` changes it."""

from typing import Final

from msgspec import Struct, field

from pipelines.books.book import Book
from pipelines.books.exchange import ExchangeBook
from pipelines.books.rounding import payout_minor
from pipelines.messages.operations import Market as MarketDefinition
from pipelines.messages.operations import SettlingOperation
from pipelines.messages.requests import PricePolicy
from pipelines.shard.away import Away
from pipelines.shard.bet_table import BetKey, BetTable
from pipelines.shard.bettor import BettorState
from pipelines.shard.market_funds import MarketFunds
from pipelines.shard.order import Order
from pipelines.shard.risk_state import EventRisk, ShardRisk
from pipelines.shard.statuses import (
    ACCEPTED,
    CANCELLED,
    CASHED_OUT,
    LAPSED,
    LOST,
    PENDING,
    REJECTED,
    STATUS_NAMES,
    VOID,
    WON,
)
from pipelines.shard.timers import Timer, Timers

__all__ = [
    "ACCEPTED",
    "CANCELLED",
    "CASHED_OUT",
    "EARLY",
    "LAPSED",
    "LOST",
    "PENDING",
    "REJECTED",
    "RESULTS",
    "STATUS_NAMES",
    "VOID",
    "WON",
    "AnyBet",
    "Bet",
    "BetKey",
    "EventState",
    "Leg",
    "LegKey",
    "MarketState",
    "Settling",
    "ShardState",
    "ShareBet",
    "Timer",
]

RESULTS: Final = {"win": WON, "loss": LOST, "void": VOID}
EARLY: Final = ("WINNER", "LOSER")  # how a selection stands that is settled before its market

LegKey = tuple[str, str, int]  # client id, coupon's bet id, leg


class Bet(Struct, gc=False):
    """One bet with the house as asked for and as it stands; on an exchange see `Order`.

    `settlement` is that of its last outcome.
    """

    client_id: str
    bet_id: str
    market_id: str
    selection_id: int
    stake_minor: int
    asked_odds_e4: int
    price_policy: PricePolicy
    tolerance_e4: int
    market_version: int
    status: int
    odds_e4: int
    at_ms: int
    payout_minor: int = 0
    settlement: int = 0
    due_ms: int = 0
    code: str = ""

    def pays_minor(self) -> int:
        """Return what the bet pays if it wins outright, stake included; not of an order."""
        return payout_minor(self.stake_minor, self.odds_e4)


class ShareBet(Bet, gc=False):
    """A bet with a market maker, of an entry that says how many shares it bought."""

    shares_minor: int = 0

    def pays_minor(self) -> int:
        """Return its shares: each pays a unit."""
        return self.shares_minor


AnyBet = Bet | Order


class Leg(Struct):
    """A leg of a coupon whose home is elsewhere.

    So many (`number`) single bets were taken before it, and so many withdrawals had come; -1 in
    what a program handed over that did not count them.
    """

    selection_id: int
    odds_e4: int
    number: int
    at_ms: int
    kept: bool = False
    voided: bool = False
    settlement: int = 0
    withdrawals: int = -1


class Settling(Struct):
    """What goes through a market's bets in chunks.

    `kind` is settle, roll_back, refund, or settle_part and reopen_part for one selection.

    `next` is the first bet not looked at, `end` the first that is none of its business; sums are
    those of the settlement so far, `nets` by bettor, in the order of `clients` (exchange).
    """

    kind: str
    end: int
    reason: str
    next: int = 0
    bets: int = 0
    staked_minor: int = 0
    paid_minor: int = 0
    nets: dict[str, int] = {}
    clients: list[str] = []
    selection_id: int = -1  # of a refund, as are the following, or of a part
    from_ms: int = 0
    to_ms: int = 0


class MarketState(Struct):
    """One market: its definition, life and book; `bets` in the order in which they were taken."""

    definition: MarketDefinition
    book: Book
    selections: dict[int, str]  # selection id -> ACTIVE, REMOVED; settled early: WINNER, LOSER
    status: str
    in_play: bool
    bet_delay_ms: int
    stake_min_minor: int  # as defined; here because every bet asks
    stake_max_minor: int
    seq: int = 1
    event_seq: int = 0  # of the market's last entry
    at_ms: int = 0  # of the market's last entry
    version: int = 1
    material_version: int = 1
    settlement: int = 0
    settled: bool = False
    refund: bool = False
    winners: tuple[int, ...] = ()
    dividends: tuple[tuple[int, int], ...] = ()
    escrow_minor: int = 0
    postings: tuple[tuple[str, int], ...] = ()
    bets: list[AnyBet] = []
    pending: dict[BetKey, int] = {}
    exchange: ExchangeBook | None = None  # the book again, where it is one
    discounts: dict[str, int] = {}  # by client id, in ten-thousandths of the commission
    commissions: dict[str, int] = {}  # of the present settlement, by client id
    holds: dict[BetKey, int] = {}  # pending bets whose account has not answered, and until when
    referred: dict[BetKey, None] = {}  # pending bets on which a trader decides
    legs: dict[LegKey, Leg] = {}
    factors: tuple[tuple[int, int, int, int], ...] = ()  # of the result, as is `finish`
    finish: tuple[tuple[int, ...], ...] = ()
    cashed_out_minor: int = 0  # what cash-outs left of their stakes, with the house already
    settled_early: tuple[int, int, int] = (0, 0, 0)  # of the coming settlement: bets, staked, paid
    settling: Settling | None = None
    waiting: list[SettlingOperation] = []  # for the end of it
    partial: dict[BetKey, None] = {}  # pending bets of which a part may be taken
    funds: MarketFunds | None = None  # of an exchange that takes orders from accounts alone


class EventState(Struct):
    """One event: its markets and every bet id it has answered."""

    event_id: str
    name: str
    event_type: str
    start_ms: int
    feed_clock: bool
    seq: int = 1
    now_ms: int = 0  # of a feed clock
    markets: dict[str, MarketState] = {}
    bets: BetTable = field(default_factory=BetTable)
    refusals: dict[BetKey, AnyBet] = {}
    risk: EventRisk | None = None  # where the risk desk has set something
    parts: dict[BetKey, int] = {}  # stakes asked for, of bets that were taken in part
    timers: Timers = field(default_factory=Timers)
    guest: bool = False  # its home is another shard: markets of it are, or were, here
    guests: list[str] = []  # books elsewhere that have, or had, markets of it
    away: dict[str, Away] = {}
    routed: dict[BetKey, str] = {}  # bet ids of markets that are away


class ShardState(Struct):
    """All books of one partition."""

    partition: int
    shard_seq: int = 0
    now_ms: int = 0  # of the wall clock
    bets_next: int = 0
    events_next: int = 0
    transfers_next: int = 0
    events: dict[str, EventState] = {}
    orphans: dict[tuple[str, str, str], Bet] = {}
    retired: dict[str, None] = {}
    bettors: dict[str, BettorState] = {}  # by key
    transfers_sent: int = 0
    transfers_seen: dict[int, int] = {}  # by sending partition
    account_markets: int = 0  # that take bets from accounts alone
    timers: Timers = field(default_factory=Timers)
    arriving: dict[tuple[str, str], list[bytes]] = {}  # parts of markets on their way here
    risk: ShardRisk | None = None  # where limits are set for all its books

    def risk_over(self, event: EventState) -> ShardRisk | None:
        """Return the limits that an event is held to and counts towards; None where there are none.

        An event in feed time is a replay or a simulation: it decides the same beside any others.
        """
        return None if event.feed_clock else self.risk
