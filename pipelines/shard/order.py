"""An order on an exchange, as a bet in a shard's state. Only `evolve` changes it.

`stake_minor` = matched + remaining + lapsed + cancelled + voided, at any time.

Most orders only wait, and most that are matched are so once, so what they need not have takes no
memory: what many were asked for with is kept once (`Terms`), a first matched part is a plain tuple,
and what becomes of few comes with the first of it (`Fate`).
"""

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from pipelines.books.exchange_money import average_odds_e4, staked_minor
from pipelines.limits import ODDS_ONE
from pipelines.messages.requests import OrderType, Persistence, PricePolicy, TimeInForce
from pipelines.shard.order_parts import NO_FATE, Fate, Fill, Fills, Terms
from pipelines.shard.statuses import ACCEPTED, CANCELLED, LAPSED, REJECTED, VOID

__all__ = ["FOREVER_MS", "Order"]

FOREVER_MS: Final = 2**53


class Order(Struct, gc=False):
    """One order; `at_ms` is when it came into the market.

    `fills` are its matched parts, `size_minor` and `value_e4` their sums (size, size times odds);
    `staked_minor` is what they hold in the market. `matched_minor` is what they took of
    `stake_minor`: the same as the size, but for lays at the starting price, whose stake is a
    liability.
    """

    client_id: str
    bet_id: str
    terms: Terms
    stake_minor: int
    asked_odds_e4: int
    remaining_minor: int
    status: int
    at_ms: int
    trades: Fill | Fills | None = None
    fate: Fate | None = None

    # --- what it was asked for with

    @property
    def market_id(self) -> str:
        return self.terms.market_id

    @property
    def selection_id(self) -> int:
        return self.terms.selection_id

    @property
    def price_policy(self) -> PricePolicy:
        return self.terms.price_policy

    @property
    def tolerance_e4(self) -> int:
        return self.terms.tolerance_e4

    @property
    def market_version(self) -> int:
        return self.terms.market_version

    @property
    def lay(self) -> bool:
        return self.terms.lay

    @property
    def order_type(self) -> OrderType:
        return self.terms.order_type

    @property
    def time_in_force(self) -> TimeInForce:
        return self.terms.time_in_force

    @property
    def min_fill_minor(self) -> int:
        return self.terms.min_fill_minor

    @property
    def asked_persistence(self) -> Persistence:
        return self.terms.persistence

    @property
    def persistence(self) -> Persistence:
        fate = self.fate
        return (fate.persistence if fate is not None else None) or self.terms.persistence

    @property
    def replaces(self) -> str:
        """Return the bet id of the order that it replaces, mostly ""."""
        return (self.fate or NO_FATE).replaces

    def rests(self) -> bool:
        """Return whether its remainder waits in the book, at a price of its own."""
        return self.terms.rests

    # --- what became of it

    def fated(self) -> Fate:
        """Return what became of it, to be changed."""
        fate = self.fate
        if fate is None:
            fate = self.fate = Fate()
        return fate

    @property
    def lapsed_minor(self) -> int:
        return (self.fate or NO_FATE).lapsed_minor

    @property
    def cancelled_minor(self) -> int:
        return (self.fate or NO_FATE).cancelled_minor

    @property
    def voided_minor(self) -> int:
        return (self.fate or NO_FATE).voided_minor

    @property
    def payout_minor(self) -> int:
        return (self.fate or NO_FATE).payout_minor

    @payout_minor.setter
    def payout_minor(self, payout_minor: int) -> None:
        self.fated().payout_minor = payout_minor

    @property
    def settlement(self) -> int:
        return (self.fate or NO_FATE).settlement

    @settlement.setter
    def settlement(self, settlement: int) -> None:
        self.fated().settlement = settlement

    @property
    def due_ms(self) -> int:
        return (self.fate or NO_FATE).due_ms

    @due_ms.setter
    def due_ms(self, due_ms: int) -> None:
        self.fated().due_ms = due_ms

    @property
    def code(self) -> str:
        return (self.fate or NO_FATE).code

    @code.setter
    def code(self, code: str) -> None:
        self.fated().code = code

    def withdraw(self, cancelled: bool) -> None:
        """Take it out before it came into the market: cancelled by its bettor, or refused."""
        fate = self.fated()
        if cancelled:
            fate.cancelled_minor += self.remaining_minor
        else:
            fate.lapsed_minor += self.remaining_minor
        self.remaining_minor = 0

    def restate(self) -> None:
        """Set the status that follows from where the stake is."""
        if self.remaining_minor or self.trades is not None:
            self.status = ACCEPTED
            return
        fate = self.fate or NO_FATE
        if fate.voided_minor:
            self.status = VOID
        else:
            self.status = CANCELLED if fate.cancelled_minor else LAPSED

    # --- its matched parts

    @property
    def fills(self) -> Sequence[Fill]:
        fills = self.trades
        if fills is None:
            return ()
        return fills.parts if isinstance(fills, Fills) else (fills,)

    @property
    def size_minor(self) -> int:
        fills = self.trades
        if fills is None:
            return 0
        return fills.size_minor if isinstance(fills, Fills) else fills[1]

    @property
    def value_e4(self) -> int:
        fills = self.trades
        if fills is None:
            return 0
        return fills.value_e4 if isinstance(fills, Fills) else fills[0] * fills[1]

    @property
    def staked_minor(self) -> int:
        return staked_minor(self.terms.lay, self.size_minor, self.value_e4)

    @property
    def odds_e4(self) -> int:
        """Return the average price of its matched parts, 0 for none."""
        return average_odds_e4(self.size_minor, self.value_e4)

    @property
    def matched_minor(self) -> int:
        if self.trades is None and (self.status == REJECTED or self.fate is None):
            return 0
        fate = self.fate or NO_FATE
        gone = fate.lapsed_minor + fate.cancelled_minor + fate.voided_minor
        return self.stake_minor - self.remaining_minor - gone

    def fill(self, odds_e4: int, size_minor: int, at_ms: int) -> int:
        """Add a matched part; return by how much what is held in the market grew."""
        trades, part = self.trades, (odds_e4, size_minor, at_ms)
        if trades is None:
            self.trades = part
            size = value = 0
        else:
            if not isinstance(trades, Fills):
                trades = self.trades = Fills(trades[1], trades[0] * trades[1], [trades])
            size, value = trades.size_minor, trades.value_e4
            parts = trades.parts
            last_odds_e4, last_size, last_ms = parts[-1]
            if last_odds_e4 == odds_e4 and last_ms == at_ms:
                parts[-1] = (odds_e4, last_size + size_minor, at_ms)
            else:
                parts.append(part)
            trades.size_minor = size + size_minor
            trades.value_e4 = value + odds_e4 * size_minor
        if not self.terms.lay:
            return size_minor
        before = staked_minor(True, size, value)
        return staked_minor(True, size + size_minor, value + odds_e4 * size_minor) - before

    def fill_at_once(self, parts: Sequence[tuple[int, int, bool]], at_ms: int) -> int:
        """Take what it is matched with as it comes; return what that holds in the market."""
        taken: list[Fill] = []
        size = value = last_e4 = 0
        for odds_e4, part, _ in parts:
            size += part
            value += odds_e4 * part
            if odds_e4 == last_e4:  # one through all other selections, one not
                part += taken.pop()[1]
            taken.append((odds_e4, part, at_ms))
            last_e4 = odds_e4
        self.trades = taken[0] if len(taken) == 1 else Fills(size, value, taken)
        return -((size * ODDS_ONE - value) // ODDS_ONE) if self.terms.lay else size

    def refill(self, parts: Sequence[Fill]) -> int:
        """Put these in place of its matched parts; return by how much what is held changed."""
        before = self.staked_minor
        if len(parts) > 1:
            size = sum([size for _, size, _ in parts])
            self.trades = Fills(size, sum([odds * size for odds, size, _ in parts]), list(parts))
        else:
            self.trades = parts[0] if parts else None
        return self.staked_minor - before

    @staticmethod
    def of_fills(lay: bool, fills: Sequence[Fill]) -> "Order":
        """Return an order of these matched parts alone, to see what they amount to."""
        order = Order("", "", _BARE[lay], 0, 0, 0, ACCEPTED, 0)
        order.refill(fills)
        return order


_BARE: Final = {
    lay: Terms("", 0, "exact", 0, 0, lay, "LIMIT", "LAPSE", "", 0, True) for lay in (False, True)
}
