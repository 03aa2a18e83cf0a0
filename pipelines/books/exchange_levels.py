"""Resting orders on one side of one selection, in the order in which they will be matched.

One list, the order that is matched next at its end: what is matched is popped, what comes is put in
by bisection, behind all at its price. A price level is a run of equal keys, and takes no memory of
its own. A list that grows long is cut in blocks, so that putting in moves few others.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import islice
from typing import Final, NamedTuple, Protocol

__all__ = ["Levels", "Resting", "negated"]

BLOCK_MAX: Final = 2_048  # orders in a block
SCAN_MAX: Final = 32  # orders at a price that are looked through one by one
NEGATED_MAX: Final = 16_384
LOWEST_KEY: Final = -(2**60)
LEVELS_MAX: Final = 2**60


class Resting(Protocol):
    """What a book needs to know of an order; `at_ms`: when it came into the market."""

    client_id: str
    bet_id: str
    asked_odds_e4: int
    remaining_minor: int
    at_ms: int

    @property
    def selection_id(self) -> int: ...


class _Block(NamedTuple):
    keys: list[int]
    orders: list[Resting]


class _Negated(dict[int, int]):
    """Each number's negative, as one object for all who ask; a plain lookup where it is known."""

    def __missing__(self, number: int) -> int:
        if len(self) < NEGATED_MAX:
            self[number] = -number
        return -number


#: What prices are sorted by where the lowest is the best.
negated: Final = _Negated()


class Levels:
    """One side. `highest_first`: the highest price is the best, as of resting lays. The best `most`
    levels are shown, all for 0.

    `keys` (prices, negative where the lowest is the best) and `orders` rise towards the best and,
    at a price, the oldest. They are the best block; `worse` has the others, the worst first.
    """

    __slots__ = ("floor", "highest_first", "keys", "most", "orders", "shown", "sizes", "worse")

    def __init__(self, highest_first: bool, most: int) -> None:
        self.highest_first = highest_first
        self.most = most or LEVELS_MAX
        self.keys: list[int] = []
        self.orders: list[Resting] = []
        self.worse: list[_Block] = []
        self.sizes: dict[int, int] = {}  # of the levels that were shown last, by price
        self.shown: tuple[tuple[int, int], ...] | None = None  # they, until one changes
        self.floor = LOWEST_KEY  # of the worst of them: what happens below is not seen

    def best(self) -> int:
        """Return the price that is matched first, 0 where nothing waits."""
        return self.orders[-1].asked_odds_e4 if self.orders else 0

    def key(self, price: int) -> int:
        """Return what a price is sorted by."""
        return price if self.highest_first else negated[price]

    def in_turn(self) -> Iterator[Resting]:
        """Iterate over what waits, in the order in which it will be matched."""
        yield from reversed(self.orders)
        for block in reversed(self.worse):
            yield from reversed(block.orders)

    def levels(self) -> Iterator[tuple[int, int]]:
        """Iterate over price and size of the levels, best first."""
        price = size = 0
        for order in self.in_turn():
            if order.asked_odds_e4 == price:
                size += order.remaining_minor
                continue
            if size:
                yield price, size
            price, size = order.asked_odds_e4, order.remaining_minor
        if size:
            yield price, size

    def depth(self) -> tuple[tuple[int, int], ...]:
        """Return price and size of the levels that are shown, best first."""
        if self.shown is not None:
            return self.shown
        most = self.most
        found: list[tuple[int, int]] = []
        keys, orders, known = self.keys, self.orders, self.sizes
        end = len(keys)
        while end:
            first = bisect_left(keys, keys[end - 1], 0, end)
            price = orders[first].asked_odds_e4
            size = known.get(price)
            if size is None:
                size = sum([one.remaining_minor for one in orders[first:end]])
            found.append((price, size))
            end = first
            if len(found) == most:
                break
        if not end and self.worse:  # the last level may go on in the next block
            found = list(islice(self.levels(), most))
        self.sizes = dict(found)
        self.floor = self.key(found[-1][0]) if len(found) == most else LOWEST_KEY
        self.shown = tuple(found)
        return self.shown

    def add(self, order: Resting) -> bool:
        """Let an order wait behind those at its price; return whether that is to be seen."""
        price = order.asked_odds_e4
        key = price if self.highest_first else negated[price]
        keys, orders = self.keys, self.orders
        if self.worse and key <= self.worse[-1].keys[-1]:
            keys, orders = self.worse[bisect_left(self.worse, key, key=_best_key)]
        at = bisect_left(keys, key)
        keys.insert(at, key)
        orders.insert(at, order)
        if len(keys) > BLOCK_MAX:
            self._cut(keys)
        if key < self.floor:
            return False
        self.shown = None
        if price in self.sizes:
            self.sizes[price] += order.remaining_minor
        return True

    def reduced(self, order: Resting, size_minor: int) -> bool:
        """An order that waits here has lost so much of its remainder; without one it goes.

        Returns whether that is to be seen.
        """
        price = order.asked_odds_e4
        key = price if self.highest_first else negated[price]
        if not order.remaining_minor:
            orders = self.orders
            if orders[-1] is order:
                orders.pop()
                self.keys.pop()
            else:
                self._remove(order, key)
            if not orders and self.worse:
                self.keys, self.orders = self.worse.pop()
        if key < self.floor:
            return False
        self.shown = None
        sizes = self.sizes
        if price in sizes:
            left = sizes[price] = sizes[price] - size_minor
            if not left:
                del sizes[price]
        return True

    def hashed(self, numbers: dict[int, int]) -> list[object]:
        """Return levels and queues as plain values; `numbers` of orders by their identity."""
        queues: dict[int, list[Resting]] = {}
        for order in self.in_turn():
            queues.setdefault(order.asked_odds_e4, []).append(order)
        return [
            (price, sum([o.remaining_minor for o in queue]), [numbers[id(o)] for o in queue])
            for price, queue in sorted(queues.items())
        ]

    def _cut(self, keys: list[int]) -> None:
        """Make two of a block that has grown long; the best one keeps its place."""
        half = BLOCK_MAX // 2
        if keys is self.keys:
            self.worse.append(_Block(keys[:half], self.orders[:half]))
            del keys[:half], self.orders[:half]
            return
        at = next(at for at, block in enumerate(self.worse) if block.keys is keys)
        orders = self.worse[at].orders
        self.worse.insert(at, _Block(keys[:half], orders[:half]))
        del keys[:half], orders[:half]

    def _remove(self, order: Resting, key: int) -> None:
        if self.keys[0] <= key and _removed(self.keys, self.orders, order, key):
            return
        at = bisect_left(self.worse, key, key=_best_key)
        while not _removed(*self.worse[at], order, key):
            at += 1  # a level may go over several blocks
        if not self.worse[at].keys:
            del self.worse[at]


def _best_key(block: _Block) -> int:
    return block.keys[-1]


def _removed(keys: list[int], orders: list[Resting], order: Resting, key: int) -> bool:
    """Take an order out of a block, if it is there."""
    first = bisect_left(keys, key)
    end = first + 1
    if first == len(keys) or orders[first] is not order:
        end = bisect_right(keys, key, first)
        at = _found(orders, order, first, end)
        if at < 0:
            return False
        first = at
    del keys[first], orders[first]
    return True


def _found(orders: list[Resting], order: Resting, first: int, end: int) -> int:
    """Return where an order stands among those at its price, -1 where it does not."""
    if end - first > SCAN_MAX:
        # The newest come first. Only a market that moved between shards may have an older after.
        since = -order.at_ms
        low = bisect_left(orders, since, first, end, key=_age)
        while low < end and orders[low].at_ms == order.at_ms:
            if orders[low] is order:
                return low
            low += 1
    return next((at for at in range(first, end) if orders[at] is order), -1)


def _age(order: Resting) -> int:
    return -order.at_ms
