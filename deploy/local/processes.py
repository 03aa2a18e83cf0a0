"""One child process of the local stack: started, watched and ended without leftovers.

The child has a process group of its own, so that Ctrl-C in the terminal reaches only the stack,
which then stops its parts in order; and it is killed by the kernel when the stack is (Linux).
"""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pipelines.errors import StackError

__all__ = ["Child", "log_tail"]

logger = logging.getLogger(__name__)

LAUNCHER: Final = Path(__file__).with_name("exec_bound.py")
LOG_BYTES_MAX: Final = 16 * 1_048_576
TERM_WAIT_S: Final = 10.0
KILL_WAIT_S: Final = 5.0


class Child:
    """A program run as a child; use as a context manager, or call start and stop.

    Start it from a thread that lives as long as the child should: Linux counts the end of the
    thread that started it as the death of the parent.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log_file: Path,
        environment: Mapping[str, str] | None = None,
        working_dir: Path | None = None,
    ) -> None:
        self.name = name
        self.log_file = log_file
        self._command = [str(part) for part in command]
        self._environment = dict(environment) if environment is not None else None
        self._working_dir = working_dir
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the program. Raises StackError when it runs already or cannot be started."""
        if self.alive:
            raise StackError(f"{self.name} runs already, pid {self.pid}")
        if threading.current_thread() is not threading.main_thread():
            logger.debug("child is bound to a thread name=%s", self.name)
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        # Appended to, so that the log of a crash outlives the restart; begun anew when too long.
        too_long = self.log_file.exists() and self.log_file.stat().st_size > LOG_BYTES_MAX
        bound = [sys.executable, "-IS", str(LAUNCHER), str(os.getpid())]
        try:
            with self.log_file.open("wb" if too_long else "ab") as log:
                self._process = subprocess.Popen(
                    bound + self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self._environment,
                    cwd=self._working_dir,
                    process_group=0,
                )
        except OSError as error:
            raise StackError(f"{self.name} could not be started: {error}") from error
        logger.info("child started name=%s pid=%d", self.name, self._process.pid)

    @property
    def pid(self) -> int | None:
        """Process id; None before the start and after the stop."""
        return self._process.pid if self._process is not None else None

    @property
    def alive(self) -> bool:
        """Whether the program runs now."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Exit code, negative for a signal; None while it runs or before the start."""
        return self._process.poll() if self._process is not None else None

    def wait(self, timeout_s: float) -> bool:
        """Wait for the program to end by itself; False when it still runs."""
        if self._process is None:
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        return not self.alive

    def stop(self, term_wait_s: float = TERM_WAIT_S) -> None:
        """End the program and its group: TERM, wait, then KILL. Does nothing when it is gone."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            self._signal(signal.SIGTERM)
            if not self.wait(term_wait_s):
                logger.warning("child did not stop, killing it name=%s", self.name)
        # Also when the program has ended: what it started itself may still be in its group.
        self._signal(signal.SIGKILL)
        if not self.wait(KILL_WAIT_S):
            raise StackError(f"{self.name}, pid {process.pid}, could not be killed")
        logger.info("child stopped name=%s exit_code=%s", self.name, process.returncode)
        self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def __enter__(self) -> "Child":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def log_tail(log_file: Path, lines: int = 20) -> str:
    """The last lines of a log, for an error message; at most 16 KiB are read."""
    try:
        with log_file.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - 16_384))
            return "\n".join(stream.read().decode(errors="replace").splitlines()[-lines:])
    except OSError as error:
        return f"({log_file} cannot be read: {error})"
