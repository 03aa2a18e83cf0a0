"""The publisher on a real broker that goes away and comes back."""

import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer

from deploy.local.broker import Broker
from deploy.local.topics import ensure_topics
from pipelines.clock import SystemClock
from pipelines.kafka.reader import CommittedReader
from pipelines.messages import entries as e
from pipelines.ports import Publication, Push, Taken
from pipelines.publisher.publisher import Publisher
from pipelines.settings import Settings
from pipelines.topics import JOURNAL, ODDS


class RecordingEdge:
    """Takes all, remembers all."""

    def __init__(self) -> None:
        self.taken: list[Publication] = []

    def publish(self, publications: Sequence[Publication]) -> list[Taken]:
        self.taken += publications
        return [Taken(0, False)] * len(publications)

    def push(self, pushes: Sequence[Push]) -> list[Taken]:
        raise AssertionError("the publisher does not push")

    def close(self) -> None:
        return


def write(bootstrap_servers: str, first: int, last: int) -> None:
    producer = Producer({"bootstrap.servers": bootstrap_servers, "transactional.id": "test-shard"})
    producer.init_transactions(30)
    producer.begin_transaction()
    for seq in range(first, last + 1):
        entry = e.BetCancelled("race-1", seq, "win", seq, "anna", f"b-{seq}")
        value = msgspec.msgpack.encode(e.JournalRecord(1, seq, 4_000, 1, 1, entry))
        producer.produce(JOURNAL, key=b"race-1", value=value, partition=0)
    producer.commit_transaction(30)


def wait_until(condition: Callable[[], bool], timeout_s: float = 30.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.mark.kafka
@pytest.mark.slow
@pytest.mark.timeout(60)
def test_receipts_go_on_after_the_broker_was_away(free_ports: Callable[[int], list[int]]) -> None:
    edge, stop = RecordingEdge(), threading.Event()
    with tempfile.TemporaryDirectory(prefix="overround-kafka-") as folder:
        port, controller_port = free_ports(2)
        broker = Broker(Path(folder), port, controller_port, heap_mib=256)
        reader: CommittedReader | None = None
        thread: threading.Thread | None = None
        try:
            broker.start()
            ensure_topics(broker.bootstrap_servers, 1, 1)
            reader = CommittedReader(broker.bootstrap_servers, "test", [ODDS, JOURNAL], [0])
            reader.assign()
            publisher = Publisher(reader, edge, SystemClock(), Settings(partitions=1))
            thread = threading.Thread(target=publisher.run, args=(stop, 0.02))
            thread.start()
            write(broker.bootstrap_servers, 1, 5)
            wait_until(lambda: len(edge.taken) == 5)
            wait_until(lambda: bool(publisher.status()["positions"]))
            broker.stop()
            time.sleep(0.5)
            assert thread.is_alive()
            broker.start()
            write(broker.bootstrap_servers, 6, 10)
            wait_until(lambda: len(edge.taken) == 10)
            assert [p.id for p in edge.taken] == [f"race-1:{seq}" for seq in range(1, 11)]
            stop.set()
            thread.join(20)
            # After the last record there is only the mark that ends its transaction.
            assert reader.committed() == {(JOURNAL, 0): reader.ends()[JOURNAL, 0] - 1}
            assert publisher.status()["lag"] == {f"{JOURNAL}/0": 1}
        finally:
            stop.set()
            if thread is not None:
                thread.join(20)
            if reader is not None:
                reader.close()
            broker.stop()
