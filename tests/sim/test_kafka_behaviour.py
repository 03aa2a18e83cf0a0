"""What the simulated Kafka claims, asked of it and of a real broker in the same words."""

import time
from collections.abc import Callable, Iterator
from typing import Protocol

import pytest
from confluent_kafka import Producer

from pipelines.errors import FencedError
from pipelines.kafka.reader import CommittedReader
from pipelines.kafka.shard_log import KafkaShardLog
from pipelines.ports import Positions, Record, ShardLog
from pipelines.settings import Settings
from pipelines.topics import BETS, EVENTS, JOURNAL, ODDS
from tests.sim.clock import Time
from tests.sim.faults import Faults, Odds
from tests.sim.kafka import SimulatedKafka, SimulatedReader, SimulatedShardLog

WAIT_S = 20.0
NO_FAULTS = Odds(0, 0, 0, 0, 0, 0, 0, 0)


class Reader(Protocol):
    """What is asked of a committed reader."""

    def poll(self, records_max: int, timeout_s: float) -> list[object]: ...


class Kafka(Protocol):
    """One broker, simulated or real, with one partition."""

    def owner(self) -> ShardLog: ...
    def reader(self, topic: str) -> Reader: ...
    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None: ...


class Simulated:
    """The one in memory."""

    def __init__(self) -> None:
        self._kafka = SimulatedKafka(Time(), 1)
        self._faults = Faults(1, NO_FAULTS, lambda line: None)

    def owner(self) -> SimulatedShardLog:
        return SimulatedShardLog(self._kafka, 0, self._faults)

    def reader(self, topic: str) -> SimulatedReader:
        return SimulatedReader(self._kafka, f"group-{topic}", (topic,), (0,), self._faults)

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        self._kafka.append(topic, 0, key, value)

    def close(self) -> None:
        return None


class Real:
    """The broker of this test run."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._settings = Settings(kafka_bootstrap_servers=bootstrap_servers, partitions=1)
        self._opened: list[KafkaShardLog | CommittedReader] = []

    def owner(self) -> KafkaShardLog:
        log = KafkaShardLog(self._settings, 0)
        self._opened.append(log)
        return log

    def reader(self, topic: str) -> CommittedReader:
        servers = self._settings.kafka_bootstrap_servers
        reader = CommittedReader(servers, f"group-{topic}", (topic,), (0,))
        reader.assign()
        self._opened.append(reader)
        return reader

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        producer = Producer({"bootstrap.servers": self._settings.kafka_bootstrap_servers})
        producer.produce(topic, value, key, partition=0)
        assert producer.flush(WAIT_S) == 0

    def close(self) -> None:
        for one in self._opened:
            one.close()


@pytest.fixture(params=["simulated", "real"])
def kafka(request: pytest.FixtureRequest) -> Iterator[Kafka]:
    """Both kinds, one after the other, without any record."""
    if request.param == "simulated":
        yield Simulated()
        return
    fresh: Callable[[int], str] = request.getfixturevalue("fresh_topics")
    made = Real(fresh(1))
    yield made
    made.close()


def take(log: ShardLog, count: int) -> list[Record]:
    """Poll until so many records came."""
    found: list[Record] = []
    deadline = time.monotonic() + WAIT_S
    while len(found) < count and time.monotonic() < deadline:
        found += log.poll(100, 0.1)
    return found


def values(reader: Reader, count: int) -> list[tuple[int, bytes]]:
    """Offsets and values of the next committed records; waits a little for one too many."""
    found: list[tuple[int, bytes]] = []
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        got = reader.poll(100, 0.2)
        found += [(record.offset, record.value) for record in got]  # type: ignore[attr-defined]
        if len(found) >= count and not got:
            break
    return found


def started(kafka: Kafka) -> tuple[ShardLog, list[bytes]]:
    """An owner that has fenced, folded and been assigned; and the journal it found."""
    log = kafka.owner()
    log.fence()
    journal = list(log.journal())
    log.assign(Positions())
    return log, journal


def test_what_is_committed_is_read_in_order_with_a_control_record_after(kafka: Kafka) -> None:
    log, journal = started(kafka)
    assert journal == []
    log.commit([(JOURNAL, b"k", b"1"), (ODDS, b"k", b"o1"), (JOURNAL, b"k", b"2")], Positions())
    log.commit([(JOURNAL, b"k", b"3")], Positions())
    # Offsets 0, 1, then the control record of the first transaction at 2.
    assert values(kafka.reader(JOURNAL), 3) == [(0, b"1"), (1, b"2"), (3, b"3")]
    assert values(kafka.reader(ODDS), 1) == [(0, b"o1")]


def test_an_owner_reads_the_inputs_from_where_it_is_assigned(kafka: Kafka) -> None:
    for number in range(3):
        kafka.send(BETS, b"e", b"b%d" % number)
        kafka.send(EVENTS, None, b"o%d" % number)
    log = kafka.owner()
    log.fence()
    assert list(log.journal()) == []
    log.assign(Positions(1, 2))
    found = sorted((r.topic, r.offset, r.key, r.value) for r in take(log, 3))
    assert found == [
        (BETS, 1, b"e", b"b1"),
        (BETS, 2, b"e", b"b2"),
        (EVENTS, 2, None, b"o2"),
    ]


def test_a_newer_owner_fences_the_older_and_finds_what_it_committed(kafka: Kafka) -> None:
    old, _ = started(kafka)
    old.commit([(JOURNAL, b"k", b"old")], Positions())
    new, journal = started(kafka)
    assert journal == [b"old"]
    with pytest.raises(FencedError):
        old.commit([(JOURNAL, b"k", b"late")], Positions())
    new.commit([(JOURNAL, b"k", b"new")], Positions())
    assert [value for _, value in values(kafka.reader(JOURNAL), 2)] == [b"old", b"new"]


def test_a_third_owner_finds_all_of_both(kafka: Kafka) -> None:
    for number in range(3):
        log, journal = started(kafka)
        assert journal == [b"%d" % n for n in range(number)]
        log.commit([(JOURNAL, b"k", b"%d" % number)], Positions())
        log.close()


def test_a_reader_goes_on_where_its_group_committed(kafka: Kafka) -> None:
    log, _ = started(kafka)
    log.commit([(JOURNAL, b"k", b"%d" % number) for number in range(4)], Positions())
    first = kafka.reader(JOURNAL)
    assert len(values(first, 4)) == 4
    first.commit({(JOURNAL, 0): 2})  # type: ignore[attr-defined]
    first.close()  # type: ignore[attr-defined]
    assert values(kafka.reader(JOURNAL), 2) == [(2, b"2"), (3, b"3")]
