"""Resting orders of one side, many of them, beside a plain sorted list."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from pipelines.books.exchange_levels import BLOCK_MAX, Levels


@dataclass(eq=False)
class Waiting:
    """As much of an order as a book needs."""

    bet_id: str
    asked_odds_e4: int
    remaining_minor: int
    at_ms: int
    client_id: str = "ann"
    selection_id: int = 1


class Plain:
    """The same, obviously."""

    def __init__(self, highest_first: bool) -> None:
        self.sign = -1 if highest_first else 1
        self.orders: list[Waiting] = []

    def in_turn(self) -> list[Waiting]:
        return sorted(self.orders, key=lambda one: self.sign * one.asked_odds_e4)

    def levels(self) -> list[tuple[int, int]]:
        sizes: dict[int, int] = {}
        for one in self.in_turn():
            sizes[one.asked_odds_e4] = sizes.get(one.asked_odds_e4, 0) + one.remaining_minor
        return list(sizes.items())


def steps(
    chance: random.Random, levels: Levels, plain: Plain, count: int, prices: int
) -> Iterator[bool]:
    """Add, match and cancel at random; yields whether the change was to be seen."""
    for number in range(count):
        if not plain.orders or chance.random() < 0.7:
            price = 10_100 + 100 * chance.randrange(prices)
            at_ms = chance.choice([number // 5, 7])  # some came with a market from elsewhere
            order = Waiting(f"b{number}", price, chance.randrange(1, 50), at_ms)
            plain.orders.append(order)
            yield levels.add(order)
            continue
        first = chance.random() < 0.5
        order = plain.in_turn()[0] if first else chance.choice(plain.orders)
        size = chance.choice([order.remaining_minor, 1])
        order.remaining_minor -= size
        if not order.remaining_minor:
            plain.orders.remove(order)
        yield levels.reduced(order, size)


@pytest.mark.parametrize("highest_first", [False, True])
@pytest.mark.parametrize("most", [0, 1, 3])
@pytest.mark.parametrize("prices", [1, 4, 60])
def test_what_waits_is_in_turn_and_what_is_seen_is_told(
    highest_first: bool, most: int, prices: int
) -> None:
    chance = random.Random(prices)
    levels, plain = Levels(highest_first, most), Plain(highest_first)
    shown = levels.depth()
    for seen in steps(chance, levels, plain, 400, prices):
        assert list(levels.in_turn()) == plain.in_turn()
        right = tuple(plain.levels()[: most or None])
        assert seen or right == shown, "a change of what is shown was not told"
        if chance.random() < 0.5:
            shown = levels.depth()
            assert shown == right
        elif seen:
            shown = levels.depth()
        assert levels.best() == (right[0][0] if right else 0)
    assert list(levels.levels()) == plain.levels()


@pytest.mark.parametrize("highest_first", [False, True])
@pytest.mark.parametrize("prices", [1, 2, 500])
def test_a_side_longer_than_a_block_is_the_same(highest_first: bool, prices: int) -> None:
    chance = random.Random(prices)
    levels, plain = Levels(highest_first, 3), Plain(highest_first)
    for number in range(5 * BLOCK_MAX):
        price = 10_100 + 100 * chance.randrange(prices)
        order = Waiting(f"b{number}", price, chance.randrange(1, 50), number // 3)
        plain.orders.append(order)
        levels.add(order)
    assert levels.worse, "several blocks"
    assert list(levels.in_turn()) == plain.in_turn()
    leaving = chance.sample(plain.orders, 4 * BLOCK_MAX)
    for at, order in enumerate(leaving):
        size, order.remaining_minor = order.remaining_minor, 0
        levels.reduced(order, size)
        if at % BLOCK_MAX == 0:
            plain.orders = [one for one in plain.orders if one.remaining_minor]
            assert list(levels.in_turn()) == plain.in_turn()
            assert levels.depth() == tuple(plain.levels()[:3])
    for order in [one for one in plain.in_turn() if one.remaining_minor]:
        size, order.remaining_minor = order.remaining_minor, 0
        levels.reduced(order, size)  # as it is matched
    assert list(levels.in_turn()) == []
    assert (levels.best(), levels.depth()) == (0, ())
    assert not levels.worse
