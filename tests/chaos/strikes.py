"""Faults that strike a running system, each as a function of it."""

import os
import random
import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.chaos.watch import actors, children, images, kill, pid_of
from tests.system.conftest import Running

Strike = Callable[[Running], None]

PHASE_KILLS = 10
KILLS = int(os.environ.get("KILLS", "100"))
PARTS = ("shard-000", "shard-001", "shard-002", "publisher", "notifier", "supervisor")
BREATH_S = (0.2, 3.0)


def busiest_shard(running: Running) -> dict[str, Any]:
    """The shard that has read the most bets."""
    shards = [a for a in actors(running) if a["name"].startswith("shard") and a["health"]]
    return max(shards, key=lambda a: int(a["health"]["status"]["bets_next"]))


def kill_shard(running: Running) -> None:
    kill(busiest_shard(running)["health"]["pid"])


def kill_publisher(running: Running) -> None:
    kill(pid_of(running, "publisher"))


def kill_notifier(running: Running) -> None:
    kill(pid_of(running, "notifier"))


def kill_supervisor(running: Running) -> None:
    (pid,) = children(running, "ray::Supervisor")
    kill(pid)


def kill_metrics(running: Running) -> None:
    """The scrape target goes too, so the gap is that of what is seen, not of the odds."""
    kill(pid_of(running, "metrics"))


def kill_edge(running: Running) -> None:
    (pid,) = children(running, "-m deploy.edge")
    kill(pid)


def kill_broker(running: Running) -> None:
    (pid,) = children(running, "kafka.Kafka")
    kill(pid)


def kill_all_shards(running: Running) -> None:
    for pid in children(running, "ray::BookShard"):
        kill(pid)


def kill_in_commits(running: Running) -> None:
    """Kill the same shard many times at random moments: a good part of them inside a commit.

    Under load a transaction is open for most of the time, so hardly a kill misses one.
    """
    where, last = random.Random(7), 0
    for _ in range(PHASE_KILLS):
        deadline_s = time.monotonic() + 60
        while (pid := pid_of(running, "shard-001")) == last:  # not heard of again yet
            assert time.monotonic() < deadline_s, "the shard did not come back"
        wait_for_bets(running)
        time.sleep(where.uniform(0.0, 0.25))
        kill(pid)
        last = pid


def kill_many(running: Running) -> None:
    """KILLS kills in a row, each of a random actor, before or after the last one is back."""
    where = random.Random(11)
    for number in range(KILLS):
        words = {
            "shard": "ray::BookShard",
            "publisher": "ray::Publisher",
            "notifier": "ray::Notifier",
            "supervisor": "ray::Supervisor",
        }[PARTS[where.randrange(len(PARTS))].partition("-")[0]]
        deadline_s = time.monotonic() + 60
        while not (found := children(running, words)):
            assert time.monotonic() < deadline_s, f"kill {number}: no process of {words}"
            time.sleep(0.1)
        try:
            kill(where.choice(found))
        except ProcessLookupError:
            continue  # it went between the look and the kill
        time.sleep(where.uniform(*BREATH_S))


def wait_for_bets(running: Running, timeout_s: float = 60.0) -> None:
    """Wait until new odds come."""
    before, deadline_s = images(running), time.monotonic() + timeout_s
    while (seen := images(running)) < 0 or seen == before:
        assert time.monotonic() < deadline_s, "no new odds"
        time.sleep(0.05)


def answers_per_second(running: Running, over_s: float) -> float:
    """Bets answered a second, as the scrape target counts them."""
    first, began_s = _answers(running), time.monotonic()
    time.sleep(over_s)
    return (_answers(running) - first) / (time.monotonic() - began_s)


def _answers(running: Running) -> float:
    port = running.environment["OVERROUND_METRICS_PORT"]
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    lines = [x for x in text.splitlines() if x.startswith("overround_answers_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)
