"""Journal entries of settlements, rollbacks and refunds that go through a market in chunks."""

from pipelines.messages.entry_bases import EntryBase
from pipelines.messages.operations import SettlingOperation

__all__ = [
    "AnySettlingEntry",
    "OperationTaken",
    "OperationWaits",
    "RefundBegan",
    "RefundEnded",
    "RollbackBegan",
    "SelectionResultEnded",
    "SelectionWasResulted",
    "SettlementWentOn",
]


class SettlementWentOn(EntryBase, frozen=True, gc=False, array_like=True, tag=45):
    """A chunk of a settlement, rollback or refund is done; `next` is where the next begins.

    It counts the market's bets as they were taken, then the bettors who owe commission.
    """

    settlement: int
    next: int


class RollbackBegan(EntryBase, frozen=True, gc=False, array_like=True, tag=46):
    """A large market's result is being rolled back; `MarketUnsettled` comes at the end."""

    settlement: int
    reason: str


class RefundBegan(EntryBase, frozen=True, gc=False, array_like=True, tag=47):
    """Many bets are being refunded: those on a selection (0 or more), or struck in an interval."""

    selection_id: int
    from_ms: int
    to_ms: int
    reason: str


class RefundEnded(EntryBase, frozen=True, gc=False, array_like=True, tag=48):
    """All refunds of a `RefundBegan` are made."""


class SelectionWasResulted(EntryBase, frozen=True, gc=False, array_like=True, tag=55):
    """A selection won (WINNER) or lost (LOSER) early, or neither any more (ACTIVE).

    The outcomes of its bets follow; they belong to the settlement that is to come.
    """

    selection_id: int
    result: str
    version: int
    reason: str


class SelectionResultEnded(EntryBase, frozen=True, gc=False, array_like=True, tag=56):
    """All bets on the selection are settled, or open again; sums of all settled early so far."""

    selection_id: int
    bets: int
    staked_minor: int
    paid_minor: int


class OperationWaits(EntryBase, frozen=True, array_like=True, tag=49):
    """An operation came while the market was being settled; it is decided when that is done."""

    waiting: SettlingOperation


class OperationTaken(EntryBase, frozen=True, gc=False, array_like=True, tag=51):
    """The operation that has waited longest is decided now: its entries follow."""

    operation: str


AnySettlingEntry = (
    SettlementWentOn
    | RollbackBegan
    | RefundBegan
    | RefundEnded
    | SelectionWasResulted
    | SelectionResultEnded
    | OperationWaits
    | OperationTaken
)
