"""A dry run gives what the engine gives, takes values as written, and refuses bad lines."""

import base64
from typing import Any

import msgspec
import pytest

from pipelines.dry_run import LINE_BYTES_MAX, DryRun
from pipelines.errors import CodecError
from pipelines.ports import Record
from pipelines.render import output_object
from pipelines.shard.engine import Engine
from pipelines.shard.hash import state_hash
from pipelines.shard.state import ShardState
from tests.pipelines.audit.topics import bet, day, operation

encode = msgspec.json.encode


def _line(record: Record) -> bytes:
    line: dict[str, Any] = {"topic": record.topic, "timestamp_ms": record.timestamp_ms}
    line |= {"client_id": record.client_id}
    if record.key is not None:
        line["key"] = record.key.decode()
    if record.value is not None:
        line["value"] = {"base64": base64.b64encode(record.value).decode()}
    return encode(line)


def test_a_whole_day_gives_what_the_engine_gives() -> None:
    inputs = [one for batch in day() for one in batch]
    run = DryRun()
    lines = [encode({"tick": one}) if isinstance(one, int) else _line(one) for one in inputs]
    printed = list(run.lines(lines))

    engine = Engine(ShardState(0))
    offsets = {"bets": 0, "events": 0}
    expected = []
    for one in inputs:
        if isinstance(one, int):
            engine.tick(one)
        else:
            engine.process(one._replace(offset=offsets[one.topic]))
            offsets[one.topic] += 1
        expected += [output_object(topic, value) for topic, _, value in engine.drain().outputs]
    assert printed == expected
    assert run.hash_object()["hash"] == state_hash(engine.state)
    assert {"journal", "odds", "dead-letters"} == {one["topic"] for one in printed}


def _types(objects: list[dict[str, Any]]) -> list[str]:
    return [one["type"] for one in objects]


def _opened(**market: Any) -> DryRun:
    run = DryRun()
    selections = [{"selection_id": s, "odds_e4": 20_000} for s in (1, 2, 3)]
    definition = {"market_id": "w", "selections": selections} | market
    run.line(_line(operation("event_opened")))
    run.line(_line(operation("market_opened", market=definition)))
    return run


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("1e30", "INVALID_BET_SIZE"),
        ("1" + "0" * 30, "INVALID_BET_SIZE"),
        ("100.0", "INVALID_BET_SIZE"),
        ("100.5", "INVALID_BET_SIZE"),
        ("100", None),
        ("-1", "INVALID_BET_SIZE"),
        ('"100"', "INVALID_BET_SIZE"),
        ("null", "INVALID_BET_SIZE"),
    ],
)
def test_an_object_is_taken_as_it_is_written(written: str, code: str | None) -> None:
    value = (bet(1).value or b"").replace(
        b'"stake_minor":100', b'"stake_minor":' + written.encode()
    )
    assert written.encode() in value
    line = b'{"topic":"bets","key":"race","client_id":"ann","value":' + value + b"}"
    found = _opened().line(line)
    if code is None:
        assert _types(found) == ["bet_accepted"]
    else:
        assert (found[0]["type"], found[0]["code"]) == ("bet_rejected", code)


def test_a_string_is_taken_as_text() -> None:
    line = encode({"topic": "bets", "key": "race", "client_id": "c1"})
    text = encode((bet(1).value or b"").decode())
    found = _opened().line(line[:-1] + b',"value":' + text + b"}")
    assert _types(found) == ["bet_accepted"]


@pytest.mark.parametrize("value", ["null", '"NaN"', '"{"', '""', "[]", "1", '{"base64":"/w=="}'])
def test_any_value_is_answered(value: str) -> None:
    line = '{"topic":"bets","key":"race","client_id":"ann","value":' + value + "}"
    found = _opened().line(line.encode())
    assert _types(found) == ["record_dead_lettered", "request_refused", "dead_letter"]
    assert found[0]["code"] == "INVALID_INPUT_DATA"


def test_a_value_nested_a_thousand_deep_is_the_engines_to_refuse() -> None:
    value = b"[" * 1_000 + b"]" * 1_000
    found = _opened().line(
        b'{"topic":"bets","key":"race","client_id":"ann","value":' + value + b"}"
    )
    assert _types(found) == ["record_dead_lettered", "request_refused", "dead_letter"]


def test_a_record_of_two_mebibytes_is_dead_lettered() -> None:
    body = encode("x" * 2 * 1_048_576)
    found = _opened().line(b'{"topic":"events","key":"race","value":' + body + b"}")
    assert _types(found) == ["record_dead_lettered", "dead_letter"]
    assert found[1]["value_bytes"] == 2 * 1_048_576
    assert len(found[1]["value"]) == 65_536


def test_offsets_count_in_each_topic_and_blank_lines_count_only_as_lines() -> None:
    run = DryRun()
    lines = [_line(operation("event_opened")), b"\n", _line(bet(1)), _line(bet(2))]
    found = list(run.lines(lines))
    assert [(one["bets_next"], one["events_next"]) for one in found] == [(0, 1), (1, 1), (2, 1)]


def test_until_idle_answers_what_waits_on_every_clock() -> None:
    run = _opened(in_play=True, bet_delay_ms=5_000)
    assert _types(run.line(_line(bet(1)))) == ["bet_pending"]
    market: dict[str, Any] = {"market_id": "w"}
    market |= {"selections": [{"selection_id": 1, "odds_e4": 20_000}]}
    market |= {"in_play": True, "bet_delay_ms": 700}
    head = {"topic": "events", "key": "feed"}
    opened = {"type": "event_opened", "event_id": "feed", "clock": "feed", "at_ms": 50}
    run.line(encode(head | {"value": opened}))
    opened = {"type": "market_opened", "event_id": "feed", "at_ms": 60}
    run.line(encode(head | {"value": opened | {"market": market}}))
    assert _types(run.line(_line(bet(1, event="feed")))) == ["bet_pending"]
    found = list(run.until_idle())
    assert [(one["type"], one["event_id"], one["at_ms"]) for one in found] == [
        ("bet_confirmed", "race", 7_000),
        ("bet_confirmed", "feed", 760),
    ]
    assert list(run.until_idle()) == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"{", "truncated"),
        (b"nonsense", "malformed"),
        (b'{"topic":"odds","value":{}}', "topic"),
        (b'{"value":{}}', "topic"),
        (b'{"topic":"bets","timestamp_ms":"soon","value":{}}', "timestamp_ms"),
        (b'{"topic":"bets","timestamp_ms":-1,"value":{}}', "timestamp_ms"),
        (b'{"topic":"bets","key":7,"value":{}}', "key"),
        (b'{"topic":"bets","value":{"base64":"*"}}', "base64"),
        (b'{"topic":"bets","value":NaN}', "NaN|invalid"),
        (b'{"tick":-5}', "tick"),
        (b'{"topic":"bets","key":"\xff","value":{}}', "utf-8"),
        (b" " * LINE_BYTES_MAX + b"{}", "longer"),
    ],
)
def test_a_bad_line_is_named(line: bytes, why: str) -> None:
    run = DryRun()
    with pytest.raises(CodecError, match=f"(?i)^line 2: .*({why})"):
        list(run.lines([_line(operation("event_opened")), line]))


def test_a_key_of_any_bytes_can_be_given() -> None:
    found = _opened().line(b'{"topic":"events","key":{"base64":"/w=="},"value":{}}')
    assert found[0]["type"] == "record_dead_lettered"
