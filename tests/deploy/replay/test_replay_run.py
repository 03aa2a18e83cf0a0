"""`overround replay` refuses what cannot be replayed before it starts anything."""

from pathlib import Path
from typing import Any

import pytest

from deploy.replay_run import replay_run
from pipelines.betfair.recording import RecordingError
from pipelines.errors import SettingsError
from pipelines.settings import Settings
from tests.pipelines.betfair.recordings import SHIPPED


def _replay(tmp_path: Path, **changed: Any) -> int:
    arguments: dict[str, Any] = {
        "settings": Settings(data_dir=str(tmp_path)),
        "recordings": [SHIPPED],
        "speed": 0.0,
        "seed": 1,
        "bettors": 2,
        "engine": "fixed",
        "run_id": "",
        "audit_after": False,
    }
    return replay_run(**(arguments | changed))


@pytest.mark.parametrize(
    "wrong",
    [
        {"speed": -1.0},
        {"speed": float("inf")},
        {"speed": float("nan")},
        {"bettors": 0},
        {"bettors": 10_000},
        {"engine": "exchange"},
        {"run_id": "a b"},
        {"run_id": "x" * 60},
    ],
    ids=str,
)
def test_wrong_arguments_are_named(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError, match="--" + next(iter(wrong)).replace("_", "-")):
        _replay(tmp_path, **wrong)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_recording_starts_nothing(tmp_path: Path) -> None:
    data_dir, file = tmp_path / "data", tmp_path / "notes.txt"
    file.write_text("hello\n")
    with pytest.raises(RecordingError, match=r"notes\.txt, line 1 is no message"):
        _replay(data_dir, recordings=[file])
    assert not data_dir.exists()
