"""Bad input, case by case, as real bytes: an answer with a standard code or a dead letter.

Never an exception, never silence, and the shard goes on: after each case a good bet is taken and
the fold of the journal has the same hash.
"""

import math

import msgspec
import pytest

from pipelines.codes import Code
from pipelines.limits import DEAD_LETTER_VALUE_BYTES_MAX
from pipelines.messages import entries as e
from pipelines.topics import BETS, EVENTS
from tests.pipelines.shard.desk import EVENT, MARKET, Desk, bet, fixed_market

JSON = msgspec.json.encode
MSGPACK = msgspec.msgpack.encode
MIB = 1_048_576


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in bet().items() if key != name}


def raw(name: str, text: bytes) -> bytes:
    """A bet as JSON with the raw text as one field's value."""
    return JSON(bet(**{name: "@@"})).replace(b'"@@"', text)


#: The bettor and the bet can be read: it is refused by its id, with the code of what is wrong.
REFUSED: dict[str, tuple[bytes, Code]] = {
    "stake-text": (JSON(bet(stake_minor="1000")), Code.INVALID_BET_SIZE),
    "stake-zero": (JSON(bet(stake_minor=0)), Code.INVALID_BET_SIZE),
    "stake-negative": (JSON(bet(stake_minor=-1)), Code.INVALID_BET_SIZE),
    "stake-fraction": (JSON(bet(stake_minor=10.5)), Code.INVALID_BET_SIZE),
    "stake-fraction-msgpack": (MSGPACK(bet(stake_minor=10.5)), Code.INVALID_BET_SIZE),
    "stake-above-limit": (JSON(bet(stake_minor=5_001)), Code.ABOVE_MAX_BET_AMOUNT),
    "stake-above-all-limits": (JSON(bet(stake_minor=10**12 + 1)), Code.INVALID_BET_SIZE),
    "stake-10^30": (raw("stake_minor", b"1" + b"0" * 30), Code.INVALID_BET_SIZE),
    "stake-1e30": (raw("stake_minor", b"1e30"), Code.INVALID_BET_SIZE),
    "stake-nan-msgpack": (MSGPACK(bet(stake_minor=math.nan)), Code.INVALID_BET_SIZE),
    "stake-infinity-msgpack": (MSGPACK(bet(stake_minor=math.inf)), Code.INVALID_BET_SIZE),
    "stake-true": (JSON(bet(stake_minor=True)), Code.INVALID_BET_SIZE),
    "stake-null": (JSON(bet(stake_minor=None)), Code.INVALID_BET_SIZE),
    "stake-missing": (JSON(without("stake_minor")), Code.INVALID_BET_SIZE),
    "odds-off-ladder": (JSON(bet(odds_e4=30_100)), Code.INVALID_ODDS),
    "odds-below-1.01": (JSON(bet(odds_e4=10_000)), Code.INVALID_ODDS),
    "odds-below-one": (JSON(bet(odds_e4=9_999)), Code.INVALID_ODDS),
    "odds-negative": (JSON(bet(odds_e4=-30_000)), Code.INVALID_ODDS),
    "odds-above-1000": (JSON(bet(odds_e4=10_000_001)), Code.INVALID_ODDS),
    "odds-decimal": (JSON(bet(odds_e4=3.05)), Code.INVALID_ODDS),
    "odds-nan-msgpack": (MSGPACK(bet(odds_e4=math.nan)), Code.INVALID_ODDS),
    "odds-missing": (JSON(without("odds_e4")), Code.INVALID_ODDS),
    "tolerance-negative": (JSON(bet(tolerance_e4=-1)), Code.INVALID_ODDS),
    "policy-unknown": (JSON(bet(price_policy="cheapest")), Code.INVALID_PRICE_POLICY),
    "policy-list": (JSON(bet(price_policy=["any"])), Code.INVALID_PRICE_POLICY),
    "version-stale": (JSON(bet(market_version=1)), Code.INVALID_MARKET_VERSION),
    "version-missing": (JSON(without("market_version")), Code.INVALID_MARKET_VERSION),
    "version-future": (JSON(bet(market_version=99)), Code.INVALID_MARKET_VERSION),
    "version-text": (JSON(bet(market_version="3")), Code.INVALID_MARKET_VERSION),
    "event-other": (JSON(bet(event_id="other")), Code.EVENT_KEY_MISMATCH),
    "event-missing": (JSON(without("event_id")), Code.INVALID_EVENT_ID),
    "event-number": (JSON(bet(event_id=7)), Code.INVALID_EVENT_ID),
    "market-unknown": (JSON(bet(market_id="1.9")), Code.INVALID_MARKET_ID),
    "market-missing": (JSON(without("market_id")), Code.INVALID_MARKET_ID),
    "market-number": (JSON(bet(market_id=1.1)), Code.INVALID_MARKET_ID),
    "market-long": (JSON(bet(market_id="1" * 129)), Code.INVALID_MARKET_ID),
    "selection-unknown": (JSON(bet(selection_id=9)), Code.INVALID_RUNNER),
    "selection-negative": (JSON(bet(selection_id=-1)), Code.INVALID_RUNNER),
    "selection-text": (JSON(bet(selection_id="1")), Code.INVALID_RUNNER),
    "selection-missing": (JSON(without("selection_id")), Code.INVALID_RUNNER),
    "bettor-other": (JSON(bet(client_id="bob")), Code.PERMISSION_DENIED),
    "bettor-number": (JSON(bet(client_id=7)), Code.INVALID_INPUT_DATA),
    "type-missing": (JSON(without("type")), Code.INVALID_INPUT_DATA),
    "deep-in-an-unknown-field": (
        JSON(bet(stake_minor=0, x="@@")).replace(b'"@@"', b"[" * 20 + b"]" * 20),
        Code.INVALID_BET_SIZE,
    ),
    "field-deep-in-known": (raw("client_id", b"[" * 20 + b"]" * 20), Code.INVALID_INPUT_DATA),
}

#: Neither can be read: dead-lettered, and told to the bettor by the transport's message.
DEAD: dict[str, bytes] = {
    "empty": b"",
    "text": b"five pounds on the grey",
    "json-cut": JSON(bet())[:-1],
    "json-two": JSON(bet()) * 2,
    "json-nan": raw("stake_minor", b"NaN"),
    "json-infinity": raw("stake_minor", b"-Infinity"),
    "json-bom": b"\xef\xbb\xbf" + JSON(bet()),
    "json-utf16": JSON(bet()).decode().encode("utf-16"),
    "json-bad-utf8": raw("bet_id", b'"\xff\xfe"'),
    "json-lone-surrogate": raw("bet_id", b'"\\ud800"'),
    "json-array": JSON([bet()]),
    "json-number": b"7",
    "json-null": b"null",
    "msgpack-cut": MSGPACK(bet())[:-1],
    "msgpack-never-used": b"\xc1",
    "msgpack-array": MSGPACK([bet()]),
    "msgpack-keys-of-maps": b"\x81\x81\x80\x01\x02",
    "msgpack-huge-length": b"\xdf\xff\xff\xff\xff",
    "msgpack-bad-timestamp": b"\x81\xa6bet_id\xc7\x0c\xff" + b"\xff" * 12,
    "deep-json": b"[" * 1_000 + b"]" * 1_000,
    "deep-json-objects": b'{"a":' * 1_000 + b"1" + b"}" * 1_000,
    "deep-msgpack": b"\x91" * 1_000 + b"\x01",
    "deep-in-a-field": raw("stake_minor", b"[" * 1_000 + b"]" * 1_000),
    "deep-in-an-unknown-field": JSON(bet(x="@@")).replace(b'"@@"', b"[" * 100_000 + b"]" * 100_000),
    "deeper-than-is-read": JSON(bet(stake_minor=0, x="@@")).replace(b'"@@"', b"[" * 40 + b"]" * 40),
    "two-mebibytes": JSON(bet(padding="x" * 2 * MIB)),
    "two-mebibytes-of-nothing": b"\x00" * 2 * MIB,
    "bet-id-missing": JSON(without("bet_id")),
    "bet-id-empty": JSON(bet("")),
    "bet-id-long": JSON(bet("x" * 129)),
    "bet-id-number": JSON(bet() | {"bet_id": 7}),
    "type-unknown": JSON(bet(type="wager")),
    "type-number": JSON(bet(type=1)),
    "version-of-format-unknown": JSON(bet(v=2)),
    "version-of-format-text": JSON(bet(v="1")),
    "cancel-without-market": JSON({"type": "cancel", "bet_id": "b1", "event_id": EVENT}),
}


@pytest.fixture
def desk() -> Desk:
    """An open market at version 3, whose last material change was to 3."""
    opened = Desk().open(fixed_market(stake_max_minor=5_000))
    opened.operate_market("market_status", status="SUSPENDED")
    opened.operate_market("market_status", status="OPEN")
    return opened


def goes_on(desk: Desk) -> None:
    assert isinstance(desk.bet("good", "zoe", market_version=3), e.BetAccepted)
    desk.check()


def at_version_3(body: bytes) -> bytes:
    """Cases are written for version 1; only those about the version keep it."""
    return body.replace(b'"market_version":1', b'"market_version":3').replace(
        b"\xaemarket_version\x01", b"\xaemarket_version\x03"
    )


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_readable_bet_is_refused_by_its_id(desk: Desk, name: str) -> None:
    body, code = REFUSED[name]
    body = body if name.startswith("version-") else at_version_3(body)
    (entry,) = desk.bets(body)
    assert isinstance(entry, e.BetRejected), entry
    assert (entry.client_id, entry.bet_id, entry.code) == ("ann", "b1", code)
    assert entry.reason
    assert not desk.dead
    (again,) = desk.bets(body)
    assert isinstance(again, e.BetRepeated), "the same body: the same answer"
    assert (again.status, again.code) == ("rejected", code)
    goes_on(desk)


@pytest.mark.parametrize("name", sorted(DEAD))
def test_what_names_no_bet_is_dead_lettered_and_its_bettor_told(desk: Desk, name: str) -> None:
    body = DEAD[name]
    dead, refused = desk.bets(body)
    assert isinstance(dead, e.RecordDeadLettered)
    assert isinstance(refused, e.RequestRefused)
    assert refused.client_id == "ann"
    assert refused.code in set(Code)
    assert refused.code == dead.code
    (letter,) = desk.dead
    assert (letter.topic, letter.offset, letter.key) == (BETS, 0, EVENT.encode())
    assert letter.value == body[:DEAD_LETTER_VALUE_BYTES_MAX]
    assert letter.value_bytes == len(body)
    assert letter.code in set(Code)
    assert letter.reason
    goes_on(desk)


@pytest.mark.parametrize("name", sorted(DEAD))
@pytest.mark.parametrize("client_id", ["", "ann"])
@pytest.mark.parametrize("key", [EVENT.encode(), b"unknown", None, b"", b"\xff", b"x" * 600])
def test_the_same_without_identity_or_with_another_key(
    desk: Desk, name: str, client_id: str, key: bytes | None
) -> None:
    entries = desk.bets(DEAD[name], client_id, key)
    assert isinstance(entries[0], e.RecordDeadLettered)
    assert len(desk.dead) == 1
    assert len(entries) == (2 if client_id else 1)
    goes_on(desk)


@pytest.mark.parametrize("client_id", ["", "ann"])
@pytest.mark.parametrize("key", [None, b"", b"\xff\xfe", b"x" * 600, "ä".encode() * 129])
def test_a_good_bet_in_a_record_without_a_usable_key(
    desk: Desk, client_id: str, key: bytes | None
) -> None:
    entries = desk.bets(bet(market_version=3), client_id, key)
    assert isinstance(entries[0], e.RecordDeadLettered)
    assert entries[0].code == Code.EVENT_KEY_MISMATCH
    assert len(entries) == (2 if client_id else 1)
    goes_on(desk)


def test_a_key_that_does_not_match_the_event(desk: Desk) -> None:
    (elsewhere,) = desk.bets(bet(market_version=3), key=b"other")
    assert isinstance(elsewhere, e.BetRejected)
    assert elsewhere.code == Code.EVENT_KEY_MISMATCH
    (unknown,) = desk.bets(bet(event_id="other"), key=b"other")
    assert isinstance(unknown, e.BetConflict)
    (unknown,) = desk.bets(bet("b2", event_id="other"), key=b"other")
    assert isinstance(unknown, e.BetRejected)
    assert unknown.code == Code.INVALID_EVENT_ID
    goes_on(desk)


def test_a_replayed_id_with_another_body_be_it_readable_or_not(desk: Desk) -> None:
    assert isinstance(desk.bet(market_version=3), e.BetAccepted)
    for body in (bet(stake_minor=7, market_version=3), bet(stake_minor=-7, market_version=3)):
        (entry,) = desk.bets(body)
        assert isinstance(entry, e.BetConflict)
    goes_on(desk)


def test_extra_fields_are_no_fault(desk: Desk) -> None:
    (entry,) = desk.bets(bet(market_version=3, extra={"deep": [[[1]]]}, note="x" * 10_000))
    assert isinstance(entry, e.BetAccepted)
    goes_on(desk)


@pytest.mark.parametrize("status", ["SUSPENDED", "CLOSED", "INACTIVE"])
def test_a_market_that_takes_no_bets(desk: Desk, status: str) -> None:
    desk.operate_market("market_status", status=status)
    entry = desk.bet(market_version=4)
    assert isinstance(entry, e.BetRejected)
    assert entry.code in (Code.MARKET_SUSPENDED, Code.MARKET_NOT_OPEN_FOR_BETTING)
    desk.check()


BAD_OPERATIONS: dict[str, bytes] = {
    **{name: body for name, body in DEAD.items() if not name.startswith(("bet-id", "cancel"))},
    "winners-text": JSON(
        {"type": "result", "event_id": EVENT, "market_id": MARKET, "winners": ["1"]}
    ),
    "winners-negative": JSON(
        {"type": "result", "event_id": EVENT, "market_id": MARKET, "winners": [-1]}
    ),
    "prices-nan": MSGPACK(
        {"type": "prices", "event_id": EVENT, "market_id": MARKET, "prices": [[1, math.nan]]}
    ),
    "prices-uneven": JSON(
        {"type": "prices", "event_id": EVENT, "market_id": MARKET, "prices": [[1]]}
    ),
    "prices-none": JSON({"type": "prices", "event_id": EVENT, "market_id": MARKET, "prices": []}),
    "status-unknown": JSON(
        {"type": "market_status", "event_id": EVENT, "market_id": MARKET, "status": "AJAR"}
    ),
    "time-negative": JSON({"type": "event_opened", "event_id": EVENT, "at_ms": -1}),
    "time-10^30": JSON({"type": "event_opened", "event_id": EVENT, "at_ms": "@@"}).replace(
        b'"@@"', b"1" + b"0" * 30
    ),
    "name-2-MiB": JSON({"type": "event_opened", "event_id": EVENT, "name": "x" * 2 * MIB}),
}


@pytest.mark.parametrize("name", sorted(BAD_OPERATIONS))
@pytest.mark.parametrize("key", [EVENT.encode(), b"unknown", None, b"\xff"])
def test_an_operation_that_cannot_be_read(desk: Desk, name: str, key: bytes | None) -> None:
    (entry,) = desk.send(EVENTS, key, BAD_OPERATIONS[name])
    assert isinstance(entry, e.RecordDeadLettered)
    (letter,) = desk.dead
    assert (letter.topic, letter.offset, letter.key) == (EVENTS, 4, key or b"")
    goes_on(desk)


def test_a_tombstone_on_either_topic(desk: Desk) -> None:
    (bets,) = desk.send(BETS, EVENT.encode(), None)
    (events,) = desk.send(EVENTS, EVENT.encode(), None)
    assert isinstance(bets, e.RecordDeadLettered)
    assert isinstance(events, e.RecordDeadLettered)
    goes_on(desk)


class TestResults:
    def code(self, entries: list[e.Entry]) -> str:
        (entry,) = entries
        assert isinstance(entry, e.OperationRefused)
        return entry.code

    def test_for_an_open_market(self, desk: Desk) -> None:
        result = desk.operate_market("result", winners=[1])
        assert self.code(result) == Code.MARKET_STILL_OPEN
        goes_on(desk)

    def test_twice(self, desk: Desk) -> None:
        desk.operate_market("market_status", status="SUSPENDED")
        assert isinstance(desk.operate_market("result", winners=[1])[-1], e.MarketSettled)
        for winners in ([1], [2], []):
            again = desk.operate_market("result", winners=winners)
            assert self.code(again) == Code.ALREADY_SETTLED
        desk.check()

    @pytest.mark.parametrize("winners", [[7], [1, 7], [2**53], []])
    def test_for_unknown_selections(self, desk: Desk, winners: list[int]) -> None:
        desk.operate_market("market_status", status="SUSPENDED")
        assert self.code(desk.operate_market("result", winners=winners)) == Code.INVALID_RESULT
        desk.check()

    def test_for_an_unknown_event_or_market(self, desk: Desk) -> None:
        unknown = desk.operate("result", "other", market_id=MARKET, winners=[1])
        assert self.code(unknown) == Code.INVALID_EVENT_ID
        unknown = desk.operate("result", market_id="1.9", winners=[1])
        assert self.code(unknown) == Code.INVALID_MARKET_ID
        goes_on(desk)
