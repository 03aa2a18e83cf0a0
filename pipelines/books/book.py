"""The one interface of all engines: what a shard asks a market's book and tells it.

`quote`, `refusal`, `odds`, `outcome` and the like only look; `take`, `give_back`, `set_prices` and
`remove` change the book and are called by `evolve` alone.
"""

from typing import NamedTuple, Protocol

from pipelines.codes import Code
from pipelines.messages.operations import Market
from pipelines.messages.requests import BetRequest

__all__ = ["Book", "Outcome"]


class Outcome(NamedTuple):
    """What a result means for a market: dividends a unit staked, or a refund of everything."""

    refund: bool
    dividends: tuple[tuple[int, int], ...]  # (selection id, e4), empty where odds decide
    reason: str
    #: (selection id, a, b, d): pays stake * (a * odds + b) / d; empty where winners decide.
    factors: tuple[tuple[int, int, int, int], ...] = ()


class Book(Protocol):
    """State of one market's stakes and odds."""

    #: Whether a taken bet changes the odds that others see.
    moves_on_bets: bool
    #: Whether a bet must carry odds and the market's version.
    needs_odds: bool
    #: Whether a bet buys shares: a market maker's.
    sells_shares: bool

    def __init__(self, market: Market) -> None: ...

    def quote(self, selection_id: int) -> int:
        """Return the odds a bet would get now, 0 where it gets none (pool) or none are offered."""

    def price(self, request: BetRequest) -> int | Code:
        """Return the odds at which the book takes the request now, or why it does not."""

    def take(
        self, selection_id: int, stake_minor: int, odds_e4: int, shares_minor: int = 0
    ) -> None:
        """A bet was accepted; `shares_minor` of a market maker, 0 for stake times odds."""

    def give_back(
        self, selection_id: int, stake_minor: int, odds_e4: int, shares_minor: int = 0
    ) -> None:
        """An accepted bet was refunded."""

    def set_prices(self, prices: tuple[tuple[int, int], ...]) -> None:
        """New odds were set."""

    def remove(self, selection_id: int, deduction_e4: int = -1) -> None:
        """A selection was withdrawn; its bets are given back next.

        `deduction_e4` of a fixed book: from the winnings of bets that it has; -1: by its odds.
        """

    def odds(self, selection_id: int) -> int:
        """Return the odds to show for a selection, 0 where there are none."""

    def shown(self) -> dict[int, tuple[int, int]]:
        """Return odds and stakes to show by selection, 0 where there are none to show."""

    def outcome(self, winners: tuple[int, ...]) -> Outcome:
        """Return what this result means, before any bet is settled."""

    def payout(
        self,
        stake_minor: int,
        odds_e4: int,
        selection_id: int,
        winners: tuple[int, ...],
        dividends: tuple[tuple[int, int], ...],
    ) -> int:
        """Return what a bet is paid under a result that is no refund; 0 is a loss."""

    def house_postings(
        self, staked_minor: int, paid_minor: int, refund: bool
    ) -> tuple[tuple[str, int], ...]:
        """Return how what is left of the stakes goes to the house's accounts; sums to the rest."""

    def hashed(self) -> object:
        """Return the state as plain values in a fixed order, for the state hash."""
