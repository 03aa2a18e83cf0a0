"""Topic `bets`: what a bettor asks for. First hop of a bet's way through the engine."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from pipelines.limits import (
    ID_LENGTH_MAX,
    MONEY_MAX_MINOR,
    ODDS_MAX_E4,
    STAKE_MAX_MINOR,
    TOLERANCE_E4_MAX,
)

__all__ = [
    "PRICE_POLICIES",
    "BetRequest",
    "CancelRequest",
    "CashOutRequest",
    "Count",
    "Id",
    "OrderType",
    "Persistence",
    "PricePolicy",
    "ReplaceRequest",
    "Request",
    "Side",
    "TimeInForce",
    "UpdateRequest",
]

Id = Annotated[str, Meta(min_length=1, max_length=ID_LENGTH_MAX)]
PricePolicy = Literal["exact", "better", "any"]
Side = Literal["BACK", "LAY"]
OrderType = Literal["LIMIT", "LIMIT_ON_CLOSE", "MARKET_ON_CLOSE"]
#: What happens to an unmatched limit order when its market turns in-play.
Persistence = Literal["LAPSE", "PERSIST", "MARKET_ON_CLOSE"]
TimeInForce = Literal["", "FILL_OR_KILL"]
Count = Annotated[int, Meta(ge=0, le=2**53)]

#: exact: the odds asked for or none; better: those or higher; any: whatever is offered.
PRICE_POLICIES: Final[tuple[PricePolicy, ...]] = ("exact", "better", "any")


class BetRequest(Struct, frozen=True, gc=False, tag_field="type", tag="bet"):
    """A bet on one selection at the odds that the bettor saw.

    `stake_minor` in minor units of the market's currency; `odds_e4` in ten-thousandths, 0 for a
    pool, whose bets carry no price; `market_version` as in the odds image that the bettor saw.
    On an exchange it is an order: `stake_minor` is the backer's stake at a limit of `odds_e4`, or
    what is at risk where a lay is to be matched at the starting price. `accept_partial`: of a
    stake above the house's limits the part within them is taken. `price_limit_e6`, in millionths:
    of a market maker shares are bought until the next one costs this, for the stake at most.
    """

    bet_id: Id
    event_id: Id
    market_id: Id
    selection_id: Annotated[int, Meta(ge=0, le=2**53)]
    stake_minor: Annotated[int, Meta(ge=1, le=STAKE_MAX_MINOR)]
    odds_e4: Annotated[int, Meta(ge=0, le=ODDS_MAX_E4)] = 0
    price_policy: PricePolicy = "exact"
    tolerance_e4: Annotated[int, Meta(ge=0, le=TOLERANCE_E4_MAX)] = 0
    market_version: Count = 0
    client_id: str = ""  # informative; where present it must be the transport's identity
    v: Annotated[int, Meta(ge=1, le=1)] = 1
    side: Side = "BACK"
    order_type: OrderType = "LIMIT"
    persistence: Persistence = "LAPSE"
    time_in_force: TimeInForce = ""
    min_fill_minor: Annotated[int, Meta(ge=0, le=STAKE_MAX_MINOR)] = 0
    accept_partial: bool = False
    price_limit_e6: Annotated[int, Meta(ge=0, le=999_999)] = 0


class CancelRequest(Struct, frozen=True, gc=False, tag_field="type", tag="cancel"):
    """Withdraw a bet that is still pending, or what is unmatched of an order.

    `size_reduction_minor` withdraws only so much of an order, 0 all of it.
    """

    bet_id: Id
    event_id: Id
    market_id: Id
    client_id: str = ""
    v: Annotated[int, Meta(ge=1, le=1)] = 1
    size_reduction_minor: Annotated[int, Meta(ge=0, le=STAKE_MAX_MINOR)] = 0


class ReplaceRequest(Struct, frozen=True, gc=False, tag_field="type", tag="replace"):
    """Cancel what is unmatched of an order and place it anew, at other odds, behind all others."""

    bet_id: Id
    new_bet_id: Id
    event_id: Id
    market_id: Id
    odds_e4: Annotated[int, Meta(ge=0, le=ODDS_MAX_E4)]
    market_version: Count = 0
    client_id: str = ""
    v: Annotated[int, Meta(ge=1, le=1)] = 1


class UpdateRequest(Struct, frozen=True, gc=False, tag_field="type", tag="update"):
    """Change what happens to the unmatched part of an order at the off; it keeps its place."""

    bet_id: Id
    event_id: Id
    market_id: Id
    persistence: Persistence
    client_id: str = ""
    v: Annotated[int, Meta(ge=1, le=1)] = 1


class CashOutRequest(Struct, frozen=True, gc=False, tag_field="type", tag="cash_out"):
    """Ask what a bet is worth now (`amount_minor` 0), or to be paid that and close it.

    `amount_minor` as in the quote; a lower one is taken too, down to `tolerance_minor` below.
    `keep_stake_minor`: how much of the stake stays in the bet, 0 for none.
    """

    bet_id: Id
    event_id: Id
    market_id: Id
    amount_minor: Annotated[int, Meta(ge=0, le=MONEY_MAX_MINOR)] = 0
    tolerance_minor: Annotated[int, Meta(ge=0, le=MONEY_MAX_MINOR)] = 0
    client_id: str = ""
    v: Annotated[int, Meta(ge=1, le=1)] = 1
    keep_stake_minor: Annotated[int, Meta(ge=0, le=STAKE_MAX_MINOR)] = 0


Request = BetRequest | CancelRequest | ReplaceRequest | UpdateRequest | CashOutRequest
