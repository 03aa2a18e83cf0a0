"""Topic `journal`, continued: markets that go to another shard and come back.

A market is in one shard at a time. Between `MarketHandedOver` there and `MarketArrived` here it is
on its way in `transfers`, and both numbers of the market are dense over the two journals.
"""

from pipelines.messages.entry_bases import EntryBase
from pipelines.messages.transfers import Forwarded

__all__ = [
    "AnyIsolationEntry",
    "AwayMarketEnded",
    "MarketArrived",
    "MarketHandedOver",
    "MarketPartReceived",
    "MarketRecalled",
    "RequestTaken",
    "RequestWaits",
]


class MarketHandedOver(EntryBase, frozen=True, gc=False, array_like=True, tag=90):
    """The market leaves for the book `to`, in transfers that follow; `digest` is of all parts."""

    to: str
    digest: str


class MarketPartReceived(EntryBase, frozen=True, gc=False, array_like=True, tag=91):
    """Part `part` (from 0) of `parts` of a market that is arriving."""

    of_event: str
    of_market: str
    part: int
    parts: int
    data: bytes


class MarketArrived(EntryBase, frozen=True, gc=False, array_like=True, tag=92):
    """The market lives here from now on, as it was handed over.

    `event_seq` is above both shards' numbers for the event, so that it may skip some.
    """

    digest: str


class MarketRecalled(EntryBase, frozen=True, gc=False, array_like=True, tag=93):
    """The market is asked back; what comes for it waits until it is here."""


class RequestWaits(EntryBase, frozen=True, array_like=True, tag=94):
    """A request or an operator's message came for a market that is on its way here."""

    waiting: Forwarded


class RequestTaken(EntryBase, frozen=True, gc=False, array_like=True, tag=95):
    """The one that has waited longest for the market is decided now: its entries follow."""


class AwayMarketEnded(EntryBase, frozen=True, gc=False, array_like=True, tag=96):
    """The shard that has the market says that it is settled, or open again."""

    settled: bool


AnyIsolationEntry = (
    MarketHandedOver
    | MarketPartReceived
    | MarketArrived
    | MarketRecalled
    | RequestWaits
    | RequestTaken
    | AwayMarketEnded
)
