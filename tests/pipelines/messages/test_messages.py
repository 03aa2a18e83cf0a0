"""Messages on the wire: what must not change silently, versions, tolerance for newer fields."""

import inspect
from typing import Any

import msgspec
import pytest

from pipelines.errors import CodecError, JournalError
from pipelines.messages import bettor_entries as be
from pipelines.messages import cash_out_entries as co
from pipelines.messages import entries as e
from pipelines.messages import isolation_entries as ie
from pipelines.messages import order_entries as oe
from pipelines.messages.coupon_requests import LegRequest
from pipelines.messages.dead_letters import DeadLetter
from pipelines.messages.images import OddsImage
from pipelines.messages.notices import Notice
from pipelines.messages.operations import Market, Operation, ResultRolledBack, Selection
from pipelines.messages.requests import BetRequest, Request
from pipelines.messages.risk_operations import RiskSet, ShardRiskSet, TrustClass
from pipelines.messages.transfers import Forwarded, FundsAsked
from pipelines.shard.fold import fold

decode_record = msgspec.msgpack.Decoder(e.JournalRecord).decode

#: A journal outlives the program that wrote it: a tag never changes its meaning.
TAGS = {
    e.BetAccepted: 1,
    e.BetPending: 2,
    e.BetRejected: 3,
    e.BetConfirmed: 4,
    e.BetDeclined: 5,
    e.BetCancelled: 6,
    e.CancelRejected: 7,
    e.BetRepeated: 8,
    e.BetConflict: 9,
    e.RequestRefused: 10,
    e.RecordDeadLettered: 11,
    e.EventWasOpened: 20,
    e.EventIsStarting: 21,
    e.EventRetired: 22,
    e.MarketWasOpened: 30,
    e.MarketChanged: 31,
    e.OddsSet: 32,
    e.SelectionWasRemoved: 33,
    e.MarketResulted: 40,
    e.BetSettled: 41,
    e.MarketSettled: 42,
    e.BetUnsettled: 43,
    e.MarketUnsettled: 44,
    e.SettlementWentOn: 45,
    e.RollbackBegan: 46,
    e.RefundBegan: 47,
    e.RefundEnded: 48,
    e.RiskWasSet: 80,
    e.LeverWasSet: 81,
    e.ReferralAccepted: 82,
    e.BetPartlyAccepted: 83,
    e.BetPartlyConfirmed: 84,
    e.ShardRiskWasSet: 85,
    e.SelectionWasResulted: 55,
    e.SelectionResultEnded: 56,
    e.OperationWaits: 49,
    e.OperationRefused: 50,
    e.OperationTaken: 51,
    co.CashOutQuoted: 52,
    co.BetCashedOut: 53,
    co.BetPartlyCashedOut: 57,
    co.CashOutRejected: 54,
    oe.OrderTraded: 59,
    oe.OrderPlaced: 60,
    oe.OrderPending: 61,
    oe.OrderRejected: 62,
    oe.OrderConfirmed: 63,
    oe.BetMatched: 64,
    oe.OrderCancelled: 65,
    oe.OrderLapsed: 66,
    oe.OrderUpdated: 67,
    oe.ChangeRejected: 68,
    oe.BetVoided: 69,
    oe.OddsReduced: 70,
    oe.StartingPricesSet: 71,
    oe.CommissionCharged: 72,
    oe.CommissionReturned: 73,
    oe.DiscountsWereSet: 74,
    oe.AccountSettled: 75,
    oe.AccountUnsettled: 76,
    oe.ExposureRaised: 77,
    be.TransferSent: 100,
    be.TransferReceived: 101,
    be.CouponPending: 102,
    be.CouponRejected: 103,
    be.LegTaken: 104,
    be.CouponAccepted: 105,
    be.CouponDeclined: 106,
    be.LegResulted: 107,
    be.LegResultTakenBack: 108,
    be.CouponSettled: 109,
    be.CouponUnsettled: 110,
    be.CouponRetired: 111,
    be.AccountWasSet: 114,
    be.FundsReserved: 115,
    be.FundsRefused: 116,
    be.FundsReleased: 117,
    be.FundsPosted: 118,
    be.FundsHeld: 120,
    be.ExposureWasHeld: 127,
    be.LegHeld: 121,
    be.LegRefused: 122,
    be.LegKept: 123,
    be.LegReleased: 124,
    be.LegSettled: 125,
    be.LegUnsettled: 126,
    ie.MarketHandedOver: 90,
    ie.MarketPartReceived: 91,
    ie.MarketArrived: 92,
    ie.MarketRecalled: 93,
    ie.RequestWaits: 94,
    ie.RequestTaken: 95,
    ie.AwayMarketEnded: 96,
}


def test_tags_of_entries_stay() -> None:
    kinds = e.Entry.__args__
    assert {kind: kind.__struct_config__.tag for kind in kinds} == TAGS


def example(kind: type[e.EntryBase]) -> e.EntryBase:
    """An entry of the kind with some value in each field."""
    worth: dict[str, Any] = {
        "market": Market("1.1", (Selection(1, "Grey", 30_000),)),
        "prices": ((1, 30_000),),
        "winners": (1, 2),
        "dividends": ((1, 25_000),),
        "postings": (("house:book", -5),),
        "price_policy": "any",
        "side": "LAY",
        "order_type": "LIMIT",
        "persistence": "PERSIST",
        "time_in_force": "FILL_OR_KILL",
        "fills": ((30_000, 5, True),),
        "matches": (("ann", "b1", 30_000, 5, 0, False),),
        "discounts": (("ann", 500),),
        "factors": ((1, 5, 3, 8),),
        "finish": ((1,), (2, 3)),
        "score": (2, 1),
        "void": False,
        "waiting": ResultRolledBack("race", "1.1"),
        "in_play": True,
        "open": True,
        "body": FundsAsked("race", "b1", 5),
        "bet_type": "TRIXIE",
        "legs": (LegRequest("race", "1.1", 1, 30_000),),
        "sizes": (2, 3),
        "each_way": True,
        "accounts": True,
        "referred": True,
        "accept_partial": True,
        "risk": RiskSet("race", 5, classes=(TrustClass("sharp"),)),
        "action": "refer",
        "win": (3, 2),
        "place": (1, 1),
    } | ({"odds_e4": (30_000, 20_000)} if kind is be.CouponAccepted else {})
    if kind is e.ShardRiskWasSet:
        worth["risk"] = ShardRiskSet(3, 5, 6, 7)
    if kind is ie.RequestWaits:
        worth["waiting"] = Forwarded("bets", "race", "1.1", "ann", "b1", b"{}")
    by_type: dict[object, Any] = {int: 7, str: "text", bytes: b"some", bool: True}
    fields = inspect.get_annotations(kind)
    for base in kind.__mro__[1:]:
        if issubclass(base, e.EntryBase):
            fields = {**inspect.get_annotations(base), **fields}
    values: dict[str, Any] = {n: worth.get(n, by_type.get(of)) for n, of in fields.items()}
    return kind(**values)


@pytest.mark.parametrize("kind", TAGS, ids=lambda kind: kind.__name__)
def test_every_entry_comes_back_as_it_was(kind: type[e.EntryBase]) -> None:
    record = e.JournalRecord(1, 1, 2, 3, 4, example(kind), 5)  # type: ignore[arg-type]
    assert decode_record(msgspec.msgpack.encode(record)) == record


def test_a_record_written_before_there_was_a_wall_time() -> None:
    old = [1, 1, 2, 3, 4, [21, "race", 1, "", 0, "Race"]]
    expected = e.JournalRecord(1, 1, 2, 3, 4, e.EventIsStarting("race", 1, "", 0, "Race"))
    assert decode_record(msgspec.msgpack.encode(old)) == expected


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (e.BetAccepted("e", 1, "m", 1, "a", "b", 1, 10, 20, "any", 0, 1, 20_000), 1),
        (e.BetPartlyAccepted("e", 1, "m", 1, "a", "b", 1, 10, 20, "any", 0, 1, 20_000, 99), 1),
        (e.BetConfirmed("e", 1, "m", 1, "a", "b", 20_000), 1),
        (e.SelectionWasRemoved("e", 1, "m", 1, 3, 2, "withdrawn"), 1),
    ],
)
def test_entries_written_before_they_told_shares_or_deductions(before: e.Entry, now: int) -> None:
    """The last field was added later: without it an entry means what it meant."""
    values = msgspec.msgpack.decode(msgspec.msgpack.encode(before))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(values[:-now]), type=e.Entry) == before


def test_a_field_that_a_newer_program_adds_is_ignored() -> None:
    new = [1, 1, 2, 3, 4, [21, "race", 1, "", 0, "Race", "more"], 0, 0, "more"]
    assert decode_record(msgspec.msgpack.encode(new)).entry.event_id == "race"


@pytest.mark.parametrize(
    "wrong",
    [
        [2, 1, 2, 3, 4, [21, "race", 1, "", 0, "Race"]],
        [1, 1, 2, 3, 4, [99, "race", 1, "", 0]],
        [1, 1, 2, 3, 4],
        [1, 1, 2, 3, 4, [21, "race", "1", "", 0, "Race"]],
    ],
    ids=["version", "entry", "short", "type"],
)
def test_a_journal_of_another_format_is_not_folded(wrong: list[object]) -> None:
    with pytest.raises(CodecError, match="partition 0 after record 0"):
        fold(0, [msgspec.msgpack.encode(wrong)])


def opened(shard_seq: int, event_seq: int) -> bytes:
    entry = e.EventWasOpened("race", event_seq, "", 0, "Race", "", 0, "wall")
    return msgspec.msgpack.encode(e.JournalRecord(1, shard_seq, 0, 0, 1, entry))


def starting(shard_seq: int, event_seq: int) -> bytes:
    entry = e.EventIsStarting("race", event_seq, "", 0, "Race")
    return msgspec.msgpack.encode(e.JournalRecord(1, shard_seq, 0, 0, 1, entry))


def test_a_journal_with_a_gap_is_not_folded() -> None:
    assert fold(0, [opened(1, 1), starting(2, 2)]).shard_seq == 2
    with pytest.raises(JournalError, match="goes from 1 to 3"):
        fold(0, [opened(1, 1), starting(3, 2)])
    with pytest.raises(JournalError, match="goes from 0 to 2"):
        fold(0, [opened(2, 1)])
    with pytest.raises(JournalError, match="event race"):
        fold(0, [opened(1, 1), starting(2, 3)])


@pytest.mark.parametrize("of", [OddsImage, Notice, DeadLetter])
def test_images_notices_and_dead_letters_carry_their_version(of: type[msgspec.Struct]) -> None:
    names = of.__struct_fields__
    by_type: dict[object, object] = {int: 1, str: "x", bool: True, bytes: b"x"}
    annotations = inspect.get_annotations(of)
    told = [name for name in names if name not in ("v", "market_maker")]
    value = {name: by_type.get(annotations[name], []) for name in told}
    body = msgspec.msgpack.encode(value)
    assert msgspec.msgpack.decode(body, type=of).v == 1  # type: ignore[attr-defined]
    newer = msgspec.msgpack.encode({**value, "v": 2})
    with pytest.raises(msgspec.ValidationError):
        msgspec.msgpack.decode(newer, type=of)


def test_messages_cannot_be_changed() -> None:
    request = BetRequest("b1", "race", "1.1", 1, 100)
    with pytest.raises(AttributeError):
        request.stake_minor = 1_000_000  # type: ignore[misc]


@pytest.mark.parametrize("of", [Request, Operation])
def test_a_version_that_is_not_known_is_refused(of: object) -> None:
    for kind in of.__args__:  # type: ignore[attr-defined]
        value = {"type": kind.__struct_config__.tag, "v": 2}
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(msgspec.json.encode(value), type=of)
