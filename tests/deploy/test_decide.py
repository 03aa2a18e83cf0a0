"""`overround decide` as it is typed: files, standard input, exit codes, one line for an error."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.decide import decide_command

OPENED = '{"topic":"events","key":"r","value":{"type":"event_opened","event_id":"r"}}\n'


def test_a_file_is_decided_and_printed_line_by_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "input.jsonl"
    file.write_text(OPENED * 2)
    assert decide_command(str(file), until_idle=False, state_hash=True) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["type"] for one in printed] == [
        "event_was_opened",
        "operation_refused",
        "state_hash",
    ]
    assert len(printed[-1]["hash"]) == 32


def test_a_bad_line_ends_it_with_its_number_after_what_was_decided(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "input.jsonl"
    file.write_text(OPENED + '{"topic":"nowhere"}\n' + OPENED)
    assert decide_command(str(file), until_idle=False, state_hash=True) == 2
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 1
    assert printed.err.count("\n") == 1
    assert "line 2" in printed.err
    assert str(file) in printed.err


def test_a_file_that_is_not_there_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert decide_command(str(tmp_path / "none"), False, False) == 2
    assert "No such file" in capsys.readouterr().err


def test_the_command_reads_standard_input() -> None:
    command = [sys.executable, "-m", "deploy.cli", "decide", "-", "--until-idle", "--hash"]
    done = subprocess.run(command, input=OPENED, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line)["type"] for line in done.stdout.splitlines()] == [
        "event_was_opened",
        "state_hash",
    ]


def test_a_reader_that_has_seen_enough_ends_it_quietly(tmp_path: Path) -> None:
    file = tmp_path / "input.jsonl"
    file.write_text(OPENED * 20_000)
    with subprocess.Popen(
        [sys.executable, "-m", "deploy.cli", "decide", str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0
