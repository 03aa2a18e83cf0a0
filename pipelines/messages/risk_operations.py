"""Topic `events`: what the risk desk says: limits of an event or of a shard, trust, levers, words.

A shard's limits have the key `shard/<partition>` and are written to that partition.
"""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from pipelines.limits import (
    BET_DELAY_MS_MAX,
    BETTORS_WITH_CLASS_MAX,
    MONEY_MAX_MINOR,
    ODDS_MAX_E4,
    REASON_LENGTH_MAX,
    REFERRAL_TIMEOUT_MS_MAX,
    STAKE_MAX_MINOR,
    TRUST_CLASSES_MAX,
)
from pipelines.messages.requests import Id

__all__ = [
    "ReferralDecided",
    "RiskLever",
    "RiskOperation",
    "RiskSet",
    "ShardRiskSet",
    "TrustClass",
]

Money = Annotated[int, Meta(ge=0, le=MONEY_MAX_MINOR)]
Millis = Annotated[int, Meta(ge=0, le=2**53)]
MaybeId = Annotated[str, Meta(max_length=128)]
Reason = Annotated[str, Meta(max_length=REASON_LENGTH_MAX)]
Version = Annotated[int, Meta(ge=1, le=1)]
Action = Literal["accept", "refer", "reject", "limit", "none"]


class TrustClass(Struct, frozen=True):
    """How far bettors of a class are trusted.

    `stake_factor_e4`: the part of the largest stake that they may place (MTS: confidence factor).
    `delay_ms`: at least so long their bets are held and checked again, in-play or not.
    `late_loss_max_e4`: the bet delay is skipped where a late bet's expected loss of margin is at
    most this, 10000 for all of the margin; 0 never skips it. `late_win_max_minor`: and only by a
    bet that wins at most this; 0 for any.
    """

    name: Id
    stake_factor_e4: Annotated[int, Meta(ge=0, le=10_000)] = 10_000
    delay_ms: Annotated[int, Meta(ge=0, le=BET_DELAY_MS_MAX)] = 0
    late_loss_max_e4: Annotated[int, Meta(ge=0, le=10_000)] = 0
    late_win_max_minor: Money = 0


class RiskSet(Struct, frozen=True, tag_field="type", tag="risk_set"):
    """The limits of an event's books against the house, 0 for none; it replaces those before.

    `event_loss_limit_minor`: what its markets together may lose. `selection_loss_limit_minor`: what
    one selection may cost its market. `bettor_stake_max_minor` and `bettor_payout_max_minor`: of
    a bettor's open bets on the event together; `bettor_market_stake_max_minor` and
    `bettor_market_payout_max_minor`: on one market of it. `bettors`: pairs of client id and class;
    others are in the class with the empty name of `default_class`.
    """

    event_id: Id
    event_loss_limit_minor: Money = 0
    selection_loss_limit_minor: Money = 0
    bettor_stake_max_minor: Money = 0
    bettor_payout_max_minor: Money = 0
    bettor_market_stake_max_minor: Money = 0
    bettor_market_payout_max_minor: Money = 0
    classes: Annotated[tuple[TrustClass, ...], Meta(max_length=TRUST_CLASSES_MAX)] = ()
    bettors: Annotated[tuple[tuple[Id, Id], ...], Meta(max_length=BETTORS_WITH_CLASS_MAX)] = ()
    default_class: MaybeId = ""
    referral_timeout_ms: Annotated[int, Meta(ge=1_000, le=REFERRAL_TIMEOUT_MS_MAX)] = 30_000
    at_ms: Millis = 0
    v: Version = 1


class ShardRiskSet(Struct, frozen=True, tag_field="type", tag="shard_risk_set"):
    """The limits of all books of a partition, 0 for none; it replaces those before.

    `loss_limit_minor`: what all markets that are not settled may lose together, each in its worst
    result. `bettor_stake_max_minor` and `bettor_payout_max_minor`: of a bettor's open bets there.
    """

    partition: Annotated[int, Meta(ge=0, le=65_535)]
    loss_limit_minor: Money = 0
    bettor_stake_max_minor: Money = 0
    bettor_payout_max_minor: Money = 0
    v: Version = 1

    @property
    def is_limited(self) -> bool:
        """Return whether there is any limit."""
        return bool(
            self.loss_limit_minor or self.bettor_stake_max_minor or self.bettor_payout_max_minor
        )


class RiskLever(Struct, frozen=True, tag_field="type", tag="risk_lever"):
    """What becomes of new bets on a market, of a bettor, or both; "" stands for all.

    The nearest one counts: bettor and market, then bettor, then market, then all. `refer`: a
    trader decides; `limit`: a larger stake than `stake_max_minor` is refused; `none` takes the
    lever away.
    """

    event_id: Id
    action: Action
    market_id: MaybeId = ""
    client_id: MaybeId = ""
    stake_max_minor: Annotated[int, Meta(ge=0, le=STAKE_MAX_MINOR)] = 0
    reason: Reason = ""
    at_ms: Millis = 0
    v: Version = 1


class ReferralDecided(Struct, frozen=True, tag_field="type", tag="referral_decided"):
    """A trader's word on a referred bet: taken if it is still good, or declined.

    Declined with `offer_odds_e4` and `offer_stake_minor` it is a counter-offer: the bettor may
    place another bet. Accepted with a lower `stake_minor` (0: all of it), so much is taken where
    the bettor allowed a part of it; elsewhere that is the counter-offer.
    """

    event_id: Id
    market_id: Id
    client_id: Id
    bet_id: Id
    accept: bool
    stake_minor: Annotated[int, Meta(ge=0, le=STAKE_MAX_MINOR)] = 0
    offer_odds_e4: Annotated[int, Meta(ge=0, le=ODDS_MAX_E4)] = 0
    offer_stake_minor: Annotated[int, Meta(ge=0, le=STAKE_MAX_MINOR)] = 0
    reason: Reason = ""
    at_ms: Millis = 0
    v: Version = 1


RiskOperation = RiskSet | RiskLever | ReferralDecided
