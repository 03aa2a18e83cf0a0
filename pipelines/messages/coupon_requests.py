"""Topic `bets`, key `bettor/<client id>`: multiples, whose legs lie in several events."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from pipelines.limits import (
    COUPON_LEGS_MAX,
    ODDS_MAX_E4,
    STAKE_MAX_MINOR,
    TOLERANCE_E4_MAX,
)
from pipelines.messages.requests import Count, Id, PricePolicy

__all__ = ["BetType", "CouponRequest", "LegRequest"]

BetType = Literal[
    "DOUBLE",
    "TREBLE",
    "ACCUMULATOR",
    "TRIXIE",
    "PATENT",
    "YANKEE",
    "LUCKY_15",
    "CANADIAN",
    "LUCKY_31",
    "HEINZ",
    "LUCKY_63",
    "SUPER_HEINZ",
    "GOLIATH",
    "SYSTEM",
]


class LegRequest(Struct, frozen=True, gc=False):
    """One leg: a selection of a fixed-odds market at the odds that the bettor saw."""

    event_id: Id
    market_id: Id
    selection_id: Annotated[int, Meta(ge=0, le=2**53)]
    odds_e4: Annotated[int, Meta(ge=0, le=ODDS_MAX_E4)]
    price_policy: PricePolicy = "exact"
    tolerance_e4: Annotated[int, Meta(ge=0, le=TOLERANCE_E4_MAX)] = 0
    market_version: Count = 0


class CouponRequest(Struct, frozen=True, tag_field="type", tag="coupon"):
    """Several selections in one bet: every line of the bet type with `unit_stake_minor`.

    `sizes` are the folds of a SYSTEM, such as (2, 3); each-way stakes every line twice.
    """

    bet_id: Id
    bet_type: BetType
    legs: Annotated[tuple[LegRequest, ...], Meta(min_length=2, max_length=COUPON_LEGS_MAX)]
    unit_stake_minor: Annotated[int, Meta(ge=1, le=STAKE_MAX_MINOR)]
    sizes: Annotated[
        tuple[Annotated[int, Meta(ge=1, le=COUPON_LEGS_MAX)], ...],
        Meta(max_length=COUPON_LEGS_MAX),
    ] = ()
    each_way: bool = False
    client_id: str = ""
    v: Annotated[int, Meta(ge=1, le=1)] = 1
