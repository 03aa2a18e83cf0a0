"""Journal entries of exchange markets to receipts; see `receipts.py`, which sends them.

| entry              | message name        | data beside the common fields                |
|--------------------|---------------------|----------------------------------------------|
| OrderPlaced        | accepted            | selection_id, side, stake_minor,             |
|                    |                     | asked_odds_e4, odds_e4 (average), matched_minor |
| OrderPending       | pending             | the order, due_ms                            |
| OrderRejected      | rejected            | the order, code, reason                      |
| OrderConfirmed     | accepted            | odds_e4 (average), matched_minor             |
| BetMatched         | matched             | odds_e4, size_minor, remaining_minor, kind   |
| OrderCancelled     | cancelled           | size_minor, remaining_minor                  |
| OrderLapsed        | lapsed              | size_minor, code, reason                     |
| OrderUpdated       | updated             | persistence                                  |
| ChangeRejected     | change_rejected     | code, reason                                 |
| BetVoided          | voided              | size_minor, returned_minor, reason           |
| OddsReduced        | reduced             | factor_e4, odds_e4 (average), returned_minor |
| CommissionCharged  | commission          | settlement, net_minor, commission_minor      |
| CommissionReturned | commission_returned | settlement, commission_minor                 |

The order: selection_id, side, stake_minor, odds_e4 (asked for).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from pipelines.books.exchange_money import average_odds_e4
from pipelines.messages import order_entries as oe
from pipelines.messages.entry_bases import EntryBase

__all__ = ["NO_ORDER_RECEIPT", "ORDER_RECEIPTS"]

_Fields = dict[str, Any]

#: No answers; an `OrderTraded` is several, see `apart.py`; the last three are the account's.
NO_ORDER_RECEIPT: Final = frozenset(
    {
        oe.OrderTraded,
        oe.StartingPricesSet,
        oe.DiscountsWereSet,
        oe.AccountSettled,
        oe.AccountUnsettled,
        oe.ExposureRaised,
    }
)


def _matched_fields(fills: tuple[tuple[int, int, bool], ...]) -> _Fields:
    size = sum(filled for _, filled, _ in fills)
    value = sum(odds * filled for odds, filled, _ in fills)
    return {"odds_e4": average_odds_e4(size, value), "matched_minor": size}


def _order(entry: oe.OrderEntry) -> _Fields:
    return {
        "selection_id": entry.selection_id,
        "side": entry.side,
        "stake_minor": entry.stake_minor,
        "odds_e4": entry.asked_odds_e4,
    }


def _placed(entry: oe.OrderPlaced) -> tuple[str, _Fields]:
    asked = {"asked_odds_e4": entry.asked_odds_e4}
    return "accepted", _order(entry) | asked | _matched_fields(entry.fills)


def _pending(entry: oe.OrderPending) -> tuple[str, _Fields]:
    return "pending", _order(entry) | {"due_ms": entry.due_ms}


def _rejected(entry: oe.OrderRejected) -> tuple[str, _Fields]:
    return "rejected", _order(entry) | {"code": entry.code, "reason": entry.reason}


def _confirmed(entry: oe.OrderConfirmed) -> tuple[str, _Fields]:
    return "accepted", _matched_fields(entry.fills)


def _own(name: str, *fields: str) -> Callable[[Any], tuple[str, _Fields]]:
    """Return what makes a receipt of this name with these fields of its entry."""

    def made(entry: Any) -> tuple[str, _Fields]:
        return name, {field: getattr(entry, field) for field in fields}

    return made


def _reduced(entry: oe.OddsReduced) -> tuple[str, _Fields]:
    return "reduced", {
        "factor_e4": entry.factor_e4,
        "odds_e4": entry.average_odds_e4,
        "returned_minor": entry.returned_minor,
    }


ORDER_RECEIPTS: Final[Mapping[type[EntryBase], Callable[[Any], tuple[str, _Fields]]]] = (
    MappingProxyType(
        {
            oe.OrderPlaced: _placed,
            oe.OrderPending: _pending,
            oe.OrderRejected: _rejected,
            oe.OrderConfirmed: _confirmed,
            oe.BetMatched: _own("matched", "odds_e4", "size_minor", "remaining_minor", "kind"),
            oe.OrderCancelled: _own("cancelled", "size_minor", "remaining_minor"),
            oe.OrderLapsed: _own("lapsed", "size_minor", "code", "reason"),
            oe.OrderUpdated: _own("updated", "persistence"),
            oe.ChangeRejected: _own("change_rejected", "code", "reason"),
            oe.BetVoided: _own("voided", "size_minor", "returned_minor", "reason"),
            oe.OddsReduced: _reduced,
            oe.CommissionCharged: _own("commission", "settlement", "net_minor", "commission_minor"),
            oe.CommissionReturned: _own("commission_returned", "settlement", "commission_minor"),
        }
    )
)
