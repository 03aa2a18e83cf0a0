"""Journal entries of the risk desk: limits and levers as set, referred bets that may go on."""

from pipelines.messages.entry_bases import BetReference, EntryBase
from pipelines.messages.risk_operations import Action, RiskSet, ShardRiskSet

__all__ = ["AnyRiskEntry", "LeverWasSet", "ReferralAccepted", "RiskWasSet", "ShardRiskWasSet"]


class RiskWasSet(EntryBase, frozen=True, array_like=True, tag=80):
    """These limits hold for the event from here on."""

    risk: RiskSet


class LeverWasSet(EntryBase, frozen=True, gc=False, array_like=True, tag=81):
    """What becomes of new bets on a market (`market_id`), of a bettor, or both; "" for all."""

    client_id: str
    action: Action
    stake_max_minor: int
    reason: str


class ReferralAccepted(BetReference, frozen=True, gc=False, array_like=True, tag=82):
    """A trader lets a referred bet go on: it is checked again at `due_ms`.

    `stake_minor`: so much of it, 0 for all.
    """

    due_ms: int
    stake_minor: int = 0


class ShardRiskWasSet(EntryBase, frozen=True, array_like=True, tag=85):
    """These limits hold for all books of the shard from here on. Belongs to no event."""

    risk: ShardRiskSet


AnyRiskEntry = RiskWasSet | LeverWasSet | ReferralAccepted | ShardRiskWasSet
