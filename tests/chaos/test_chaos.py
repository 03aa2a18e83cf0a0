"""Kill, stop and cut the parts of a running system under load; afterwards the audit must hold.

`make chaos` strikes all faults; without CHAOS=all a short choice of them is struck. Printed for
each: how long no new odds came, and what the audit says.
"""

import json
import os
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
import pytest

from tests.system.conftest import Running, Start

pytestmark = [pytest.mark.kafka, pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

BETS_PER_SECOND = 100
RECOVERY_S = 120.0
IMAGES = re.compile(r"^overround_odds_images_total\{.*?\} (\S+)$", re.MULTILINE)
ANSWERS = re.compile(r"^overround_answers_total\{.*?\} (\S+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def running(environment: dict[str, str], start: Start) -> Running:
    """The system under more load than `make run` gives it."""
    environment["OVERROUND_BETS_PER_SECOND"] = str(BETS_PER_SECOND)
    made = start()
    made.wait_for("bets/s")
    return made


def pid_of(running: Running, name: str) -> int:
    """Process of an actor."""
    shown = json.loads(running.overround("status", "--json").stdout)
    (pid,) = [a["health"]["pid"] for a in shown["actors"] if a["name"] == name]
    return int(pid)


def child_of(running: Running, words: str) -> int:
    """Process of a part that is no actor, found among those that the system started."""
    family = psutil.Process(running.process.pid).children(recursive=True)
    (found,) = [p.pid for p in family if words in " ".join(p.cmdline())]
    return found


def busiest_shard(running: Running) -> str:
    shown = json.loads(running.overround("status", "--json").stdout)
    shards = [a for a in shown["actors"] if a["name"].startswith("shard")]
    return str(max(shards, key=lambda a: a["health"]["status"]["bets_next"])["name"])


def kill_shard(running: Running) -> None:
    os.kill(pid_of(running, busiest_shard(running)), signal.SIGKILL)


def kill_publisher(running: Running) -> None:
    os.kill(pid_of(running, "publisher"), signal.SIGKILL)


def kill_notifier(running: Running) -> None:
    os.kill(pid_of(running, "notifier"), signal.SIGKILL)


def kill_edge(running: Running) -> None:
    os.kill(child_of(running, "-m deploy.edge"), signal.SIGKILL)


def kill_broker(running: Running) -> None:
    os.kill(child_of(running, "kafka.Kafka"), signal.SIGKILL)


def freeze_shard(running: Running) -> None:
    """Stop a shard for longer than its transaction may last; then let it go on."""
    pid = pid_of(running, busiest_shard(running))
    os.kill(pid, signal.SIGSTOP)
    time.sleep(14)
    os.kill(pid, signal.SIGCONT)


def kill_all_shards(running: Running) -> None:
    for partition in range(3):
        os.kill(pid_of(running, f"shard-{partition:03d}"), signal.SIGKILL)


@dataclass(frozen=True)
class Fault:
    """What is done, and whether a short run does it too."""

    name: str
    strike: Callable[[Running], None]
    is_short: bool = False


FAULTS = [
    Fault("kill -9 of a shard", kill_shard, is_short=True),
    Fault("kill -9 of the publisher", kill_publisher),
    Fault("kill -9 of the notifier", kill_notifier),
    Fault("kill -9 of all shards", kill_all_shards),
    Fault("kill -9 of the edge", kill_edge, is_short=True),
    Fault("kill -9 of the broker", kill_broker),
    Fault("a shard frozen for longer than a transaction may last", freeze_shard),
]
CHOSEN = [fault for fault in FAULTS if fault.is_short or os.environ.get("CHAOS") == "all"]


def look(running: Running) -> tuple[float, float]:
    """Odds images and answers so far, as the scrape target counts them; -1 where it is away."""
    port = running.environment["OVERROUND_METRICS_PORT"]
    try:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text
    except httpx.HTTPError:
        return -1, -1
    return sum(map(float, IMAGES.findall(text))), sum(map(float, ANSWERS.findall(text)))


def gap_after(running: Running, strike: Callable[[Running], None]) -> float:
    """Strike; return the longest time in which no new odds were committed (seconds)."""
    images, _ = look(running)
    strike(running)
    moved_s = struck_s = time.monotonic()
    longest_s, moves = 0.0, 0
    while moves < 8:
        now_s = time.monotonic()
        assert now_s - struck_s < RECOVERY_S, "no new odds"
        seen, _ = look(running)
        if seen >= 0 and seen != images:
            # Counters begin anew in a new process: any change is progress.
            longest_s = max(longest_s, now_s - moved_s)
            images, moved_s, moves = seen, now_s, moves + 1
        time.sleep(0.1)
    return longest_s


def audited(running: Running) -> dict[str, Any]:
    """The audit's report; asked again where a part was still on its way back."""
    for _ in range(3):
        done = running.overround("audit", "--edge", "--json")
        if done.returncode == 0:
            break
        time.sleep(5)
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize("fault", CHOSEN, ids=lambda fault: fault.name)
def test_the_audit_holds_after(
    fault: Fault, running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    gap_s = gap_after(running, fault.strike)
    report = audited(running)
    failed = [check for check in report["checks"] if check["failures"]]
    with capsys.disabled():
        verdict = "the audit holds" if not failed else f"FAILS {failed}"
        print(f"\n{fault.name}: {gap_s:.1f} s without new odds, {verdict}")
    assert not failed
    assert running.process.poll() is None
