"""What orders are made of where they have it: common terms, several fills, a fate."""

from collections.abc import Iterable
from sys import intern
from typing import Final

from msgspec import Struct

from pipelines.messages.order_entries import OrderEntry
from pipelines.messages.requests import OrderType, Persistence, PricePolicy, TimeInForce

__all__ = ["NO_FATE", "Fate", "Fill", "Fills", "Terms", "places_of", "terms_of"]

TERMS_MAX: Final = 16_384  # kept to be found again

Fill = tuple[int, int, int]  # odds_e4, size, matched at


class Terms(Struct, frozen=True, gc=False):
    """What orders have in common that are alike but for price and stake; see `BetRequest`.

    `rests`: whether a remainder waits in the book, at a price of its own.
    """

    market_id: str
    selection_id: int
    price_policy: PricePolicy
    tolerance_e4: int
    market_version: int
    lay: bool
    order_type: OrderType
    persistence: Persistence
    time_in_force: TimeInForce
    min_fill_minor: int
    rests: bool


class Fate(Struct, gc=False):
    """What became of an order beside being matched, and what few have from the start."""

    lapsed_minor: int = 0
    cancelled_minor: int = 0
    voided_minor: int = 0
    payout_minor: int = 0
    settlement: int = 0
    due_ms: int = 0
    code: str = ""
    replaces: str = ""
    persistence: Persistence | None = None  # where another than it was placed with


NO_FATE: Final = Fate()


class Fills(Struct, gc=False):
    """Several matched parts, and their sums: of sizes, and of sizes times odds."""

    size_minor: int
    value_e4: int
    parts: list[Fill]


def places_of(orders: Iterable[object]) -> dict[int, int]:
    """Return the place in time of a market's orders, from 1, by their identity."""
    return {id(order): place for place, order in enumerate(orders, 1)}


_known: Final[dict[tuple[object, ...], Terms]] = {}


def terms_of(entry: OrderEntry) -> Terms:
    """Return the terms that orders like this have in common."""
    key = (
        entry.market_id,
        entry.selection_id,
        entry.price_policy,
        entry.tolerance_e4,
        entry.market_version,
        entry.side,
        entry.order_type,
        entry.persistence,
        entry.time_in_force,
        entry.min_fill_minor,
    )
    found = _known.get(key)
    if found is None:
        if len(_known) >= TERMS_MAX:
            _known.clear()
        rests = entry.order_type == "LIMIT" and not entry.time_in_force
        found = _known[key] = Terms(
            intern(entry.market_id), *key[1:5], entry.side == "LAY", *key[6:], rests
        )
    return found
