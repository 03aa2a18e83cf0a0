"""Kill, stop and cut the parts of a running system under load; afterwards the audit must hold.

`make chaos` strikes all faults; without CHAOS=all a short choice of them is struck. Printed for
each: how long no new odds came, what was lost, doubled or left unanswered, and whether each shard's
state is the fold of its journal. CHAOS_RATE is the load in bets/s, KILLS the length of the series.
"""

import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.chaos import strikes
from tests.chaos.conftest import IS_ALL, IS_LOADED, RATE, load_on
from tests.chaos.strikes import Strike, answers_per_second, busiest_shard, wait_for_bets
from tests.chaos.watch import audited, children, gap_after, kill
from tests.cluster.load import Load
from tests.system.conftest import Running, Start

pytestmark = [pytest.mark.kafka, pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(1_200)]

DRAIN_S = 20.0
FROZEN_S = 14.0  # a transaction may last 10 s


def freeze_shard(running: Running) -> None:
    """Stop a shard for longer than its transaction may last; then let it go on."""
    pid = busiest_shard(running)["health"]["pid"]
    os.kill(pid, signal.SIGSTOP)
    time.sleep(FROZEN_S)
    os.kill(pid, signal.SIGCONT)


@dataclass(frozen=True)
class Fault:
    """What is done, and whether a short run does it too."""

    name: str
    strike: Strike
    is_short: bool = False


FAULTS = (
    Fault("kill -9 of a shard", strikes.kill_shard, is_short=True),
    Fault("kill -9 of the publisher", strikes.kill_publisher),
    Fault("kill -9 of the notifier", strikes.kill_notifier),
    Fault("kill -9 of the supervisor", strikes.kill_supervisor),
    Fault("kill -9 of the metrics", strikes.kill_metrics),
    Fault("kill -9 of all shards", strikes.kill_all_shards),
    Fault(
        f"kill -9 of a shard {strikes.PHASE_KILLS} times, in its commits", strikes.kill_in_commits
    ),
    Fault("kill -9 of the edge", strikes.kill_edge, is_short=True),
    Fault("kill -9 of the broker", strikes.kill_broker),
    Fault("a shard frozen for longer than a transaction may last", freeze_shard),
    Fault(f"{strikes.KILLS} kills in a row", strikes.kill_many),
)
CHOSEN = [fault for fault in FAULTS if fault.is_short or IS_ALL]


@pytest.fixture(scope="module")
def running(loaded_environment: dict[str, str], start: Start) -> Running:
    """The system, with its simulator betting."""
    made = start()
    made.wait_for("bets/s")
    return made


@pytest.fixture(scope="module")
def load(running: Running) -> Iterator[Load | None]:
    """More load than the simulator's, and how much is really answered of both."""
    with load_on(running) as found:
        wait_for_bets(running)
        reached = answers_per_second(running, 5.0)
        print(f"\nload: {RATE} bets/s asked for, {reached:.0f} bets/s answered")
        yield found


@pytest.mark.parametrize("fault", CHOSEN, ids=lambda fault: fault.name)
def test_the_audit_holds_after(
    fault: Fault, running: Running, load: Load | None, capsys: pytest.CaptureFixture[str]
) -> None:
    gap = gap_after(running, fault.strike, IS_LOADED)
    report = audited(running)
    with capsys.disabled():
        print("\n" + report.line(fault.name, gap))
    assert not report.failed
    assert running.process.poll() is None


@pytest.mark.skipif(not IS_ALL, reason="make chaos does it")
def test_every_bet_has_its_answer_when_all_is_drained(
    running: Running, load: Load | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the bettors held still, nothing may be left open, of all that the faults struck."""
    if load is not None:
        sent = load.stop()
    (simulator,) = children(running, "deploy.replay.simulator")
    os.kill(simulator, signal.SIGSTOP)
    try:
        time.sleep(DRAIN_S)
        report = audited(running, "--complete")
    finally:
        os.kill(simulator, signal.SIGCONT)
    with capsys.disabled():
        print("\n" + report.line("drained, every input answered"))
    assert not report.failed
    if load is not None:
        assert report.report["figures"]["bets"] >= sent


@pytest.mark.skipif(not IS_ALL, reason="make chaos does it")
def test_all_of_it_is_killed_and_started_again(
    running: Running, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command itself is killed, and with it every part; the same data are started again."""
    family = psutil.Process(running.process.pid).children(recursive=True)
    folders = {Path(part) for part in _ray_folders(running)}
    began_s = time.monotonic()
    kill(running.process.pid)
    running.process.wait(10)
    _, alive = psutil.wait_procs(family, timeout=20)
    again = start()
    again.wait_for("bets/s")
    wait_for_bets(again)
    away_s = time.monotonic() - began_s
    report = audited(again)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)  # what a killed Ray leaves behind
    with capsys.disabled():
        print("\n" + report.line(f"kill -9 of `overround run`, bets again after {away_s:.0f} s"))
    assert not report.failed
    # Ray's agents look for their parent now and then only.
    _, alive = psutil.wait_procs(alive, timeout=60)
    assert not alive, "everything that it started went with it"


def _ray_folders(running: Running) -> set[str]:
    """Temporary folders that Ray was started in."""
    found = set()
    for pid in children(running, "--session-dir"):
        for word in psutil.Process(pid).cmdline():
            if "/session_" in word:
                found.add("/" + word.partition("/")[2].partition("/session_")[0])
    return found
