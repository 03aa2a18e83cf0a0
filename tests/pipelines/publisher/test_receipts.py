"""Every kind of journal entry either is a receipt or is known not to be one."""

from typing import Any, get_args

import msgspec
import pytest

from pipelines.codes import SENTENCES, Code
from pipelines.messages import bettor_entries as be
from pipelines.messages import cash_out_entries as co
from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe
from pipelines.publisher.receipts import NO_RECEIPT, RECEIPTS, receipts_of

HEAD = ("race-1", 7, "win", 3)
TERMS: Any = ("LAY", "LIMIT", "PERSIST", "", 0, "")
BET: Any = ("anna", "b-1", 11, 500, 30_000, "exact", 0, 2)
NAMES = {
    "account",
    "accepted", "pending", "rejected", "cancelled", "cancel_rejected", "conflict", "refused",
    "settled", "unsettled", "matched", "lapsed", "updated", "change_rejected", "voided", "reduced",
    "commission", "commission_returned", "cash_out_quoted", "cashed_out", "cash_out_rejected",
}  # fmt: skip

RECEIPT_ENTRIES: list[tuple[Any, str, dict[str, object]]] = [
    (e.BetAccepted(*HEAD, *BET, 31_000), "accepted", {"odds_e4": 31_000, "stake_minor": 500}),
    (
        e.BetPartlyAccepted(*HEAD, *BET, 31_000, 900),
        "accepted",
        {"odds_e4": 31_000, "stake_minor": 500, "asked_stake_minor": 900},
    ),
    (e.BetPending(*HEAD, *BET, 99, 0, True), "pending", {"referred": True, "due_ms": 99}),
    (
        e.BetDeclined(*HEAD, "anna", "b-1", "NOT_ACCEPTED", "", 28_000, 300),
        "rejected",
        {"code": "NOT_ACCEPTED", "offer_odds_e4": 28_000, "offer_stake_minor": 300},
    ),
    (e.BetPending(*HEAD, *BET, 99), "pending", {"odds_e4": 30_000, "due_ms": 99}),
    (
        e.BetRejected(*HEAD, *BET, "ODDS_CHANGED", ""),
        "rejected",
        {"code": "ODDS_CHANGED", "reason": SENTENCES[Code.ODDS_CHANGED]},
    ),
    (
        e.BetRejected(*HEAD, *BET, "ODDS_CHANGED", "", 29_000, 400),
        "rejected",
        {"offer_odds_e4": 29_000, "offer_stake_minor": 400},
    ),
    (e.BetConfirmed(*HEAD, "anna", "b-1", 32_000), "accepted", {"odds_e4": 32_000}),
    (
        e.BetPartlyConfirmed(*HEAD, "anna", "b-1", 32_000, 300, 900),
        "accepted",
        {"odds_e4": 32_000, "stake_minor": 300, "asked_stake_minor": 900},
    ),
    (e.BetDeclined(*HEAD, "anna", "b-1", "ODDS_CHANGED", "Why."), "rejected", {"reason": "Why."}),
    (e.BetCancelled(*HEAD, "anna", "b-1"), "cancelled", {}),
    (
        e.CancelRejected(*HEAD, "anna", "b-1", "INVALID_BET_ID", "No."),
        "cancel_rejected",
        {"code": "INVALID_BET_ID"},
    ),
    (
        e.BetRepeated(*HEAD, "anna", "b-1", "won", 30_000, ""),
        "settled",
        {"repeated": True, "result": "win"},
    ),
    (
        e.BetRepeated(*HEAD, "anna", "b-1", "rejected", 0, "ODDS_CHANGED"),
        "rejected",
        {"code": "ODDS_CHANGED", "reason": SENTENCES[Code.ODDS_CHANGED]},
    ),
    (e.BetConflict(*HEAD, "anna", "b-1"), "conflict", {"code": "DUPLICATE_TRANSACTION"}),
    (
        e.RequestRefused(*HEAD, "anna", "m-1", "INVALID_INPUT_DATA", "Bad."),
        "refused",
        {"message_id": "m-1", "bet_id": ""},
    ),
    (
        e.BetSettled(*HEAD, "anna", "b-1", 1, "win", 1_550, ""),
        "settled",
        {"result": "win", "payout_minor": 1_550},
    ),
    (
        e.BetUnsettled(*HEAD, "anna", "b-1", 1, 1_550),
        "unsettled",
        {"payout_minor": 1_550, "owed_minor": 1_550},
    ),
    (
        co.CashOutQuoted(*HEAD, "anna", "b-1", 1_550, 20_000),
        "cash_out_quoted",
        {"amount_minor": 1_550, "odds_e4": 20_000},
    ),
    (
        co.BetCashedOut(*HEAD, "anna", "b-1", 1_550, 20_000, (("house:cash_out", -5),)),
        "cashed_out",
        {"amount_minor": 1_550},
    ),
    (
        co.BetPartlyCashedOut(*HEAD, "anna", "b-1", 750, 20_000, (), 500, 500, 900),
        "cashed_out",
        {"amount_minor": 750, "stake_minor": 500, "closed_minor": 500, "shares_minor": 900},
    ),
    (
        co.CashOutRejected(*HEAD, "anna", "b-1", "ODDS_CHANGED", "Why.", 90),
        "cash_out_rejected",
        {"code": "ODDS_CHANGED", "reason": "Why.", "amount_minor": 90},
    ),
    (
        oe.OrderPlaced(*HEAD, *BET, *TERMS, ((40_000, 100, False), (30_000, 300, True))),
        "accepted",
        {"odds_e4": 32_500, "asked_odds_e4": 30_000, "matched_minor": 400, "side": "LAY"},
    ),
    (oe.OrderPending(*HEAD, *BET, *TERMS, 99), "pending", {"odds_e4": 30_000, "due_ms": 99}),
    (
        oe.OrderRejected(*HEAD, *BET, *TERMS, "INVALID_ODDS", "Why."),
        "rejected",
        {"code": "INVALID_ODDS", "side": "LAY"},
    ),
    (
        oe.OrderConfirmed(*HEAD, "anna", "b-1", ()),
        "accepted",
        {"odds_e4": 0, "matched_minor": 0},
    ),
    (
        oe.BetMatched(*HEAD, "anna", "b-1", 31_000, 70, 30, "order"),
        "matched",
        {"odds_e4": 31_000, "size_minor": 70, "remaining_minor": 30},
    ),
    (
        oe.OrderCancelled(*HEAD, "anna", "b-1", 70, 30),
        "cancelled",
        {"size_minor": 70, "remaining_minor": 30},
    ),
    (
        oe.OrderLapsed(*HEAD, "anna", "b-1", 70, "TURNED_IN_PLAY", "Why."),
        "lapsed",
        {"size_minor": 70, "code": "TURNED_IN_PLAY"},
    ),
    (oe.OrderUpdated(*HEAD, "anna", "b-1", "PERSIST"), "updated", {"persistence": "PERSIST"}),
    (
        oe.ChangeRejected(*HEAD, "anna", "b-1", "NO_ACTION_REQUIRED", "Why."),
        "change_rejected",
        {"code": "NO_ACTION_REQUIRED"},
    ),
    (
        oe.BetVoided(*HEAD, "anna", "b-1", 70, 140, 0, 9, "Why."),
        "voided",
        {"size_minor": 70, "returned_minor": 140},
    ),
    (
        oe.OddsReduced(*HEAD, "anna", "b-1", 2_500, 60_000, 5),
        "reduced",
        {"odds_e4": 60_000, "returned_minor": 5},
    ),
    (
        oe.CommissionCharged(*HEAD, "anna", 1, 15_000, 700, 0, 1_050),
        "commission",
        {"net_minor": 15_000, "commission_minor": 1_050},
    ),
    (
        oe.CommissionReturned(*HEAD, "anna", 1, 1_050),
        "commission_returned",
        {"commission_minor": 1_050},
    ),
    (
        be.CouponPending(*HEAD, "anna", "c-1", "DOUBLE", (), 100, (), False, 100, 9_000),
        "pending",
        {"bet_type": "DOUBLE", "stake_minor": 100, "due_ms": 9_000},
    ),
    (
        be.CouponRejected(
            *HEAD, "anna", "c-1", "DOUBLE", (), 100, (), False, 100, "NOT_COMBINABLE", "Why."
        ),
        "rejected",
        {"code": "NOT_COMBINABLE", "reason": "Why."},
    ),
    (
        be.CouponAccepted(*HEAD, "anna", "c-1", 100, (30_000, 20_000)),
        "accepted",
        {"leg_odds_e4": [30_000, 20_000]},
    ),
    (
        be.CouponDeclined(*HEAD, "anna", "c-1", 1, "ODDS_CHANGED", "Why."),
        "rejected",
        {"leg": 1, "code": "ODDS_CHANGED"},
    ),
    (
        be.CouponSettled(*HEAD, "anna", "c-1", 1, "win", 600, ()),
        "settled",
        {"result": "win", "payout_minor": 600},
    ),
    (be.CouponUnsettled(*HEAD, "anna", "c-1", 1, 600, ()), "unsettled", {"payout_minor": 600}),
    (
        be.FundsPosted(*HEAD, "anna", "b-1", "race", "stake", -100, 100, 900, ()),
        "account",
        {"kind": "stake", "amount_minor": -100, "balance_minor": 900},
    ),
]


def record(entry: Any) -> e.JournalRecord:
    return e.JournalRecord(1, 42, 1_700, 5, 6, entry)


def test_every_entry_has_its_place() -> None:
    assert set(RECEIPTS) | NO_RECEIPT == set(get_args(e.Entry))
    assert not set(RECEIPTS) & NO_RECEIPT
    assert set(RECEIPTS) == {type(entry) for entry, _, _ in RECEIPT_ENTRIES}


@pytest.mark.parametrize(("entry", "name", "fields"), RECEIPT_ENTRIES)
def test_a_receipt_says_what_happened(entry: Any, name: str, fields: dict[str, object]) -> None:
    (publication,) = receipts_of(record(entry), 0)
    assert publication.channel == "outbound:bets:anna"
    assert publication.id == "race-1:7"
    assert publication.name == name
    assert name in NAMES
    data = publication.data
    assert isinstance(data, dict)
    common = {"event_id": "race-1", "market_id": "win", "event_seq": 7, "at_ms": 1_700}
    assert data.items() >= (common | {"status": name} | fields).items()
    if "code" in data:
        assert data["reason"]
    assert msgspec.json.decode(msgspec.json.encode(data)) == data


def test_an_answer_outside_events_is_named_by_its_place_in_the_journal() -> None:
    first = e.RequestRefused("", 0, "", 0, "anna", "m-1", "INVALID_INPUT_DATA", "Bad.")
    (publication,) = receipts_of(record(first), 3)
    assert publication.id == "journal:3:42"


def test_what_answers_nobody_is_no_receipt() -> None:
    assert receipts_of(record(e.OddsSet(*HEAD, ((1, 20_000),))), 0) == []
    assert receipts_of(record(e.MarketSettled(*HEAD, 1, 2, 3, 4, ())), 0) == []


def test_both_sides_of_a_trade_are_told_each_under_a_number_of_its_own() -> None:
    terms = ("BACK", "LIMIT", "LAPSE", "", 0, "")
    matches = (
        ("bob", "b1", 31_000, 200, 0, False),
        ("cem", "c1", 31_000, 300, 50, True),
    )
    traded = oe.OrderTraded(*HEAD, *BET, *terms, ((31_000, 500, False),), matches)
    own, bob, cem = receipts_of(record(traded), 0)
    assert [one.channel.split(":")[-1] for one in (own, bob, cem)] == ["anna", "bob", "cem"]
    assert [one.id for one in (own, bob, cem)] == ["race-1:7", "race-1:8", "race-1:9"]
    placed = oe.OrderPlaced(*HEAD, *BET, *terms, ((31_000, 500, False),))
    assert [own] == receipts_of(record(placed), 0)
    for one, matched in ((bob, (*matches[0][:5], "order")), (cem, (*matches[1][:5], "virtual"))):
        event_seq = int(one.id.split(":")[1])
        alone = oe.BetMatched("race-1", event_seq, "win", HEAD[3] + event_seq - 7, *matched)
        assert [one] == receipts_of(record(alone), 0)
