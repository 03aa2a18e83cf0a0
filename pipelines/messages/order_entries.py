"""Journal entries of exchange markets: what happens to orders, their matched parts, commission.

Sizes are backers' stakes in minor units, also of lays; that of an unmatched lay at the starting
price is its liability.
"""

from pipelines.messages.entry_bases import BetEntry, BetReference, EntryBase
from pipelines.messages.requests import OrderType, Persistence, Side, TimeInForce

__all__ = [
    "AccountSettled",
    "AccountUnsettled",
    "AnyOrderEntry",
    "BetMatched",
    "BetVoided",
    "ChangeRejected",
    "CommissionCharged",
    "CommissionReturned",
    "DiscountsWereSet",
    "ExposureRaised",
    "OddsReduced",
    "OrderCancelled",
    "OrderConfirmed",
    "OrderEntry",
    "OrderLapsed",
    "OrderPending",
    "OrderPlaced",
    "OrderRejected",
    "OrderTraded",
    "OrderUpdated",
    "StartingPricesSet",
]


class OrderEntry(BetEntry, frozen=True, gc=False, array_like=True):
    """The first answer to an order; `replaces` is the bet id that it replaces, mostly ""."""

    side: Side
    order_type: OrderType
    persistence: Persistence
    time_in_force: TimeInForce
    min_fill_minor: int
    replaces: str


class OrderPlaced(OrderEntry, frozen=True, gc=False, array_like=True, tag=60):
    """In the market. `fills`: (odds_e4, size, virtual or not) matched at once; the rest waits."""

    fills: tuple[tuple[int, int, bool], ...]


class OrderTraded(OrderPlaced, frozen=True, gc=False, array_like=True, tag=59):
    """In the market, and matched at once with orders that waited: both sides of the trades.

    `matches`: (client id, bet id, odds_e4, size, what still waits, virtual or not) of those. Stands
    for an `OrderPlaced` and a `BetMatched` each, see `apart.py`, and has their numbers in event and
    market: its own, and as many more as there are matches. Of very many, `BetMatched` follow.
    """

    matches: tuple[tuple[str, str, int, int, int, bool], ...]


class OrderPending(OrderEntry, frozen=True, gc=False, array_like=True, tag=61):
    """Held for the bet delay until `due_ms`, then checked again and placed.

    With `hold_ms` the bettor's account is asked for `asked_minor` more than it holds, and has to
    answer by then (wall time).
    """

    due_ms: int
    hold_ms: int = 0
    asked_minor: int = 0


class OrderRejected(OrderEntry, frozen=True, gc=False, array_like=True, tag=62):
    """Refused, for good: the same id gets this answer again."""

    code: str
    reason: str


class OrderConfirmed(BetReference, frozen=True, gc=False, array_like=True, tag=63):
    """A pending order is in the market, with `fills` as `OrderPlaced`."""

    fills: tuple[tuple[int, int, bool], ...]


class BetMatched(BetReference, frozen=True, gc=False, array_like=True, tag=64):
    """A waiting order was matched. `kind` order, virtual or sp; `remaining_minor` still waits."""

    odds_e4: int
    size_minor: int
    remaining_minor: int
    kind: str


class OrderCancelled(BetReference, frozen=True, gc=False, array_like=True, tag=65):
    """Its bettor withdrew `size_minor` of what was unmatched."""

    size_minor: int
    remaining_minor: int


class OrderLapsed(BetReference, frozen=True, gc=False, array_like=True, tag=66):
    """`size_minor` that was unmatched is out of the market; `code` says why."""

    size_minor: int
    code: str
    reason: str


class OrderUpdated(BetReference, frozen=True, gc=False, array_like=True, tag=67):
    """What happens to the unmatched part at the off is another from here on."""

    persistence: Persistence


class ChangeRejected(BetReference, frozen=True, gc=False, array_like=True, tag=68):
    """A replace or update could not be done; the order stands as it was."""

    code: str
    reason: str


class BetVoided(BetReference, frozen=True, gc=False, array_like=True, tag=69):
    """What was matched in an interval is void; posts `returned_minor` from market to bettor."""

    size_minor: int
    returned_minor: int
    from_ms: int
    to_ms: int
    reason: str


class OddsReduced(BetReference, frozen=True, gc=False, array_like=True, tag=70):
    """Matched odds are cut after a withdrawal; posts `returned_minor` to a layer."""

    factor_e4: int
    average_odds_e4: int
    returned_minor: int


class StartingPricesSet(EntryBase, frozen=True, array_like=True, tag=71):
    """Starting prices are reconciled: (selection id, odds_e4, 0 where there is none)."""

    prices: tuple[tuple[int, int], ...]


class CommissionCharged(EntryBase, frozen=True, gc=False, array_like=True, tag=72):
    """Posts `commission_minor` on a bettor's net winnings of the market from bettor to market."""

    client_id: str
    settlement: int
    net_minor: int
    base_rate_e4: int
    discount_e4: int
    commission_minor: int


class CommissionReturned(EntryBase, frozen=True, gc=False, array_like=True, tag=73):
    """A settlement was rolled back: its commission is posted back to the bettor."""

    client_id: str
    settlement: int
    commission_minor: int


class AccountSettled(EntryBase, frozen=True, gc=False, array_like=True, tag=75):
    """What a market came to for a bettor: posted less commission, and what was held is let go."""

    client_id: str
    settlement: int
    net_minor: int
    commission_minor: int


class AccountUnsettled(EntryBase, frozen=True, gc=False, array_like=True, tag=76):
    """A settlement was rolled back: its posting is reversed, what is at risk is held again."""

    client_id: str
    settlement: int
    net_minor: int
    commission_minor: int


class ExposureRaised(EntryBase, frozen=True, gc=False, array_like=True, tag=77):
    """A withdrawal, void or starting price left a bettor more at risk: so much is held now."""

    client_id: str
    held_minor: int


class DiscountsWereSet(EntryBase, frozen=True, array_like=True, tag=74):
    """Bettors' discounts on the market's commission, in ten-thousandths."""

    discounts: tuple[tuple[str, int], ...]


AnyOrderEntry = (
    OrderPlaced
    | OrderTraded
    | OrderPending
    | OrderRejected
    | OrderConfirmed
    | BetMatched
    | OrderCancelled
    | OrderLapsed
    | OrderUpdated
    | ChangeRejected
    | BetVoided
    | OddsReduced
    | StartingPricesSet
    | CommissionCharged
    | CommissionReturned
    | DiscountsWereSet
    | AccountSettled
    | AccountUnsettled
    | ExposureRaised
)
