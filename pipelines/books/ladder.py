"""Price ladders: the odds at which a market may trade, in ten-thousandths.

Source: Betfair's CLASSIC ladder, 350 prices from 1.01 to 1000, and FINEST, every 0.01. ANY is every
ten-thousandth between them, for bookmakers whose odds are fractions (11/8 is 2.375).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Container, Sequence
from typing import Final

__all__ = ["CLASSIC", "CLASSIC_BANDS", "LADDERS", "Ladder", "prices_of"]

#: (up to and including, step), both in ten-thousandths.
CLASSIC_BANDS: Final = (
    (20_000, 100),
    (30_000, 200),
    (40_000, 500),
    (60_000, 1_000),
    (100_000, 2_000),
    (200_000, 5_000),
    (300_000, 10_000),
    (500_000, 20_000),
    (1_000_000, 50_000),
    (10_000_000, 100_000),
)


def prices_of(bands: tuple[tuple[int, int], ...], first: int = 10_100) -> tuple[int, ...]:
    """Return all prices of a ladder, ascending."""
    prices: list[int] = []
    price = first
    for last, step in bands:
        while price <= last:
            prices.append(price)
            price += step
        price = last + (bands[bands.index((last, step)) + 1][1] if last != bands[-1][0] else step)
    return tuple(prices)


CLASSIC: Final = prices_of(CLASSIC_BANDS)


class Ladder:
    """An ordered set of valid odds."""

    __slots__ = ("name", "prices", "valid")

    def __init__(self, name: str, prices: Sequence[int]) -> None:
        self.name = name
        self.prices = prices
        self.valid: Container[int] = prices if isinstance(prices, range) else frozenset(prices)

    def at_or_below(self, odds_e4: int) -> int:
        """Return the highest price not above `odds_e4`, 0 where there is none."""
        index = bisect_right(self.prices, odds_e4)
        return self.prices[index - 1] if index else 0

    def ticks_away(self, odds_e4: int, ticks: int) -> int:
        """Return the price so many ticks up (down if negative), held at the ladder's ends."""
        index = bisect_left(self.prices, odds_e4) + ticks
        return self.prices[min(max(index, 0), len(self.prices) - 1)]


LADDERS: Final = {
    "CLASSIC": Ladder("CLASSIC", CLASSIC),
    "FINEST": Ladder("FINEST", tuple(range(10_100, 10_000_001, 100))),
    "ANY": Ladder("ANY", range(10_100, 10_000_001)),
}
