"""Bets at a steady rate from a thread, and when the journal says that they were decided."""

import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from pipelines.kafka.shard_log import CLIENT_ID_HEADER
from pipelines.topics import BETS, EVENTS, JOURNAL, PARTITIONER, partition_of

SELECTIONS = 8


def events_of(partition: int, partitions: int, count: int) -> list[str]:
    """So many event ids that live in a partition."""
    found: list[str] = []
    number = 0
    while len(found) < count:
        event_id = f"race-{number}"
        if partition_of(event_id.encode(), partitions) == partition:
            found.append(event_id)
        number += 1
    return found


class Load:
    """Opens events, then bets on them until stopped."""

    def __init__(self, bootstrap: str, partitions: int, events: int, rate: int) -> None:
        self.sent = 0
        self._events = [
            e for p in range(partitions) for e in events_of(p, partitions, events // partitions)
        ]
        self._rate = rate
        self._stop = threading.Event()
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "partitioner": PARTITIONER,
                "enable.idempotence": True,
                "linger.ms": 2,
                "log_level": 2,  # it waits through faults, and need not tell of each try
            }
        )
        market = {
            "market_id": "win",
            "engine": "pool",
            "selections": [{"selection_id": n} for n in range(SELECTIONS)],
        }
        for event in self._events:
            self._send(EVENTS, event, {"type": "event_opened"})
            self._send(EVENTS, event, {"type": "market_opened", "market": market})
        assert self._producer.flush(30) == 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Let the bets flow."""
        self._thread.start()

    def _run(self) -> None:
        began_s = time.monotonic()
        first = self.sent
        while not self._stop.is_set():
            due = first + int((time.monotonic() - began_s) * self._rate)
            while self.sent < due:
                self.bet()
            self._producer.poll(0)
            time.sleep(0.002)

    def bet(self) -> None:
        """Send one bet."""
        number = self.sent
        body = {
            "type": "bet",
            "bet_id": f"b{number}",
            "market_id": "win",
            "selection_id": number % SELECTIONS,
            "stake_minor": 100 + number % 7,
        }
        headers = {CLIENT_ID_HEADER: b"bettor-%d" % (number % 500)}
        self._send(BETS, self._events[number % len(self._events)], body, headers)
        self.sent += 1

    def _send(
        self, topic: str, event: str, body: dict[str, Any], headers: dict[str, bytes] | None = None
    ) -> None:
        value = msgspec.json.encode(body | {"event_id": event})
        while True:
            try:
                self._producer.produce(topic, value, event.encode(), headers=headers)
                return
            except BufferError:
                self._producer.poll(0.1)

    def stop(self) -> int:
        """End it; return how many bets were sent."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10)
        assert self._producer.flush(30) == 0
        return self.sent


class Gap:
    """The longest time without a new committed journal record of a partition, in seconds."""

    def __init__(self, bootstrap: str, partition: int) -> None:
        self.longest_s = 0.0
        self._began = threading.Event()
        self._stop = threading.Event()
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "group.id": "gap",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 5,
                "fetch.queue.backoff.ms": 5,
            }
        )
        end = self._consumer.get_watermark_offsets(TopicPartition(JOURNAL, partition), 10)[1]
        self._consumer.assign([TopicPartition(JOURNAL, partition, end)])
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._began.wait(30), "nothing is decided: there is no gap to measure"

    def _run(self) -> None:
        seen_s = None
        while not self._stop.is_set():
            messages = self._consumer.consume(10_000, 0.005)
            now_s = time.monotonic()
            if any(m.error() is None for m in messages):
                if seen_s is not None:
                    self.longest_s = max(self.longest_s, now_s - seen_s)
                seen_s = now_s
                self._began.set()

    def stop(self) -> float:
        """End it; return the longest gap."""
        self._stop.set()
        self._thread.join(10)
        self._consumer.close()
        return self.longest_s


def wait_until(condition: Callable[[], bool], timeout_s: float, what: Callable[[], object]) -> None:
    """Wait for a condition; fail with what is there instead."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s, what()
        time.sleep(0.1)
