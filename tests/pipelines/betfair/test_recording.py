"""Recordings are read whatever they are packed in, and a broken line is named."""

import bz2
import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.betfair.generator import recording
from pipelines.betfair.recording import RecordingError, read_lines, read_messages, scan
from pipelines.betfair.stream import StreamMessage

LINES = b"".join(recording(seed=3, markets=2, runners=4, updates=20))


@pytest.mark.parametrize("pack", [bytes, bz2.compress, gzip.compress], ids=["plain", "bz2", "gzip"])
def test_a_recording_reads_the_same_however_it_is_packed(
    pack: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    file = tmp_path / "recording"
    file.write_bytes(pack(LINES))
    assert list(read_messages(file)) == list(read_lines(LINES.splitlines(keepends=True)))
    assert len(list(read_messages(file))) == len(LINES.splitlines())


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"not json", "line 2 is no message"),
        (b'{"op":"mcm","pt":"soon","mc":[{"id":"1.1"}]}', "line 2 is no message"),
        (b'{"op":"mcm","pt":1,"mc":[{"rc":[]}]}', "line 2 is no message"),
        (b'{"pt":1}', "line 2 has no `op`"),
        (b'{"op":"mcm","mc":[{"id":"1.1"}]}', "line 2 has no publish time"),
        (b"[" * 100_000, "line 2 is no message"),
        (b"\xff\xfe", "line 2 is no message"),
    ],
)
def test_a_malformed_line_is_named(line: bytes, says: str) -> None:
    with pytest.raises(RecordingError, match=says):
        list(read_lines([b'{"op":"mcm","pt":1,"mc":[]}', line], "a file"))


def test_heartbeats_other_messages_and_unknown_fields_are_passed_over() -> None:
    lines = [
        b"",
        b'{"op":"connection","connectionId":"x"}',
        b'{"op":"mcm","pt":5,"ct":"HEARTBEAT","clk":"a"}',
        b'{"op":"ccm","pt":6,"cc":[{"eventId":"1"}]}',
        b'{"op":"mcm","pt":7,"later":{"a":[1]},"mc":[{"id":"1.1","new":true,"rc":['
        b'{"id":4,"ltp":2.0,"odd":null,"spb":[[1.01,2]],"spn":"NaN"}],"_stream_id":3}]}\r\n',
    ]
    [message] = read_lines(lines)
    assert isinstance(message, StreamMessage)
    assert (message.pt, message.mc[0].id, message.mc[0].rc[0].ltp) == (7, "1.1", 2.0)


def test_a_file_that_ends_in_the_middle_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "short.bz2"
    file.write_bytes(bz2.compress(LINES)[:-40])
    with pytest.raises(RecordingError, match="cannot be read"):
        list(read_messages(file))


def test_a_missing_file_and_one_without_markets_are_errors(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="cannot be read"):
        scan(tmp_path / "none.bz2")
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    with pytest.raises(RecordingError, match="no market changes"):
        scan(empty)


def test_the_scan_finds_times_markets_and_names_that_come_last(tmp_path: Path) -> None:
    def line(pt: int, **names: str) -> bytes:
        runner = {"id": 7, **({"name": names["runner"]} if names else {})}
        definition = {"runners": [runner], "eventName": names.get("event", "")}
        change = {"id": "1.1", "marketDefinition": definition}
        return json.dumps({"op": "mcm", "pt": pt, "mc": [change]}).encode()

    file = tmp_path / "recording"
    file.write_bytes(line(10) + b"\n" + line(30, runner="Comet", event="Dunmere"))
    contents = scan(file)
    assert contents[:4] == (2, 10, 30, ("1.1",))
    assert contents.names.runners == {("1.1", 7): "Comet"}
    assert contents.names.events == {"1.1": "Dunmere"}
