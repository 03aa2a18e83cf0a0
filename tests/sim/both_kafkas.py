"""The simulated broker and the real one behind the same words, for `test_kafka_behaviour.py`."""

import time
from collections.abc import Collection, Mapping
from typing import Protocol

from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from pipelines.kafka.journal_tail import KafkaJournalTail
from pipelines.kafka.reader import CommittedReader
from pipelines.kafka.shard_log import KafkaShardLog
from pipelines.kafka.snapshot_store import KafkaSnapshotStore
from pipelines.ports import JournalTail, ShardLog
from pipelines.settings import Settings
from pipelines.snapshots import SnapshotStore
from pipelines.topics import JOURNAL
from tests.sim.clock import Time
from tests.sim.faults import Faults, Odds
from tests.sim.kafka import TRANSACTION_TIMEOUT_MS, SimulatedKafka
from tests.sim.logs import SimulatedShardLog, SimulatedSnapshots, SimulatedTail
from tests.sim.readers import SimulatedReader

__all__ = ["WAIT_S", "Kafka", "Reader", "Real", "Simulated"]

WAIT_S = 20.0
TIMED_OUT_WITHIN_S = 30.0  # the broker looks for such transactions every ten seconds


class Reader(Protocol):
    """What is asked of a committed reader."""

    lost: dict[str, int]

    def poll(self, records_max: int, timeout_s: float) -> list[object]: ...
    def commit(self, positions: Mapping[tuple[str, int], int]) -> None: ...
    def committed(self) -> dict[tuple[str, int], int]: ...
    def claims(self) -> set[str]: ...
    def claim(self, besides: Collection[str] = ()) -> None: ...


class Kafka(Protocol):
    """One broker, simulated or real, with one partition."""

    def owner(self) -> ShardLog: ...
    def reader(self, topic: str, claim: str = "") -> Reader: ...
    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None: ...
    def tail(self) -> JournalTail: ...
    def snapshots(self) -> SnapshotStore: ...
    def hang(self, value: bytes) -> None:
        """Write a journal record in a transaction of the shard's id, and leave it open."""

    def delete_before(self, topic: str, offset: int) -> None: ...
    def let_transactions_time_out(self) -> None: ...


class Simulated:
    """The one in memory."""

    def __init__(self) -> None:
        self._time = Time()
        self._kafka = SimulatedKafka(self._time, 1)
        self._faults = Faults(1, Odds.none(), lambda line: None)

    def owner(self) -> SimulatedShardLog:
        return SimulatedShardLog(self._kafka, 0, self._faults)

    def reader(self, topic: str, claim: str = "") -> SimulatedReader:
        reader = SimulatedReader(self._kafka, f"group-{topic}", (topic,), (0,), self._faults, claim)
        reader.assign()
        return reader

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        self._kafka.append(topic, 0, key, value)

    def tail(self) -> SimulatedTail:
        return SimulatedTail(self._kafka, 0, self._faults)

    def snapshots(self) -> SimulatedSnapshots:
        return SimulatedSnapshots(self._kafka, 0, self._faults)

    def hang(self, value: bytes) -> None:
        epoch = self._kafka.init_transactions("overround-0")
        self._kafka.write("overround-0", epoch, 0, [(JOURNAL, b"k", value)])

    def delete_before(self, topic: str, offset: int) -> None:
        self._kafka.delete_before(topic, 0, offset)

    def let_transactions_time_out(self) -> None:
        self._time.now_ms += TRANSACTION_TIMEOUT_MS + 1
        self._kafka.tick()

    def close(self) -> None:
        return None


class Real:
    """The broker of this test run."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._settings = Settings(
            kafka_bootstrap_servers=bootstrap_servers, partitions=1, transaction_timeout_ms=1_000
        )
        self._opened: list[KafkaShardLog | CommittedReader | KafkaJournalTail] = []
        self._hanging: list[Producer] = []

    def owner(self) -> KafkaShardLog:
        log = KafkaShardLog(self._settings, 0)
        self._opened.append(log)
        return log

    def reader(self, topic: str, claim: str = "") -> CommittedReader:
        servers = self._settings.kafka_bootstrap_servers
        reader = CommittedReader(servers, f"group-{topic}", (topic,), (0,), claim)
        reader.assign()
        self._opened.append(reader)
        return reader

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        producer = Producer({"bootstrap.servers": self._settings.kafka_bootstrap_servers})
        producer.produce(topic, value, key, partition=0)
        assert producer.flush(WAIT_S) == 0

    def tail(self) -> KafkaJournalTail:
        tail = KafkaJournalTail(self._settings, 0)
        self._opened.append(tail)
        return tail

    def snapshots(self) -> KafkaSnapshotStore:
        return KafkaSnapshotStore(self._settings, 0)

    def hang(self, value: bytes) -> None:
        producer = Producer(
            {
                "bootstrap.servers": self._settings.kafka_bootstrap_servers,
                "transactional.id": "overround-0",
                "transaction.timeout.ms": self._settings.transaction_timeout_ms,
            }
        )
        producer.init_transactions(WAIT_S)
        producer.begin_transaction()
        producer.produce(JOURNAL, value, b"k", partition=0)
        assert producer.flush(WAIT_S) == 0
        self._hanging.append(producer)

    def delete_before(self, topic: str, offset: int) -> None:
        admin = AdminClient({"bootstrap.servers": self._settings.kafka_bootstrap_servers})
        (done,) = admin.delete_records([TopicPartition(topic, 0, offset)]).values()
        done.result(WAIT_S)

    def let_transactions_time_out(self) -> None:
        reader = self.reader(JOURNAL)
        end = reader.ends()[JOURNAL, 0]
        deadline = time.monotonic() + TIMED_OUT_WITHIN_S
        while reader.ends()[JOURNAL, 0] == end:
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def close(self) -> None:
        for one in self._opened:
            one.close()
