"""Journal entries to receipts: the answers on a bettor's own channel `outbound:bets:<client>`.

| entry          | message name    | data beside the common fields                    |
|----------------|-----------------|--------------------------------------------------|
| BetAccepted    | accepted        | selection_id, stake_minor, odds_e4               |
| BetPartlyAccepted | accepted     | the same, asked_stake_minor                      |
| BetPending     | pending         | selection_id, stake_minor, odds_e4, due_ms; referred |
| BetRejected    | rejected        | selection_id, stake_minor, odds_e4, code, reason |
| BetConfirmed   | accepted        | odds_e4                                          |
| BetPartlyConfirmed | accepted    | the same, stake_minor, asked_stake_minor         |
| BetDeclined    | rejected        | code, reason                                     |
| BetCancelled   | cancelled       |                                                  |
| CancelRejected | cancel_rejected | code, reason                                     |
| BetRepeated    | (see below)     | repeated, odds_e4, code, reason, result          |
| BetConflict    | conflict        | code, reason                                     |
| RequestRefused | refused         | message_id, code, reason                         |
| BetSettled     | settled         | result, payout_minor, settlement, reason         |
| BetUnsettled   | unsettled       | payout_minor, owed_minor (the same), settlement  |
| CashOutQuoted  | cash_out_quoted | amount_minor, odds_e4                            |
| BetCashedOut   | cashed_out      | amount_minor, odds_e4                            |
| BetPartlyCashedOut | cashed_out  | the same, stake_minor (left), closed_minor       |
| CashOutRejected| cash_out_rejected | code, reason, amount_minor (0: none)           |

BetRepeated gives the bet's present answer again, with `repeated` true: accepted, pending,
rejected, cancelled, lapsed, or settled with its result. Receipts of orders on an exchange are
those of `order_receipts.py`, those of coupons and accounts of `bettor_receipts.py`.
Common fields: bet_id, event_id, market_id, event_seq, at_ms, status (the message's name). The
odds of `pending` and `rejected` are those that were asked for. Other entries are no receipts.
The message id is `<event>:<event_seq>`; where an entry belongs to no event, its place in the
journal, which is the same after a restart.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, get_args

from pipelines import channels
from pipelines.codes import SENTENCES, Code
from pipelines.messages import cash_out_entries as co
from pipelines.messages import entries as e
from pipelines.messages.apart import apart
from pipelines.messages.isolation_entries import AnyIsolationEntry
from pipelines.ports import Publication
from pipelines.publisher.bettor_receipts import BETTOR_RECEIPTS, NO_BETTOR_RECEIPT
from pipelines.publisher.message_id import message_id
from pipelines.publisher.order_receipts import NO_ORDER_RECEIPT, ORDER_RECEIPTS

__all__ = ["NO_RECEIPT", "RECEIPTS", "receipts_of"]

_Fields = dict[str, Any]
_Taken = e.BetAccepted | e.BetPartlyAccepted | e.BetConfirmed | e.BetPartlyConfirmed

#: Statuses of a bet after it came out, as `BetRepeated` has them, and their result.
RESULTS: Final[Mapping[str, str]] = MappingProxyType(
    {"won": "win", "lost": "loss", "void": "void", "voided": "void"}
)

#: Entries that are no answer to a bettor.
NO_RECEIPT: Final = frozenset(
    {
        e.RecordDeadLettered,
        e.EventWasOpened,
        e.EventIsStarting,
        e.EventRetired,
        e.MarketWasOpened,
        e.MarketChanged,
        e.OddsSet,
        e.SelectionWasRemoved,
        e.MarketResulted,
        e.MarketSettled,
        e.MarketUnsettled,
        e.OperationRefused,
        e.SettlementWentOn,
        e.RollbackBegan,
        e.RefundBegan,
        e.RefundEnded,
        e.SelectionWasResulted,
        e.SelectionResultEnded,
        e.RiskWasSet,
        e.LeverWasSet,
        e.ReferralAccepted,
        e.ShardRiskWasSet,
        e.OperationWaits,
        e.OperationTaken,
        *NO_ORDER_RECEIPT,
        *NO_BETTOR_RECEIPT,
        *get_args(AnyIsolationEntry),
    }
)


def _sentence(code: str) -> str:
    return SENTENCES[Code(code)] if code in SENTENCES else ""


def _bet(entry: e.BetEntry, odds_e4: int) -> _Fields:
    return {
        "selection_id": entry.selection_id,
        "stake_minor": entry.stake_minor,
        "odds_e4": odds_e4,
    }


def _accepted(entry: e.BetAccepted) -> tuple[str, _Fields]:
    return "accepted", _bet(entry, entry.odds_e4) | _shares(entry)


def _shares(entry: _Taken) -> _Fields:
    return {"shares_minor": entry.shares_minor} if entry.shares_minor else {}


def _partly_accepted(entry: e.BetPartlyAccepted) -> tuple[str, _Fields]:
    told = _bet(entry, entry.odds_e4) | {"asked_stake_minor": entry.asked_stake_minor}
    return "accepted", told | _shares(entry)


def _pending(entry: e.BetPending) -> tuple[str, _Fields]:
    told = _bet(entry, entry.asked_odds_e4) | {"due_ms": entry.due_ms}
    return "pending", told | ({"referred": True} if entry.referred else {})


def _rejected(entry: e.BetRejected) -> tuple[str, _Fields]:
    told = _bet(entry, entry.asked_odds_e4) | _refusal(entry.code, entry.reason)
    return "rejected", told | _offer(entry)


def _offer(entry: e.BetRejected | e.BetDeclined) -> _Fields:
    if not entry.offer_stake_minor:
        return {}
    return {
        "offer_odds_e4": entry.offer_odds_e4,
        "offer_stake_minor": entry.offer_stake_minor,
    }


def _confirmed(entry: e.BetConfirmed) -> tuple[str, _Fields]:
    return "accepted", {"odds_e4": entry.odds_e4} | _shares(entry)


def _partly_confirmed(entry: e.BetPartlyConfirmed) -> tuple[str, _Fields]:
    stakes = {"stake_minor": entry.stake_minor, "asked_stake_minor": entry.asked_stake_minor}
    return "accepted", {"odds_e4": entry.odds_e4} | stakes | _shares(entry)


def _declined(entry: e.BetDeclined) -> tuple[str, _Fields]:
    return "rejected", _refusal(entry.code, entry.reason) | _offer(entry)


def _cancelled(_entry: e.BetCancelled) -> tuple[str, _Fields]:
    return "cancelled", {}


def _cancel_rejected(entry: e.CancelRejected) -> tuple[str, _Fields]:
    return "cancel_rejected", _refusal(entry.code, entry.reason)


def _repeated(entry: e.BetRepeated) -> tuple[str, _Fields]:
    fields: _Fields = {"repeated": True, "odds_e4": entry.odds_e4}
    status = entry.status.lower()
    if entry.code:
        fields |= _refusal(entry.code, _sentence(entry.code))
    if status in RESULTS:
        return "settled", fields | {"result": RESULTS[status]}
    return status, fields


def _conflict(_entry: e.BetConflict) -> tuple[str, _Fields]:
    code = Code.DUPLICATE_TRANSACTION
    return "conflict", _refusal(code.value, SENTENCES[code])


def _refused(entry: e.RequestRefused) -> tuple[str, _Fields]:
    return "refused", {"message_id": entry.message_id} | _refusal(entry.code, entry.reason)


def _settled(entry: e.BetSettled) -> tuple[str, _Fields]:
    return "settled", {
        "result": entry.result,
        "payout_minor": entry.payout_minor,
        "settlement": entry.settlement,
        "reason": entry.reason,
    }


def _unsettled(entry: e.BetUnsettled) -> tuple[str, _Fields]:
    return "unsettled", {
        "payout_minor": entry.payout_minor,
        "settlement": entry.settlement,
        "owed_minor": entry.payout_minor,  # by the bettor, who was paid it
    }


def _quoted(entry: co.CashOutQuoted) -> tuple[str, _Fields]:
    return "cash_out_quoted", {"amount_minor": entry.amount_minor, "odds_e4": entry.odds_e4}


def _bought_back(entry: co.BetCashedOut) -> tuple[str, _Fields]:
    return "cashed_out", {"amount_minor": entry.amount_minor, "odds_e4": entry.odds_e4}


def _partly_bought_back(entry: co.BetPartlyCashedOut) -> tuple[str, _Fields]:
    left: _Fields = {"stake_minor": entry.stake_minor, "closed_minor": entry.closed_minor}
    if entry.shares_minor:
        left["shares_minor"] = entry.shares_minor
    return "cashed_out", {"amount_minor": entry.amount_minor, "odds_e4": entry.odds_e4} | left


def _not_bought_back(entry: co.CashOutRejected) -> tuple[str, _Fields]:
    told = _refusal(entry.code, entry.reason)
    return "cash_out_rejected", told | {"amount_minor": entry.amount_minor}


def _refusal(code: str, reason: str) -> _Fields:
    return {"code": code, "reason": reason or _sentence(code)}


#: Name and own fields of the receipt of each entry that is one.
RECEIPTS: Final[Mapping[type[e.EntryBase], Callable[[Any], tuple[str, _Fields]]]] = (
    MappingProxyType(
        {
            e.BetAccepted: _accepted,
            e.BetPartlyAccepted: _partly_accepted,
            e.BetPending: _pending,
            e.BetRejected: _rejected,
            e.BetConfirmed: _confirmed,
            e.BetPartlyConfirmed: _partly_confirmed,
            e.BetDeclined: _declined,
            e.BetCancelled: _cancelled,
            e.CancelRejected: _cancel_rejected,
            e.BetRepeated: _repeated,
            e.BetConflict: _conflict,
            e.RequestRefused: _refused,
            e.BetSettled: _settled,
            e.BetUnsettled: _unsettled,
            co.CashOutQuoted: _quoted,
            co.BetCashedOut: _bought_back,
            co.BetPartlyCashedOut: _partly_bought_back,
            co.CashOutRejected: _not_bought_back,
            **ORDER_RECEIPTS,
            **BETTOR_RECEIPTS,
        }
    )
)


def receipts_of(record: e.JournalRecord, partition: int, guest: int = -1) -> list[Publication]:
    """Return the receipts of a journal record, mostly one; `guest`: as in `message_id`."""
    found = [_receipt(record, entry, partition, guest) for entry in apart(record.entry)]
    return [one for one in found if one is not None]


def _receipt(
    record: e.JournalRecord, entry: e.Entry, partition: int, guest: int
) -> Publication | None:
    make = RECEIPTS.get(type(entry))
    client_id = getattr(entry, "client_id", "")
    if make is None or not client_id:
        return None
    name, own = make(entry)
    common = {
        "bet_id": getattr(entry, "bet_id", ""),
        "event_id": entry.event_id,
        "market_id": entry.market_id,
        "event_seq": entry.event_seq,
        "at_ms": record.at_ms,
        "status": name,
    }
    number = _id(record, entry, partition, guest)
    return Publication(channels.bets_out(client_id), number, name, common | own)


def _id(record: e.JournalRecord, entry: e.Entry, partition: int, guest: int) -> str:
    if entry.event_seq > 0:
        return message_id(entry.event_id, entry.event_seq, guest)
    return f"journal:{partition}:{record.shard_seq}"
