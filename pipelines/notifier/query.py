"""What the notifier asks a shard: the bets that a settlement brought out, and an event's bettors.

Answers come from the shard that owns the partition; they are of its committed state or newer.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

from pipelines.errors import OverroundError

__all__ = ["Page", "SettledBet", "ShardQuery", "ShardUnavailable", "holder"]

HOPS_MAX: Final = 4


class ShardUnavailable(OverroundError):
    """The shard did not answer in time: ask again later."""


class SettledBet(NamedTuple):
    """One bet that came out; `result` win, loss or void."""

    client_id: str
    bet_id: str
    result: str
    payout_minor: int
    stake_minor: int


class Page(NamedTuple):
    """Part of the bets; `next` is the `after` of the next page, None at the end."""

    bets: Sequence[SettledBet]
    next: int | None


def holder(ask: Callable[[int], int], partition: int) -> int:
    """Return the partition that has a market, from where it was settled; `ask` one who has it.

    Raises ShardUnavailable while the market is on its way.
    """
    for _ in range(HOPS_MAX):
        told = ask(partition)
        if told == partition:
            return partition
        partition = told
    raise ShardUnavailable("the market is on its way to another shard")


class ShardQuery(Protocol):
    """Questions to the shard of a partition; all raise ShardUnavailable."""

    def settled_bets(
        self, partition: int, event_id: str, market_id: str, settlement: int, after: int, limit: int
    ) -> Page:
        """Return bets of a settlement from place `after` (0: the first) on, at most `limit`.

        Empty where the event is forgotten or the settlement no longer stands.
        """

    def bettors_of(self, partition: int, event_id: str) -> Sequence[str]:
        """Return the client ids with open bets on an event, each once; empty if forgotten."""

    def names(self, partition: int, event_id: str, market_id: str) -> tuple[str, str]:
        """Return the names of event and market; empty where there is none or it is forgotten."""
