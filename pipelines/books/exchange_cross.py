"""Virtual cross-matching: an order is matched with orders on all other selections at once.

Backs that rest on every other selection together lay this one, at 1 / (1 - sum of 1 / their
price); lays that rest on every other one together back it (betting.md 1.3). The price is rounded
on the ladder to the market's side, and amounts to whole minor units such that the market, whatever
wins, takes in at least what it pays: a remainder too small for that goes on waiting.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from pipelines.books.exchange_levels import Levels, Resting
from pipelines.books.exchange_matching import Incoming, Match, Plan, SelfMatch
from pipelines.books.ladder import Ladder
from pipelines.limits import ODDS_ONE

__all__ = ["plan_crossed", "virtual_price_e4"]

TRIES: Final = 8  # sizes tried below the largest before a remainder counts as too small


def virtual_price_e4(lay: bool, prices: list[int], ladder: Ladder) -> int:
    """Return the price at which one can back (or lay) a selection through all others; 0: none.

    `prices` are the best resting backs (for a back) or lays (for a lay) of the others.
    """
    if not prices or not all(prices):
        return 0
    rest = 1 - sum((Fraction(ODDS_ONE, price) for price in prices), Fraction(0))
    if lay:
        if rest <= 0:
            return 0
        return _at_or_above(ladder, ODDS_ONE / rest)
    if rest <= 0:
        return ladder.prices[-1]
    return ladder.at_or_below(int(ODDS_ONE / rest))


def _at_or_above(ladder: Ladder, exact: Fraction) -> int:
    up = -int(-exact // 1)  # rounded up
    found = ladder.at_or_below(up)
    if found >= exact:
        return found
    return ladder.ticks_away(found, 1) if found and found < ladder.prices[-1] else 0


class _Queue:
    """What is left of one side in the course of a plan, best first."""

    __slots__ = ("_orders", "left", "order")

    def __init__(self, levels: Levels) -> None:
        self._orders: Iterator[Resting] = levels.in_turn()
        self.order: Resting | None = None
        self.left = 0
        self.skip()

    @property
    def price(self) -> int:
        return self.order.asked_odds_e4 if self.order is not None else 0

    def skip(self) -> None:
        """Go on to the next order."""
        self.order = next(self._orders, None)
        self.left = self.order.remaining_minor if self.order is not None else 0

    def take(self, size_minor: int) -> Match:
        order = self.order
        assert order is not None
        self.left -= size_minor
        if not self.left:
            self.skip()
        return Match(order, size_minor)


def plan_crossed(
    incoming: Incoming, direct: Levels, others: list[Levels], ladder: Ladder, rule: SelfMatch
) -> Plan:
    """Match with the same selection's other side and, where better, through all others."""
    client_id, _, lay, limit_e4, size, _ = incoming
    opposite = _Queue(direct)
    legs = [_Queue(levels) for levels in others]
    fills: list[tuple[int, int, bool]] = []
    matches: list[Match] = []
    lapsing: list[Resting] = []
    while size:
        straight = opposite.price
        virtual = virtual_price_e4(lay, [leg.price for leg in legs], ladder)
        if virtual and (not straight or (virtual < straight if lay else virtual > straight)):
            if virtual > limit_e4 if lay else virtual < limit_e4:
                break
            sizes = _sizes(lay, virtual, size, legs)
            if sizes is None:
                _skip_smallest(legs)
                continue
            matches += [leg.take(s) for leg, s in zip(legs, sizes[1:], strict=True) if s]
            size -= sizes[0]
            fills.append((virtual, sizes[0], True))
            continue
        order = opposite.order
        if order is None or (straight > limit_e4 if lay else straight < limit_e4):
            break
        if order.client_id == client_id and rule != "ALLOW":
            if rule == "CANCEL_INCOMING":
                return Plan(_merged(fills), matches, lapsing, True)
            lapsing.append(order)
            opposite.skip()
            continue
        taken = min(opposite.left, size)
        matches.append(opposite.take(taken))
        fills.append((straight, taken, False))
        size -= taken
    return Plan(_merged(fills), matches, lapsing, False)


def _merged(fills: list[tuple[int, int, bool]]) -> list[tuple[int, int, bool]]:
    merged: list[tuple[int, int, bool]] = []
    for odds, size, virtual in fills:
        if merged and (merged[-1][0], merged[-1][2]) == (odds, virtual):
            merged[-1] = (odds, merged[-1][1] + size, virtual)
        else:
            merged.append((odds, size, virtual))
    return merged


def _skip_smallest(legs: list[_Queue]) -> None:
    """Pass over the order that is too small for whole units."""
    min(legs, key=lambda leg: leg.left * leg.price).skip()


def _sizes(lay: bool, price: int, size: int, legs: list[_Queue]) -> list[int] | None:
    """Return whole sizes of the incoming order and of each leg; None where there are none."""
    most = min(size, min(leg.left * leg.price for leg in legs) // price)
    for tried in range(most, max(most - TRIES, 0), -1):
        found = _lays_of(tried, price, legs) if lay else _backs_of(tried, price, legs)
        if found is not None:
            return found
    return None


def _backs_of(size: int, price: int, legs: list[_Queue]) -> list[int] | None:
    """Everybody backs: the stakes together must cover the largest return."""
    wanted = size * price
    sizes = [wanted // leg.price for leg in legs]
    pot = (size + sum(sizes)) * ODDS_ONE
    for at, leg in enumerate(legs):
        if pot >= wanted:
            break
        if sizes[at] < leg.left and (sizes[at] + 1) * leg.price <= pot + ODDS_ONE:
            sizes[at] += 1
            pot += ODDS_ONE
    if pot < wanted or any(s * leg.price > pot for s, leg in zip(sizes, legs, strict=True)):
        return None
    return [size, *sizes]


def _lays_of(size: int, price: int, legs: list[_Queue]) -> list[int] | None:
    """Everybody lays: whoever loses the bet must cover what all layers take in."""
    wanted = size * price
    sizes = [-(-wanted // leg.price) for leg in legs]
    if any(s > leg.left for s, leg in zip(sizes, legs, strict=True)):
        return None
    taken = (size + sum(sizes)) * ODDS_ONE
    for at, leg in enumerate(legs):
        if taken <= wanted:
            break
        if sizes[at] and (sizes[at] - 1) * leg.price >= taken - ODDS_ONE:
            sizes[at] -= 1
            taken -= ODDS_ONE
    covered = min([wanted, *(s * leg.price for s, leg in zip(sizes, legs, strict=True))])
    return [size, *sizes] if taken <= covered else None
