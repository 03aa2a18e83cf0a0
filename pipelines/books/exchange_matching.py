"""Which resting orders an incoming order is matched with: best price first, then oldest first.

Only looks. Trades are at the resting order's price. A bettor is never matched with itself unless
the market allows it; fill or kill orders take an average price for their limit (betting.md 1.3).
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from pipelines.books.exchange_levels import Levels, Resting

__all__ = ["NOTHING", "Incoming", "Match", "Plan", "SelfMatch", "plan_direct", "plan_killing"]

#: What happens where an order meets one of the same bettor: the resting one lapses, what is left of
#: the incoming one lapses, or they are matched.
SelfMatch = Literal["CANCEL_RESTING", "CANCEL_INCOMING", "ALLOW"]


class Incoming(NamedTuple):
    """An order that arrives: `limit_e4` and `size_minor`; `min_fill_minor` of a fill or kill."""

    client_id: str
    selection_id: int
    lay: bool
    limit_e4: int
    size_minor: int
    min_fill_minor: int = 0


class Match(NamedTuple):
    """So much of a resting order is taken at its own price."""

    order: Resting
    size_minor: int


class Plan(NamedTuple):
    """What an incoming order leads to.

    `fills` are its own (odds_e4, size, virtual or not); `matches` those of resting orders, of its
    selection for a direct fill, of all others for a virtual one. `lapsing` are resting orders of
    its own bettor. `stopped`: the rest of it lapses by the market's rule on self-matching.
    """

    fills: Sequence[tuple[int, int, bool]] = ()
    matches: Sequence[Match] = ()
    lapsing: Sequence[Resting] = ()
    stopped: bool = False


NOTHING = Plan()


def plan_direct(incoming: Incoming, resting: Levels, rule: SelfMatch) -> Plan:
    """Match with the other side of the same selection."""
    client_id, _, lay, limit_e4, size, _ = incoming
    matches: list[Match] = []
    fills: list[tuple[int, int, bool]] = []
    lapsing: list[Resting] = []
    stopped = False
    filled = filled_e4 = 0  # at the present price
    for order in resting.in_turn():
        price = order.asked_odds_e4
        if (price > limit_e4) if lay else (price < limit_e4):
            break
        if order.client_id == client_id and rule != "ALLOW":
            if rule == "CANCEL_INCOMING":
                stopped = True
                break
            lapsing.append(order)
            continue
        if price != filled_e4:
            if filled:
                fills.append((filled_e4, filled, False))
            filled, filled_e4 = 0, price
        left = order.remaining_minor
        taken = left if left < size else size
        matches.append(Match(order, taken))
        filled += taken
        size -= taken
        if not size:
            break
    if filled:
        fills.append((filled_e4, filled, False))
    return Plan(fills, matches, lapsing, stopped)


def plan_killing(incoming: Incoming, resting: Levels, rule: SelfMatch) -> Plan:
    """Match a fill or kill order: at its limit or better on average, and enough, or not at all."""
    client_id, _, lay, limit_e4, size, least = incoming
    matches: list[Match] = []
    fills: list[tuple[int, int, bool]] = []
    lapsing: list[Resting] = []
    room = filled = 0  # room: by how much the average is better than the limit, times the size
    for order in resting.in_turn():
        price = order.asked_odds_e4
        gain = limit_e4 - price if lay else price - limit_e4
        most = size - filled if gain >= 0 else min(size - filled, room // -gain)
        if not most:
            break
        if order.client_id == client_id and rule != "ALLOW":
            if rule == "CANCEL_INCOMING":
                break
            lapsing.append(order)
            continue
        taken = min(order.remaining_minor, most)
        matches.append(Match(order, taken))
        room += gain * taken
        filled += taken
        if fills and fills[-1][0] == price:
            taken += fills.pop()[1]
        fills.append((price, taken, False))
    if filled < (least or size):
        return NOTHING
    return Plan(fills, matches, lapsing, False)
