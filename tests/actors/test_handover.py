"""A new process has the one before end, and waits until it has: over real sockets."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from actors import handover
from actors.handover import Handover, end_holder

HOST = "127.0.0.1"
WAIT_S = 10.0
CHILD = """
import threading, time
from actors.handover import Handover
asked = threading.Event()
mine = Handover("127.0.0.1")
mine.on_asked(asked.set)
print(mine.claim, flush=True)
asked.wait(60)
time.sleep(0.3)
print("ended", flush=True)
mine.ended()
time.sleep(60)
"""


@pytest.fixture
def child() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that can be asked, and its claim."""
    process = subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
        process.stdout.close()
    finally:
        process.kill()
        process.wait(WAIT_S)


def test_the_one_before_ends_first(child: tuple[subprocess.Popen[str], str]) -> None:
    process, claim = child
    began_s = time.monotonic()
    assert end_holder(claim)
    assert time.monotonic() - began_s >= 0.3
    assert process.stdout is not None
    assert process.stdout.readline() == "ended\n"
    assert end_holder(claim), "nobody listens any more"


def test_a_dead_process_is_not_waited_for(child: tuple[subprocess.Popen[str], str]) -> None:
    process, claim = child
    process.kill()
    process.wait(WAIT_S)
    began_s = time.monotonic()
    assert end_holder(claim)
    assert time.monotonic() - began_s < 1.0


def test_one_that_dies_while_it_is_waited_for(child: tuple[subprocess.Popen[str], str]) -> None:
    process, claim = child
    os.kill(process.pid, signal.SIGSTOP)
    threading.Timer(0.3, process.kill).start()
    assert end_holder(claim)


def test_a_frozen_one_is_waited_for_in_bounds(
    child: tuple[subprocess.Popen[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    process, claim = child
    monkeypatch.setattr(handover, "END_WAIT_MAX_S", 0.3)
    os.kill(process.pid, signal.SIGSTOP)
    assert not end_holder(claim)
    os.kill(process.pid, signal.SIGCONT)
    assert process.stdout is not None
    assert process.stdout.readline() == "ended\n", "it was asked all the same"


def test_only_who_knows_the_secret_is_heard() -> None:
    asked = threading.Event()
    mine = Handover(HOST)
    mine.on_asked(asked.set)
    address, _, secret = mine.claim.partition("/")
    try:
        # Turned away at once, not waited for.
        assert end_holder(f"{address}/{secret[:-1]}x")
        assert not asked.is_set()
        with socket.create_connection((HOST, int(address.rpartition(":")[2])), WAIT_S) as silent:
            silent.settimeout(WAIT_S)
            assert silent.recv(1) == b""
        assert not asked.is_set()
        waiting = threading.Thread(target=end_holder, args=(mine.claim,))
        waiting.start()
        assert asked.wait(WAIT_S)
        assert mine.asked
    finally:
        mine.ended()
    waiting.join(WAIT_S)
    assert not waiting.is_alive()


def test_one_that_was_asked_before_it_listens_is_told_at_once() -> None:
    mine = Handover(HOST)
    waiting = threading.Thread(target=end_holder, args=(mine.claim,))
    waiting.start()
    deadline_s = time.monotonic() + WAIT_S
    while not mine.asked:
        assert time.monotonic() < deadline_s
        time.sleep(0.01)
    asked = threading.Event()
    mine.on_asked(asked.set)
    assert asked.is_set()
    mine.ended()
    waiting.join(WAIT_S)
    assert not waiting.is_alive()


@pytest.mark.parametrize("claim", ["", "nonsense", "127.0.0.1:no/secret", "127.0.0.1:1/"])
def test_a_claim_that_cannot_be_read_ends_nobody(claim: str) -> None:
    assert not end_holder(claim)
