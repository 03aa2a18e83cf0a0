"""The unmodified Ably SDK for JavaScript, in Node, against the edge; in both formats."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.edge_process import ROOT, RunningEdge

SCRIPT = Path(__file__).with_name("sdk_conversation.cjs")
VENDOR = ROOT / "deploy" / "pages" / "static" / "vendor"
NODE = Path(sys.executable).with_name("node")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["msgpack", "json"])
def test_the_sdk_gets_what_it_expects(sandbox: RunningEdge, form: str) -> None:
    if not NODE.exists() or not (VENDOR / "ably.min.js").exists():
        pytest.skip("Node and the pages' scripts are fetched by `make setup`")
    command = [str(NODE), str(SCRIPT), str(sandbox.port), form, str(VENDOR)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    lines = run.stdout.splitlines()
    wrong = [line for line in lines if line.startswith("FAIL")]
    assert not wrong, "\n".join(wrong)
    assert lines[-1:] == ["done"], run.stdout + run.stderr
    assert sum(line.startswith("ok ") for line in lines) >= 20
