"""Resting orders on one side of one selection: price levels, each a queue in order of arrival.

An order that is used up or cancelled stays in its queue until it comes to the front, or until such
ones are half of it: taking out is then cheap wherever the order stands, and memory stays bounded.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Protocol

__all__ = ["Level", "Levels", "Resting"]

DEAD_MAX = 32  # orders without remainder in a queue, beside as many as wait


class Resting(Protocol):
    """What a book needs to know of an order; `number` is its place in time."""

    client_id: str
    bet_id: str
    selection_id: int
    asked_odds_e4: int
    number: int
    remaining_minor: int


class Level:
    """What waits at one price: `size_minor` in all, oldest first from `orders[head]` on."""

    __slots__ = ("dead", "head", "orders", "size_minor")

    def __init__(self, order: Resting) -> None:
        self.size_minor = order.remaining_minor
        self.dead = 0  # without remainder, from `head` on
        self.head = 0
        self.orders = [order]

    def tidy(self) -> None:
        """One more order has no remainder."""
        orders, head = self.orders, self.head
        self.dead += 1
        while not orders[head].remaining_minor:
            head += 1
            self.dead -= 1
        self.head = head
        if head > DEAD_MAX and head * 2 > len(orders):
            del orders[:head]
            self.head = 0
        if self.dead > DEAD_MAX and self.dead * 2 > len(orders) - self.head:
            self.orders = [one for one in orders if one.remaining_minor]
            self.dead = self.head = 0


class Levels:
    """One side. `prices` rise; the best is the first of resting backs, the last of lays."""

    __slots__ = ("highest_first", "levels", "prices")

    def __init__(self, highest_first: bool) -> None:
        self.highest_first = highest_first
        self.prices: list[int] = []
        self.levels: dict[int, Level] = {}

    def best(self) -> int:
        """Return the price that is matched first, 0 where nothing waits."""
        if not self.prices:
            return 0
        return self.prices[-1] if self.highest_first else self.prices[0]

    def best_first(self) -> Iterator[int]:
        """Iterate over the prices, best first."""
        return reversed(self.prices) if self.highest_first else iter(self.prices)

    def depth(self, count: int) -> tuple[tuple[int, int], ...]:
        """Return price and size of the best `count` levels, of all for 0."""
        prices = self.prices
        if self.highest_first:
            prices = prices[-count:] if count else prices
            prices = prices[::-1]
        elif count:
            prices = prices[:count]
        levels = self.levels
        return tuple([(price, levels[price].size_minor) for price in prices])

    def orders(self) -> Iterator[Resting]:
        """Iterate over what waits, in the order in which it will be matched."""
        for price in self.best_first():
            level = self.levels[price]
            for at in range(level.head, len(level.orders)):
                if level.orders[at].remaining_minor:
                    yield level.orders[at]

    def add(self, order: Resting) -> None:
        """Let an order wait behind those at its price."""
        price = order.asked_odds_e4
        level = self.levels.get(price)
        if level is not None:
            level.orders.append(order)
            level.size_minor += order.remaining_minor
            return
        self.levels[price] = Level(order)
        insort(self.prices, price)

    def reduced(self, order: Resting, size_minor: int) -> None:
        """An order that waits here has lost so much of its remainder."""
        price = order.asked_odds_e4
        level = self.levels[price]
        level.size_minor -= size_minor
        if not level.size_minor:
            del self.levels[price]
            del self.prices[bisect_left(self.prices, price)]
            return
        if not order.remaining_minor:
            level.tidy()

    def hashed(self) -> list[object]:
        """Return levels and queues as plain values."""
        return [
            (
                price,
                self.levels[price].size_minor,
                [o.number for o in self.levels[price].orders if o.remaining_minor],
            )
            for price in self.prices
        ]
