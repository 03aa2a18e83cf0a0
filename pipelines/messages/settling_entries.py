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


class OperationWaits(EntryBase, frozen=True, array_like=True, tag=49):
    """An operation came while the market was being settled; it is decided when that is done."""

    waiting: SettlingOperation


class OperationTaken(EntryBase, frozen=True, gc=False, array_like=True, tag=51):
    """The operation that has waited longest is decided now: its entries follow."""

    operation: str


AnySettlingEntry = (
    SettlementWentOn | RollbackBegan | RefundBegan | RefundEnded | OperationWaits | OperationTaken
)
