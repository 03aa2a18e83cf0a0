"""Generated recordings: the same seed gives the same bytes, and they are what a market does."""

import bz2
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.replay.generate import SHIPPED, SHIPPED_MAKING, generate_command
from pipelines.betfair.generator import compressed, recording
from pipelines.betfair.made_up_names import fixture, horse
from pipelines.betfair.recording import RecordingError, read_lines
from pipelines.books.ladder import LADDERS


def _messages(seed: int, markets: int, runners: int, updates: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in recording(seed, markets, runners, updates)]


def _definitions(messages: list[dict[str, Any]], market_id: str) -> Iterator[dict[str, Any]]:
    for message in messages:
        for change in message["mc"]:
            if change["id"] == market_id and "marketDefinition" in change:
                yield change["marketDefinition"]


def test_the_shipped_recording_is_what_the_generator_makes() -> None:
    made = b"".join(compressed(recording(**SHIPPED_MAKING)))
    assert made == SHIPPED.read_bytes()
    assert len(made) < 50_000


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    first = b"".join(recording(7, 3, 5, 30))
    assert first == b"".join(recording(7, 3, 5, 30))
    assert first != b"".join(recording(8, 3, 5, 30))


@settings(max_examples=30)
@given(st.integers(0, 2**40), st.integers(1, 7), st.integers(2, 24), st.integers(1, 60))
def test_every_recording_is_well_formed(
    seed: int, markets: int, runners: int, updates: int
) -> None:
    lines = list(recording(seed, markets, runners, updates))
    messages = list(read_lines(lines))
    assert len(messages) == len(lines)
    assert [m.pt for m in messages] == sorted(m.pt for m in messages)
    ids = {change.id for message in messages for change in message.mc}
    assert len(ids) == markets
    valid = LADDERS["CLASSIC"].valid
    for message in messages:
        for change in message.mc:
            for runner in change.rc:
                levels = [level for level in runner.atb + runner.atl if level[1] > 0]
                assert all(round(price * 10_000) in valid for price, _ in levels)
    raw = [json.loads(line) for line in lines]
    for market_id in ids:
        *_, before, last = _definitions(raw, market_id)
        assert (before["status"], last["status"]) == ("SUSPENDED", "CLOSED")
        statuses = [runner["status"] for runner in last["runners"]]
        assert statuses.count("WINNER") == last["numberOfWinners"]
        assert set(statuses) <= {"WINNER", "LOSER", "REMOVED"}


def test_a_recording_shows_everything_that_can_happen_to_a_market() -> None:
    messages = _messages(**SHIPPED_MAKING)
    win, place, match = sorted({c["id"] for m in messages for c in m["mc"]})
    for market_id, in_play_suspensions in ((win, 1), (place, 1), (match, 3)):
        definitions = list(_definitions(messages, market_id))
        in_play = [d for d in definitions if d["inPlay"]]
        assert in_play
        assert all(d["betDelay"] > 0 for d in in_play)
        assert sum(d["status"] == "SUSPENDED" for d in in_play) == in_play_suspensions
    removed = [r for r in definitions_last(messages, win)["runners"] if r["status"] == "REMOVED"]
    assert len(removed) == 1


def definitions_last(messages: list[dict[str, Any]], market_id: str) -> dict[str, Any]:
    *_, last = _definitions(messages, market_id)
    return last


def test_the_command_writes_plain_and_compressed_files(tmp_path: Any) -> None:
    plain, packed = tmp_path / "a" / "one.jsonl", tmp_path / "one.bz2"
    assert generate_command(plain, 5, 1, 4, 10) == 0
    assert generate_command(packed, 5, 1, 4, 10) == 0
    assert bz2.decompress(packed.read_bytes()) == plain.read_bytes()


@pytest.mark.parametrize(("markets", "runners", "updates"), [(0, 8, 1), (1, 1, 1), (1, 8, 0)])
def test_what_cannot_be_generated_is_refused(
    tmp_path: Any, markets: int, runners: int, updates: int
) -> None:
    with pytest.raises(RecordingError, match="cannot generate"):
        generate_command(tmp_path / "x.bz2", 1, markets, runners, updates)
    assert not (tmp_path / "x.bz2").exists()


def test_names_differ() -> None:
    assert len({horse(n) for n in range(380)}) == 380
    assert all(len(set(fixture(n))) == 2 for n in range(200))
