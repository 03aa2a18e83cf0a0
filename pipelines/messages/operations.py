"""Topic `events`: what operators and price feeds say of events and markets."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from pipelines.limits import (
    BET_DELAY_MS_MAX,
    DEPTH_MAX,
    DISCOUNTS_PER_MESSAGE_MAX,
    LADDER_BANDS_MAX,
    MONEY_MAX_MINOR,
    NAME_LENGTH_MAX,
    ODDS_MAX_E4,
    REASON_LENGTH_MAX,
    SELECTIONS_PER_MARKET_MAX,
    STAKE_MAX_MINOR,
)
from pipelines.messages.requests import Id
from pipelines.messages.risk_operations import RiskOperation
from pipelines.messages.rules import FixedRules, LmsrRules, PoolRules

__all__ = [
    "BetsVoided",
    "Discounts",
    "EventOpened",
    "Market",
    "MarketOpened",
    "MarketStatus",
    "Operation",
    "Prices",
    "Result",
    "ResultRolledBack",
    "Selection",
    "SelectionRemoved",
    "SelectionResulted",
    "SettlingOperation",
]

Name = Annotated[str, Meta(max_length=NAME_LENGTH_MAX)]
Reason = Annotated[str, Meta(max_length=REASON_LENGTH_MAX)]
SelectionId = Annotated[int, Meta(ge=0, le=2**53)]
OddsE4 = Annotated[int, Meta(ge=0, le=ODDS_MAX_E4)]
Money = Annotated[int, Meta(ge=0, le=MONEY_MAX_MINOR)]
Millis = Annotated[int, Meta(ge=0, le=2**53)]
Fraction = Annotated[int, Meta(ge=0, le=9_999)]
Version = Annotated[int, Meta(ge=1, le=1)]
Status = Literal["INACTIVE", "OPEN", "SUSPENDED", "CLOSED"]


class Selection(Struct, frozen=True):
    """One runner or team as its market is opened; `odds_e4` 0 where it has no price yet.

    `adjustment_factor_e4` (exchange) is the reduction factor if it is withdrawn, 25 % is 2500.
    """

    selection_id: SelectionId
    name: Name = ""
    odds_e4: OddsE4 = 0
    adjustment_factor_e4: Fraction = 0


class Market(Struct, frozen=True):
    """A market's definition and the rules of its book.

    `engine` pool, fixed, exchange or lmsr; `pool`, `fixed` and `lmsr` are further rules of one.
    Pool: `takeout_e4` is the share kept (ten-thousandths),
    dividends are rounded down to `breakage_e4` a unit staked and never below
    `minimum_dividend_e4`; `split` says how several placed selections share. Fixed:
    `loss_limit_minor` bounds what the house may lose on the market, 0 for no bound. Exchange: it
    bounds what each bettor may lose; `market_base_rate_e4` of a bettor's net winnings is
    commission; `depth` price levels a side are shown, 0 for all.
    `accounts`: bets are taken from bettors' accounts alone. `multiples` (fixed): selections may be
    legs of a coupon.
    """

    market_id: Id
    selections: Annotated[
        tuple[Selection, ...], Meta(min_length=1, max_length=SELECTIONS_PER_MARKET_MAX)
    ]
    engine: Literal["pool", "fixed", "exchange", "lmsr"] = "fixed"
    market_type: Name = "WIN"
    name: Name = ""
    status: Literal["INACTIVE", "OPEN", "SUSPENDED"] = "OPEN"
    in_play: bool = False
    bet_delay_ms: Annotated[int, Meta(ge=0, le=BET_DELAY_MS_MAX)] = 0
    number_of_winners: Annotated[int, Meta(ge=1, le=SELECTIONS_PER_MARKET_MAX)] = 1
    ladder: Literal["CLASSIC", "FINEST", "CUSTOM", "ANY"] = "CLASSIC"
    stake_min_minor: Annotated[int, Meta(ge=1, le=STAKE_MAX_MINOR)] = 1
    stake_max_minor: Annotated[int, Meta(ge=1, le=STAKE_MAX_MINOR)] = STAKE_MAX_MINOR
    loss_limit_minor: Money = 0
    takeout_e4: Fraction = 0
    breakage_e4: Annotated[int, Meta(ge=1, le=10_000)] = 100
    minimum_dividend_e4: OddsE4 = 10_000
    split: Literal["net", "profit"] = "net"
    market_base_rate_e4: Fraction = 0
    ladder_bands: Annotated[
        tuple[tuple[OddsE4, OddsE4], ...], Meta(max_length=LADDER_BANDS_MAX)
    ] = ()
    self_match: Literal["CANCEL_RESTING", "CANCEL_INCOMING", "ALLOW"] = "CANCEL_RESTING"
    cross_matching: bool = False
    bsp_market: bool = False
    depth: Annotated[int, Meta(ge=0, le=DEPTH_MAX)] = 3
    accounts: bool = False
    multiples: bool = True
    lmsr: LmsrRules | None = None
    fixed: FixedRules | None = None
    pool: PoolRules | None = None


class EventOpened(Struct, frozen=True, tag_field="type", tag="event_opened"):
    """A race or match exists. `clock`: wall, or feed for replays and simulations."""

    event_id: Id
    name: Name = ""
    event_type: Name = ""
    start_ms: Millis = 0
    clock: Literal["wall", "feed"] = "wall"
    at_ms: Millis = 0
    v: Version = 1


class MarketOpened(Struct, frozen=True, tag_field="type", tag="market_opened"):
    """An event has this market."""

    event_id: Id
    market: Market
    at_ms: Millis = 0
    v: Version = 1


class MarketStatus(Struct, frozen=True, tag_field="type", tag="market_status"):
    """A market's status, in-play flag or bet delay changes.

    `material` unset: a change to in-play and one made while suspended are material, so bets that
    saw an older version are refused; true or false decides it by hand.
    """

    event_id: Id
    market_id: Id
    status: Status | UnsetType = UNSET
    in_play: bool | UnsetType = UNSET
    bet_delay_ms: Annotated[int, Meta(ge=0, le=BET_DELAY_MS_MAX)] | UnsetType = UNSET
    material: bool | UnsetType = UNSET
    reason: Reason = ""
    at_ms: Millis = 0
    v: Version = 1


class Prices(Struct, frozen=True, tag_field="type", tag="prices"):
    """New odds of a fixed book: pairs of selection id and odds, odds 0 for none."""

    event_id: Id
    market_id: Id
    prices: Annotated[
        tuple[tuple[SelectionId, OddsE4], ...],
        Meta(min_length=1, max_length=SELECTIONS_PER_MARKET_MAX),
    ]
    at_ms: Millis = 0
    v: Version = 1


class SelectionRemoved(Struct, frozen=True, tag_field="type", tag="selection_removed"):
    """A selection is withdrawn: its bets are refunded.

    Exchange: matched odds of the others are cut by `reduction_factor_e4` (unset: the selection's
    own), and unmatched orders on them lapse unless `keep_unmatched`. Fixed, with Rule 4: so much is
    deducted from winnings (unset: by the odds of the selection).
    """

    event_id: Id
    market_id: Id
    selection_id: SelectionId
    reason: Reason = ""
    at_ms: Millis = 0
    v: Version = 1
    reduction_factor_e4: Fraction | UnsetType = UNSET
    keep_unmatched: bool = False


class Result(Struct, frozen=True, tag_field="type", tag="result"):
    """Who won. More `winners` than the market pays is a dead heat; `void` refunds all.

    Instead of winners: `finish`, groups of tied selections in the order of finish (each-way and
    place bets, exotic pools), or the `score` of home and away (handicaps and totals).
    """

    event_id: Id
    market_id: Id
    winners: Annotated[tuple[SelectionId, ...], Meta(max_length=SELECTIONS_PER_MARKET_MAX)] = ()
    void: bool = False
    reason: Reason = ""
    at_ms: Millis = 0
    v: Version = 1
    finish: Annotated[
        tuple[
            Annotated[
                tuple[SelectionId, ...], Meta(min_length=1, max_length=SELECTIONS_PER_MARKET_MAX)
            ],
            ...,
        ],
        Meta(max_length=SELECTIONS_PER_MARKET_MAX),
    ] = ()
    score: Annotated[tuple[Annotated[int, Meta(ge=0, le=10_000)], ...], Meta(max_length=2)] = ()


class SelectionResulted(Struct, frozen=True, tag_field="type", tag="selection_resulted"):
    """A selection of a fixed book has won or lost before the market as a whole is decided.

    Its bets are settled, those on others go on. `ACTIVE` takes it back. The market's result must
    agree with it, and rolling that back takes it back too.
    """

    event_id: Id
    market_id: Id
    selection_id: SelectionId
    result: Literal["WINNER", "LOSER", "ACTIVE"]
    reason: Reason = ""
    at_ms: Millis = 0
    v: Version = 1


class ResultRolledBack(Struct, frozen=True, tag_field="type", tag="result_rolled_back"):
    """The result was wrong: what it paid is reversed and the bets are open again."""

    event_id: Id
    market_id: Id
    reason: Reason = ""
    at_ms: Millis = 0
    v: Version = 1


class BetsVoided(Struct, frozen=True, tag_field="type", tag="bets_voided"):
    """Bets struck in an interval of engine time are refunded; both ends belong to it."""

    event_id: Id
    market_id: Id
    from_ms: Millis = 0
    to_ms: Millis = 2**53
    reason: Reason = ""
    at_ms: Millis = 0
    v: Version = 1


class Discounts(Struct, frozen=True, tag_field="type", tag="discounts"):
    """What bettors are let off the commission of an exchange market: pairs of client id and e4."""

    event_id: Id
    market_id: Id
    discounts: Annotated[
        tuple[tuple[Id, Annotated[int, Meta(ge=0, le=10_000)]], ...],
        Meta(min_length=1, max_length=DISCOUNTS_PER_MESSAGE_MAX),
    ]
    at_ms: Millis = 0
    v: Version = 1


#: What goes through the bets of a market, or must not change while something does.
SettlingOperation = (
    SelectionRemoved | Result | ResultRolledBack | BetsVoided | Discounts | SelectionResulted
)

Operation = (
    EventOpened
    | MarketOpened
    | MarketStatus
    | Prices
    | SelectionRemoved
    | Result
    | ResultRolledBack
    | BetsVoided
    | Discounts
    | SelectionResulted
    | RiskOperation
)
