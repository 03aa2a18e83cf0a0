"""Topic `bets`: what a bettor asks for. First hop of a bet's way through the engine."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from pipelines.limits import (
    ID_LENGTH_MAX,
    ODDS_MAX_E4,
    STAKE_MAX_MINOR,
    TOLERANCE_E4_MAX,
)

__all__ = ["PRICE_POLICIES", "BetRequest", "CancelRequest", "Id", "PricePolicy", "Request"]

Id = Annotated[str, Meta(min_length=1, max_length=ID_LENGTH_MAX)]
PricePolicy = Literal["exact", "better", "any"]
Count = Annotated[int, Meta(ge=0, le=2**53)]

#: exact: the odds asked for or none; better: those or higher; any: whatever is offered.
PRICE_POLICIES: Final[tuple[PricePolicy, ...]] = ("exact", "better", "any")


class BetRequest(Struct, frozen=True, gc=False, tag_field="type", tag="bet"):
    """A bet on one selection at the odds that the bettor saw.

    `stake_minor` in minor units of the market's currency; `odds_e4` in ten-thousandths, 0 for a
    pool, whose bets carry no price; `market_version` as in the odds image that the bettor saw.
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


class CancelRequest(Struct, frozen=True, gc=False, tag_field="type", tag="cancel"):
    """Withdraw a bet that is still pending."""

    bet_id: Id
    event_id: Id
    market_id: Id
    client_id: str = ""
    v: Annotated[int, Meta(ge=1, le=1)] = 1


Request = BetRequest | CancelRequest
