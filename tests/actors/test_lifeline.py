"""The end of a process is heard at once, and only once."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from actors.lifeline import Lifelines

HOST = "127.0.0.1"
CHILD = """
import time
from actors.lifeline import Lifeline
line = Lifeline("127.0.0.1")
print(line.address[1], flush=True)
time.sleep(60)
"""


@pytest.fixture
def child() -> Iterator[tuple[int, int]]:
    """A process with a lifeline: its pid and port."""
    process = subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline())
        process.stdout.close()
    finally:
        process.kill()
        process.wait(10)


def test_a_killed_process_is_heard_of_at_once_and_once(child: tuple[int, int]) -> None:
    pid, port = child
    lost: list[str] = []
    heard = threading.Event()

    def on_lost(name: str) -> None:
        lost.append(name)
        heard.set()

    lines = Lifelines(on_lost)
    try:
        lines.want({"shard-000": (HOST, port)})
        time.sleep(0.5)
        assert not lost
        os.kill(pid, signal.SIGKILL)
        assert heard.wait(10)
        time.sleep(1.5)  # it is tried again, and refused
        assert lost == ["shard-000"]
    finally:
        lines.stop()


def test_nobody_is_said_to_have_ended_who_is_no_longer_watched(child: tuple[int, int]) -> None:
    pid, port = child
    lost: list[str] = []
    lines = Lifelines(lost.append)
    try:
        lines.want({"shard-000": (HOST, port)})
        time.sleep(0.5)
        lines.want({})
        time.sleep(0.5)
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.5)
        assert not lost
    finally:
        lines.stop()
