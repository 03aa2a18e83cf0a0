"""An order on an exchange, as a bet in a shard's state. Only `evolve` changes it.

`stake_minor` = matched + remaining + lapsed + cancelled + voided, at any time.
"""

from collections.abc import Sequence
from typing import Final

from pipelines.books.exchange_money import average_odds_e4, staked_minor
from pipelines.limits import ODDS_ONE
from pipelines.messages.requests import OrderType, Persistence
from pipelines.shard.state import ACCEPTED, CANCELLED, LAPSED, VOID, Bet

__all__ = ["FOREVER_MS", "Order"]

FOREVER_MS: Final = 2**53


class Order(Bet, gc=False):
    """One order. `fills` are (odds_e4, size, matched at) of its matched parts.

    `number` is its place in time among the market's orders. `size_minor` and `value_e4` sum the
    fills (size, size times odds); `staked_minor` is what they hold in the market. `matched_minor`
    is what they took of `stake_minor`: the same as the size, but for lays at the starting price,
    whose stake is a liability.
    """

    lay: bool = False
    order_type: OrderType = "LIMIT"
    persistence: Persistence = "LAPSE"
    time_in_force: str = ""
    min_fill_minor: int = 0
    replaces: str = ""
    asked_persistence: str = "LAPSE"
    number: int = 0
    matched_minor: int = 0
    remaining_minor: int = 0
    lapsed_minor: int = 0
    cancelled_minor: int = 0
    voided_minor: int = 0
    size_minor: int = 0
    value_e4: int = 0
    staked_minor: int = 0
    fills: Sequence[tuple[int, int, int]] = ()  # a list as soon as there is one

    def rests(self) -> bool:
        """Return whether its remainder waits in the book, at a price of its own."""
        return self.order_type == "LIMIT" and not self.time_in_force

    @staticmethod
    def of_fills(lay: bool, fills: Sequence[tuple[int, int, int]]) -> "Order":
        """Return an order of these matched parts alone, to see what they amount to."""
        order = Order("", "", "", 0, 0, 0, "exact", 0, 0, ACCEPTED, 0, 0, lay=lay, fills=fills)
        order.recount()
        return order

    def withdraw(self, cancelled: bool) -> None:
        """Take it out before it came into the market: cancelled by its bettor, or refused."""
        if cancelled:
            self.cancelled_minor += self.remaining_minor
        else:
            self.lapsed_minor += self.remaining_minor
        self.remaining_minor = 0

    def recount(self) -> int:
        """Sum the fills anew; return by how much what is held in the market changed."""
        before = self.staked_minor
        self.size_minor = sum(size for _, size, _ in self.fills)
        self.value_e4 = sum(odds * size for odds, size, _ in self.fills)
        self.staked_minor = staked_minor(self.lay, self.size_minor, self.value_e4)
        self.odds_e4 = average_odds_e4(self.size_minor, self.value_e4)
        return self.staked_minor - before

    def fill(self, odds_e4: int, size_minor: int, at_ms: int) -> int:
        """Add a matched part; return by how much what is held in the market grew."""
        fills = self.fills
        if not isinstance(fills, list):
            self.fills = [(odds_e4, size_minor, at_ms)]
        elif fills and fills[-1][0] == odds_e4 and fills[-1][2] == at_ms:
            fills[-1] = (odds_e4, fills[-1][1] + size_minor, at_ms)
        else:
            fills.append((odds_e4, size_minor, at_ms))
        self.size_minor = size = self.size_minor + size_minor
        self.value_e4 = value = self.value_e4 + odds_e4 * size_minor
        before = self.staked_minor
        # As `staked_minor` and `average_odds_e4` say: written out, it runs for every trade.
        staked = -((size * ODDS_ONE - value) // ODDS_ONE) if self.lay else size
        self.staked_minor = staked
        self.odds_e4 = (2 * value + size) // (2 * size)
        return staked - before

    def restate(self) -> None:
        """Set the status that follows from where the stake is."""
        if self.remaining_minor or self.size_minor:
            self.status = ACCEPTED
        elif self.voided_minor:
            self.status = VOID
        else:
            self.status = CANCELLED if self.cancelled_minor else LAPSED
