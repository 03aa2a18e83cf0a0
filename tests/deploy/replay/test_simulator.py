"""The simulator's rim: what a killed one left open is closed, bad arguments are refused."""

import json
from pathlib import Path

import pytest

from deploy.replay.simulator import left_open, main
from pipelines.messages.operations import MarketStatus, Result


def test_what_a_killed_simulator_left_open_is_closed_and_refunded(tmp_path: Path) -> None:
    file = tmp_path / "simulator.json"
    file.write_text(json.dumps({"open": [["e1", "m1"], ["e2", "m2"]]}))
    operations = left_open(file)
    assert [type(op) for op in operations] == [MarketStatus, Result] * 2
    assert [op.event_id for op in operations] == ["e1", "e1", "e2", "e2"]
    assert all(op.void for op in operations if isinstance(op, Result))


@pytest.mark.parametrize("content", ["", "no json", "[]", '{"open": 3}', '{"open": [1]}', "{}"])
def test_an_unreadable_status_file_closes_nothing(tmp_path: Path, content: str) -> None:
    file = tmp_path / "simulator.json"
    file.write_text(content)
    assert left_open(file) == []
    assert left_open(tmp_path / "none.json") == []


@pytest.mark.parametrize("wrong", [["--bettors", "0"], ["--rate", "-1"], ["--rate", "fast"]])
def test_bad_arguments_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    needed = ["--kafka", "127.0.0.1:1", "--edge-url", "http://127.0.0.1:1", "--status-file", "x"]
    with pytest.raises(SystemExit) as ended:
        main([*needed, *wrong])
    assert ended.value.code == 2
    assert wrong[0] in capsys.readouterr().err
