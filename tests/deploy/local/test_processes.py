"""Children of the stack: they end when told, when they refuse, and when the stack is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from deploy.local.processes import Child, log_tail
from pipelines.errors import StackError


def _wait_until(condition: Callable[[], bool], timeout_s: float = 10) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _python(code: str, log_file: Path, name: str = "child") -> Child:
    return Child(name, [sys.executable, "-c", code], log_file)


def test_it_runs_in_a_group_of_its_own_and_logs_to_its_file(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "child.log"
    code = "import time; print('hello', flush=True); time.sleep(600)"
    with _python(code, log) as child:
        assert child.pid is not None
        assert child.alive
        assert child.exit_code is None
        assert os.getpgid(child.pid) == child.pid != os.getpgid(0)
        assert _wait_until(lambda: "hello" in log_tail(log))
        with pytest.raises(StackError, match="runs already"):
            child.start()
        pid = child.pid
    assert not psutil.pid_exists(pid)
    assert not child.alive
    child.stop()


def test_one_that_ignores_term_is_killed_with_what_it_started(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    code = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "grandchild = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(grandchild.pid, flush=True); time.sleep(600)"
    )
    child = _python(code, log)
    child.start()
    assert _wait_until(lambda: log_tail(log).strip().isdigit())
    grandchild = int(log_tail(log))
    child.stop(term_wait_s=0.3)
    assert _wait_until(lambda: not _runs(grandchild))


def test_it_dies_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    script = (
        "import sys, time; from pathlib import Path; from deploy.local.processes import Child\n"
        f"child = Child('x', ['sleep', '600'], Path({str(log)!r}))\n"
        "child.start(); print(child.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as up:
        try:
            assert up.stdout is not None
            pid = int(up.stdout.readline())
            assert _runs(pid)
        finally:
            up.send_signal(signal.SIGKILL)
    assert _wait_until(lambda: not _runs(pid))


def test_its_end_and_exit_code_are_seen(tmp_path: Path) -> None:
    child = _python("raise SystemExit(7)", tmp_path / "child.log")
    child.start()
    assert child.wait(10)
    assert (child.alive, child.exit_code) == (False, 7)
    child.stop()


def test_a_program_that_does_not_exist_is_told_in_the_log(tmp_path: Path) -> None:
    child = Child("nothing", ["/nonexistent/program"], tmp_path / "child.log")
    with child:
        assert child.wait(10)
        assert child.exit_code == 1
    assert "/nonexistent/program cannot be run" in log_tail(child.log_file)


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
