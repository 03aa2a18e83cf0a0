"""The loop of a partition against a real broker: exactly once, restore, fencing."""

import threading
import time
from collections.abc import Callable, Sequence

import msgspec
import pytest
from confluent_kafka import Producer

from pipelines.clock import SystemClock
from pipelines.errors import FencedError
from pipelines.kafka.shard_log import CLIENT_ID_HEADER, KafkaShardLog
from pipelines.messages.entries import BetAccepted, JournalRecord
from pipelines.settings import Settings
from pipelines.shard.fold import fold
from pipelines.shard.hash import state_hash
from pipelines.shard_loop import ShardLoop
from pipelines.topics import BETS, EVENTS

WAIT_S = 60.0


class Counted:
    """Metrics that only remember."""

    def __init__(self) -> None:
        self.entries_restored = -1
        self.latencies: list[float] = []

    def answers(self, counts: dict[str, int]) -> None:
        pass

    def committed(
        self, inputs: int, journal_records: int, odds_images: int, duration_s: float
    ) -> None:
        assert journal_records >= inputs or inputs == 0

    def bet_latencies(self, seconds: Sequence[float]) -> None:
        self.latencies += seconds

    def restored(self, seconds: float, entries: int) -> None:
        self.entries_restored = entries


class Running:
    """A loop in a thread, and how it ended."""

    def __init__(self, settings: Settings, partition: int = 0) -> None:
        self.metrics = Counted()
        self.log = KafkaShardLog(settings, partition)
        self.loop = ShardLoop(partition, self.log, SystemClock(), settings, self.metrics)
        self.ended_with: BaseException | None = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.loop.run()
        except Exception as error:
            self.ended_with = error

    def wait(self, condition: Callable[[dict[str, object]], bool]) -> None:
        deadline = time.monotonic() + WAIT_S
        while not condition(self.loop.status()):
            assert time.monotonic() < deadline, self.loop.status()
            assert self.ended_with is None, self.ended_with
            time.sleep(0.01)

    def stop(self) -> None:
        self.loop.stop()
        self.thread.join(WAIT_S)
        assert not self.thread.is_alive()


def produce(bootstrap: str, bets: int, first: int = 0, opened: bool = False) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 5})
    if not opened:
        market = {
            "market_id": "1.1",
            "engine": "pool",
            "selections": [{"selection_id": s} for s in range(4)],
        }
        for value in (
            {"type": "event_opened", "event_id": "race", "name": "Race"},
            {"type": "market_opened", "event_id": "race", "market": market},
        ):
            producer.produce(EVENTS, msgspec.json.encode(value), b"race", 0)
        producer.flush(WAIT_S)
        time.sleep(0.2)  # the two topics are merged as they arrive; the market comes first
    for number in range(first, first + bets):
        body = {
            "type": "bet",
            "bet_id": f"b{number}",
            "event_id": "race",
            "market_id": "1.1",
            "selection_id": number % 4,
            "stake_minor": 100,
        }
        producer.produce(
            BETS,
            msgspec.json.encode(body),
            b"race",
            0,
            headers=[(CLIENT_ID_HEADER, b"ann")],
        )
    assert producer.flush(WAIT_S) == 0


@pytest.fixture
def settings(fresh_topics: Callable[[int], str]) -> Settings:
    return Settings(kafka_bootstrap_servers=fresh_topics(1))


def journal(settings: Settings) -> list[JournalRecord]:
    log = KafkaShardLog(settings, 0)
    decode = msgspec.msgpack.Decoder(JournalRecord).decode
    return [decode(value) for value in log.journal()]


def test_bets_are_decided_once_and_restored_from_the_journal(settings: Settings) -> None:
    first = Running(settings)
    try:
        first.wait(lambda s: s["state"] == "running")
        produce(settings.kafka_bootstrap_servers, 500)
        first.wait(lambda s: s["bets"] == 500)
        live = first.loop.state_hash()
    finally:
        first.stop()
    records = journal(settings)
    assert [r.shard_seq for r in records] == list(range(1, 503))
    assert sum(isinstance(r.entry, BetAccepted) for r in records) == 500
    folded = fold(0, (msgspec.msgpack.encode(r) for r in records))
    assert live == (folded.shard_seq, state_hash(folded))

    second = Running(settings)
    try:
        second.wait(lambda s: s["state"] == "running")
        assert second.metrics.entries_restored == 502
        assert second.loop.state_hash() == live
        produce(settings.kafka_bootstrap_servers, 100, first=450, opened=True)
        second.wait(lambda s: s["bets"] == 100)
    finally:
        second.stop()
    accepted = [r.entry.bet_id for r in journal(settings) if isinstance(r.entry, BetAccepted)]
    assert len(accepted) == len(set(accepted)) == 550


def test_the_older_of_two_owners_is_fenced_and_stops(settings: Settings) -> None:
    older = Running(settings)
    try:
        older.wait(lambda s: s["state"] == "running")
        produce(settings.kafka_bootstrap_servers, 50)
        older.wait(lambda s: s["bets"] == 50)
        newer = Running(settings)
        try:
            newer.wait(lambda s: s["state"] == "running")
            produce(settings.kafka_bootstrap_servers, 50, first=50, opened=True)
            newer.wait(lambda s: s["bets"] == 50)
            older.thread.join(WAIT_S)
            assert isinstance(older.ended_with, FencedError)
            assert older.loop.status()["state"] == "fenced"
        finally:
            newer.stop()
    finally:
        older.stop()
    records = journal(settings)
    assert [r.shard_seq for r in records] == list(range(1, 103))
    assert sum(isinstance(r.entry, BetAccepted) for r in records) == 100
