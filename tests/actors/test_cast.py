"""The whole cast on a real Ray and a real Kafka: starts, decides, survives a kill, ends."""

import os
import signal
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer

from actors import launch
from pipelines.kafka.shard_log import CLIENT_ID_HEADER, KafkaShardLog
from pipelines.messages.entries import BetAccepted, JournalRecord
from pipelines.settings import Settings
from pipelines.topics import BETS, EVENTS, PARTITIONER

pytestmark = [pytest.mark.ray, pytest.mark.slow]

WAIT_S = 90.0


@pytest.fixture
def running(start_cast: Callable[[int], Settings]) -> Settings:
    """The cast on two partitions."""
    return start_cast(2)


def health_of(name: str) -> dict[str, Any]:
    actors = {a["name"]: a for a in launch.overview()["actors"]}
    found: dict[str, Any] = actors[name]
    return found


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, launch.overview()
        time.sleep(0.2)


def send(settings: Settings, topic: str, key: str, values: list[dict[str, Any]]) -> None:
    producer = Producer(
        {"bootstrap.servers": settings.kafka_bootstrap_servers, "partitioner": PARTITIONER}
    )
    for value in values:
        producer.produce(
            topic, msgspec.json.encode(value), key.encode(), headers={CLIENT_ID_HEADER: b"ann"}
        )
    assert producer.flush(30) == 0


def decided(settings: Settings) -> int:
    return sum(
        a["health"]["status"].get("bets_next", 0)
        for a in launch.overview()["actors"]
        if a["name"].startswith("shard") and a["health"]
    )


def test_the_cast_decides_and_a_killed_shard_comes_back_by_itself(running: Settings) -> None:
    settings = running
    events = [f"race-{n}" for n in range(8)]
    for event in events:
        market = {"market_id": "1", "engine": "pool", "selections": [{"selection_id": 1}]}
        opened = {"type": "event_opened", "event_id": event}
        with_market = {"type": "market_opened", "event_id": event, "market": market}
        send(settings, EVENTS, event, [opened, with_market])
    wait_for(
        lambda: (
            sum(
                a["health"]["status"].get("events", 0)
                for a in launch.overview()["actors"]
                if a["name"].startswith("shard") and a["health"]
            )
            == len(events)
        )
    )
    bet = {"type": "bet", "market_id": "1", "selection_id": 1, "stake_minor": 100}
    pid = health_of("shard-000")["health"]["pid"]
    for number, event in enumerate(events * 50):
        send_bet = bet | {"event_id": event, "bet_id": f"b{number}"}
        send(settings, BETS, event, [send_bet])
        if number == 200:
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: decided(settings) == 400)
    wait_for(lambda: health_of("shard-000")["restarts"] >= 1)
    assert health_of("shard-000")["health"]["pid"] != pid

    decode = msgspec.msgpack.Decoder(JournalRecord).decode
    hashes = launch.state_hashes(2)
    accepted: list[str] = []
    for partition in range(2):
        records = [decode(v) for v in KafkaShardLog(settings, partition).journal()]
        assert [r.shard_seq for r in records] == list(range(1, len(records) + 1))
        assert hashes[partition][0] == len(records)
        accepted += [r.entry.bet_id for r in records if isinstance(r.entry, BetAccepted)]
    assert sorted(accepted) == sorted({f"b{n}" for n in range(400)})

    url = f"http://127.0.0.1:{settings.metrics_port}/metrics"
    with urllib.request.urlopen(url, timeout=10) as response:
        text = response.read().decode()
    assert 'overround_actor_up{actor="shard-000"} 1.0' in text.replace("} 1\n", "} 1.0\n")
    assert "overround_bet_latency_seconds_bucket" in text
