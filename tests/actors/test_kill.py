"""Kill -9 of a shard amid 100,000 bets: it comes back by itself, and the audit holds."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from actors import launch
from deploy.audit import run_audit
from pipelines.kafka.shard_log import CLIENT_ID_HEADER
from pipelines.settings import Settings
from pipelines.topics import BETS, EVENTS, PARTITIONER

pytestmark = [pytest.mark.ray, pytest.mark.slow]

BETS_SENT = 100_000
EVENTS_OPEN = 20
WAIT_S = 120.0


@pytest.fixture
def running(start_cast: Callable[[int], Settings]) -> Settings:
    """The cast on one partition."""
    return start_cast(1)


def shard() -> dict[str, Any]:
    (found,) = (a for a in launch.overview()["actors"] if a["name"] == "shard-000")
    return dict(found)


def decided() -> int:
    health = shard()["health"]
    return int(health["status"].get("bets_next", 0)) if health else 0


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, launch.overview()
        time.sleep(0.1)


def test_a_shard_killed_amid_its_bets_loses_and_doubles_none(running: Settings) -> None:
    producer = Producer(
        {
            "bootstrap.servers": running.kafka_bootstrap_servers,
            "partitioner": PARTITIONER,
            "enable.idempotence": True,
            "queue.buffering.max.messages": 2 * BETS_SENT,
        }
    )
    market = {
        "market_id": "win",
        "engine": "pool",
        "takeout_e4": 1_500,
        "selections": [{"selection_id": n} for n in range(1, 9)],
    }
    for n in range(EVENTS_OPEN):
        event = f"race-{n}"
        for value in (
            {"type": "event_opened", "event_id": event},
            {"type": "market_opened", "event_id": event, "market": market},
        ):
            producer.produce(EVENTS, msgspec.json.encode(value), event.encode())
    assert producer.flush(30) == 0
    wait_until(lambda: int(shard()["health"]["status"].get("markets", 0)) == EVENTS_OPEN)

    for n in range(BETS_SENT):
        event = f"race-{n % EVENTS_OPEN}"
        bet = {
            "type": "bet",
            "bet_id": f"b{n}",
            "event_id": event,
            "market_id": "win",
            "selection_id": n % 8 + 1,
            "stake_minor": 100 + n % 7,
        }
        headers = {CLIENT_ID_HEADER: b"bettor-%d" % (n % 500)}
        producer.produce(BETS, msgspec.json.encode(bet), event.encode(), headers=headers)
        if n % 5_000 == 0:
            producer.poll(0)
    before = shard()["health"]["pid"]
    wait_until(lambda: decided() > 0)
    at = decided()
    os.kill(before, signal.SIGKILL)
    assert at < BETS_SENT, "the kill came too late to say anything"
    assert producer.flush(60) == 0

    wait_until(lambda: decided() == BETS_SENT)
    assert shard()["health"]["pid"] != before
    for n in range(EVENTS_OPEN):
        event = f"race-{n}"
        for value in (
            {"type": "market_status", "status": "CLOSED"},
            {"type": "result", "winners": [n % 8 + 1]},
        ):
            value |= {"event_id": event, "market_id": "win"}
            producer.produce(EVENTS, msgspec.json.encode(value), event.encode())
    assert producer.flush(30) == 0
    wait_until(lambda: int(shard()["health"]["status"].get("open_bets", -1)) == 0)

    report = run_audit(running, edge=False, complete=True, ask=launch.state_hashes)
    assert report.holds, report
    assert report.figures.bets == BETS_SENT
    assert report.figures.accepted == BETS_SENT
    assert report.figures.held_minor == 0
    by_name = {check.name: check.result for check in report.checks}
    assert by_name["state hash"] == "holds", by_name
