"""Markets that went from shard to shard in earlier programs: their exchange orders and levels.

The bytes of such a market stay in the journal (`parcel.py`), so what they name must be found there
when it is folded again, and become what it is now.
"""

from collections.abc import Callable
from typing import Any, Final

from pipelines.shard.order import Order
from pipelines.shard.order_parts import Fate, Terms

__all__ = ["EARLIER"]


class EarlierLevel:
    """What waited at one price, oldest first from `orders[head]` on."""

    orders: list[Order]
    head: int

    def __setstate__(self, state: tuple[None, dict[str, Any]]) -> None:
        self.orders, self.head = state[1]["orders"], state[1]["head"]


def order_of(*values: Any) -> Order:
    """Return an order as it is pickled now, or as it was when all its fields were its own."""
    if len(values) <= len(Order.__struct_fields__):
        return Order(*values)
    client_id, bet_id, market_id, selection_id, stake, asked_e4, policy, tolerance, version = (
        values[:9]
    )
    status, _, at_ms, payout, settlement, due_ms, code = values[9:16]
    lay, order_type, persistence, in_force, min_fill, replaces, asked_persistence = values[16:23]
    _, _, remaining, lapsed, cancelled, voided, _, _, _, fills = values[23:]
    rests = order_type == "LIMIT" and not in_force
    terms = Terms(
        market_id, selection_id, policy, tolerance, version, lay, order_type, asked_persistence,
        in_force, min_fill, rests,
    )  # fmt: skip
    other = None if persistence == asked_persistence else persistence
    fate = Fate(lapsed, cancelled, voided, payout, settlement, due_ms, code, replaces, other)
    order = Order(client_id, bet_id, terms, stake, asked_e4, remaining, status, at_ms)
    order.fate = fate if fate != Fate() else None
    order.refill(fills)
    return order


#: By module and name: what stands for it now.
EARLIER: Final[dict[tuple[str, str], Callable[..., Any]]] = {
    ("pipelines.shard.order", "Order"): order_of,
    ("pipelines.books.exchange_levels", "Level"): EarlierLevel,
}
