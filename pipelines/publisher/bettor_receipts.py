"""Journal entries of a bettor's own book to receipts; `receipts.py` adds the common fields.

| entry           | message name | data beside the common fields                         |
|-----------------|--------------|-------------------------------------------------------|
| CouponPending   | pending      | bet_type, stake_minor, due_ms                         |
| CouponRejected  | rejected     | bet_type, stake_minor, code, reason                   |
| CouponAccepted  | accepted     | stake_minor, leg_odds_e4                              |
| CouponDeclined  | rejected     | leg (-1: none), code, reason                          |
| CouponSettled   | settled      | result, payout_minor, settlement                      |
| CouponUnsettled | unsettled    | payout_minor (taken back), settlement                 |
| FundsPosted     | account      | kind, amount_minor, balance_minor, source, of_market  |
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from pipelines.messages import bettor_entries as be
from pipelines.messages.entry_bases import EntryBase

__all__ = ["BETTOR_RECEIPTS", "NO_BETTOR_RECEIPT"]

_Fields = dict[str, Any]

#: Entries that are no answer to a bettor: what shards say to each other, and what is only held.
NO_BETTOR_RECEIPT: Final = frozenset(
    {
        be.TransferSent,
        be.TransferReceived,
        be.LegTaken,
        be.LegResulted,
        be.LegResultTakenBack,
        be.CouponRetired,
        be.AccountWasSet,
        be.FundsReserved,
        be.FundsRefused,
        be.FundsReleased,
        be.ExposureWasHeld,
        be.FundsHeld,
        be.LegHeld,
        be.LegRefused,
        be.LegKept,
        be.LegReleased,
        be.LegSettled,
        be.LegUnsettled,
    }
)


def _coupon(entry: be.CouponEntry) -> _Fields:
    return {"bet_type": entry.bet_type, "stake_minor": entry.stake_minor}


def _pending(entry: be.CouponPending) -> tuple[str, _Fields]:
    return "pending", _coupon(entry) | {"due_ms": entry.due_ms}


def _rejected(entry: be.CouponRejected) -> tuple[str, _Fields]:
    return "rejected", _coupon(entry) | {"code": entry.code, "reason": entry.reason}


def _accepted(entry: be.CouponAccepted) -> tuple[str, _Fields]:
    return "accepted", {"stake_minor": entry.stake_minor, "leg_odds_e4": list(entry.odds_e4)}


def _declined(entry: be.CouponDeclined) -> tuple[str, _Fields]:
    return "rejected", {"leg": entry.leg, "code": entry.code, "reason": entry.reason}


def _settled(entry: be.CouponSettled) -> tuple[str, _Fields]:
    return "settled", {
        "result": entry.result,
        "payout_minor": entry.payout_minor,
        "settlement": entry.settlement,
    }


def _unsettled(entry: be.CouponUnsettled) -> tuple[str, _Fields]:
    return "unsettled", {"payout_minor": entry.payout_minor, "settlement": entry.settlement}


def _posted(entry: be.FundsPosted) -> tuple[str, _Fields]:
    return "account", {
        "kind": entry.kind,
        "amount_minor": entry.amount_minor,
        "balance_minor": entry.balance_minor,
        "source": entry.source,
        "of_market": entry.of_market,
    }


#: Name and own fields of the receipt of each entry that is one.
BETTOR_RECEIPTS: Final[Mapping[type[EntryBase], Callable[[Any], tuple[str, _Fields]]]] = (
    MappingProxyType(
        {
            be.CouponPending: _pending,
            be.CouponRejected: _rejected,
            be.CouponAccepted: _accepted,
            be.CouponDeclined: _declined,
            be.CouponSettled: _settled,
            be.CouponUnsettled: _unsettled,
            be.FundsPosted: _posted,
        }
    )
)
