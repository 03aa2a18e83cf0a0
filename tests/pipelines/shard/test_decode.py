"""Stage 1, decode: plain and enveloped, JSON and MessagePack, to the same typed requests."""

import base64

import msgspec
import pytest

from pipelines.codes import Code
from pipelines.limits import ENVELOPE_MESSAGES_MAX, RECORD_BYTES_MAX
from pipelines.messages import entries as e
from pipelines.messages.operations import Result
from pipelines.messages.requests import BetRequest, CancelRequest
from pipelines.shard.decode import Unreadable, decode_bets, decode_operation, decode_plain
from tests.pipelines.shard.desk import EVENT, MARKET, Desk, bet

ENCODERS = {"json": msgspec.json.encode, "msgpack": msgspec.msgpack.encode}
EXPECTED = BetRequest("b1", EVENT, MARKET, 1, 1_000, 30_000, market_version=1)


def envelope(*messages: dict[str, object]) -> dict[str, object]:
    """A value as Ably's Kafka rule writes it."""
    return {
        "source": "channel.message",
        "appId": "app",
        "channel": f"inbound:bets:{EVENT}",
        "site": "eu-west-1-A",
        "ruleId": "rule",
        "messages": list(messages),
    }


def message(data: object, client_id: str = "ann", **more: object) -> dict[str, object]:
    return {"id": "c:0:0", "clientId": client_id, "timestamp": 1, "data": data, **more}


@pytest.mark.parametrize("encoder", sorted(ENCODERS))
def test_plain(encoder: str) -> None:
    body = ENCODERS[encoder](bet())
    assert decode_plain(body) == EXPECTED
    (incoming,) = decode_bets(body, "ann")
    assert incoming.request == EXPECTED
    assert (incoming.client_id, incoming.message_id) == ("ann", "")


@pytest.mark.parametrize("encoder", sorted(ENCODERS))
def test_cancel(encoder: str) -> None:
    value = {"type": "cancel", "bet_id": "b1", "event_id": EVENT, "market_id": MARKET}
    (incoming,) = decode_bets(ENCODERS[encoder](value), "ann")
    assert incoming.request == CancelRequest("b1", EVENT, MARKET)


JSON_TEXT = msgspec.json.encode(bet()).decode()
MSGPACK = msgspec.msgpack.encode(bet())


@pytest.mark.parametrize("encoder", sorted(ENCODERS))
@pytest.mark.parametrize(
    "sent",
    [
        message(JSON_TEXT, encoding="json"),
        message(JSON_TEXT),
        message(bet()),
        message(bet(), encoding="json"),
        message(base64.b64encode(JSON_TEXT.encode()).decode(), encoding="json/utf-8/base64"),
        message(base64.b64encode(MSGPACK).decode(), encoding="base64"),
    ],
    ids=["json", "text", "structured", "structured-json", "base64-json", "base64-msgpack"],
)
def test_envelope(encoder: str, sent: dict[str, object]) -> None:
    (incoming,) = decode_bets(ENCODERS[encoder](envelope(sent)), "")
    assert incoming.request == EXPECTED
    assert (incoming.client_id, incoming.message_id) == ("ann", "c:0:0")


def test_envelope_with_binary_data() -> None:
    (incoming,) = decode_bets(msgspec.msgpack.encode(envelope(message(MSGPACK))), "")
    assert incoming.request == EXPECTED
    utf8 = message(JSON_TEXT.encode(), encoding="json/utf-8")
    (incoming,) = decode_bets(msgspec.msgpack.encode(envelope(utf8)), "")
    assert incoming.request == EXPECTED


@pytest.mark.parametrize("encoder", sorted(ENCODERS))
def test_each_message_of_an_envelope_is_its_own_request(encoder: str) -> None:
    sent = [message(bet(f"b{n}"), f"bettor-{n}") for n in range(5)]
    sent.insert(2, message("nonsense", "eve", encoding="json"))
    sent.append(message(bet("b9"), ""))
    desk = Desk().open()
    entries = desk.bets(ENCODERS[encoder](envelope(*sent)), "")
    assert [type(entry) for entry in entries] == [
        e.BetAccepted,
        e.BetAccepted,
        e.RecordDeadLettered,
        e.RequestRefused,
        e.BetAccepted,
        e.BetAccepted,
        e.BetAccepted,
        e.RecordDeadLettered,
    ]
    refused = entries[3]
    assert isinstance(refused, e.RequestRefused)
    assert (refused.client_id, refused.message_id) == ("eve", "c:0:0")
    desk.check()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (message(JSON_TEXT, encoding="json/utf-8/cipher+aes-128-cbc"), "cipher"),
        (message("%%%", encoding="base64"), ""),
        (message(b"\xff\xfe", encoding="json/utf-8"), ""),
        (message(None), ""),
        (message(7), ""),
        (message([bet()]), ""),
        (message(""), ""),
    ],
)
def test_data_that_cannot_be_read_is_refused(sent: dict[str, object], reason: str) -> None:
    (incoming,) = decode_bets(msgspec.msgpack.encode(envelope(sent)), "")
    assert isinstance(incoming.request, Unreadable)
    assert incoming.client_id == "ann"
    assert reason in incoming.request.reason


def test_an_envelope_inside_of_what_a_known_bettor_sent_names_nobody() -> None:
    # A bettor known by the transport's header must not speak for another by a made-up envelope.
    forged = msgspec.json.encode(envelope(message(bet(), "victim")))
    desk = Desk().open()
    entries = desk.bets(forged, "mallory")
    assert [type(entry) for entry in entries] == [e.RecordDeadLettered, e.RequestRefused]
    assert isinstance(entries[1], e.RequestRefused)
    assert entries[1].client_id == "mallory"
    assert not desk.state.events[EVENT].bets


def test_a_bet_may_speak_of_envelopes() -> None:
    for client_id in ("", "ann"):
        (incoming,) = decode_bets(msgspec.json.encode(bet("channel.message")), client_id)
        assert isinstance(incoming.request, BetRequest)


@pytest.mark.parametrize("encoder", sorted(ENCODERS))
def test_the_way_of_a_plain_bet_and_that_of_an_envelope_lead_to_the_same(encoder: str) -> None:
    plain, enveloped = Desk().open(), Desk().open()
    for number, change in enumerate([{}, {}, {"stake_minor": 0}, {"odds_e4": 1}, {"v": 2}]):
        body = bet(f"b{number // 2}") | change
        sent = envelope(message(ENCODERS["json"](body).decode(), encoding="json"))
        answers = plain.bets(ENCODERS[encoder](body))
        others = enveloped.bets(ENCODERS[encoder](sent), "")
        assert [type(answer) for answer in answers] == [type(other) for other in others]
        assert [getattr(a, "code", "") for a in answers] == [getattr(o, "code", "") for o in others]


def test_unknown_fields_are_ignored() -> None:
    assert decode_plain(msgspec.json.encode(bet(colour="red", nested={"a": [1]}))) == EXPECTED


def test_too_many_messages_in_an_envelope() -> None:
    many = envelope(*[message(0)] * (ENVELOPE_MESSAGES_MAX + 1))
    (incoming,) = decode_bets(msgspec.json.encode(many), "")
    assert isinstance(incoming.request, Unreadable)
    assert incoming.request.code == Code.INVALID_INPUT_DATA


def test_a_record_of_the_largest_size_is_read_and_a_larger_one_is_not() -> None:
    body = msgspec.json.encode(bet())
    body += b" " * (RECORD_BYTES_MAX - len(body))
    assert decode_plain(body) == EXPECTED
    assert decode_plain(body + b" ") is None
    (incoming,) = decode_bets(body + b" ", "ann")
    assert isinstance(incoming.request, Unreadable)


@pytest.mark.parametrize("encoder", sorted(ENCODERS))
def test_operations(encoder: str) -> None:
    body = {"type": "result", "event_id": EVENT, "market_id": MARKET, "winners": [1, 2]}
    expected = Result(EVENT, MARKET, (1, 2))
    assert decode_operation(ENCODERS[encoder](body)) == expected


@pytest.mark.parametrize(
    "body",
    [
        {"type": "result", "event_id": EVENT, "market_id": MARKET, "v": 2},
        {"type": "resulted", "event_id": EVENT},
        {"event_id": EVENT},
        {"type": "result", "event_id": EVENT},
        [],
    ],
)
def test_unknown_types_and_versions_are_no_operations(body: object) -> None:
    assert isinstance(decode_operation(msgspec.json.encode(body)), Unreadable)
