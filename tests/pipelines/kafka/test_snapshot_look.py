"""What is known of snapshots without reading them, on a real broker."""

import time
from collections.abc import Callable

import pytest
from confluent_kafka import Producer

from pipelines.kafka.shard_log import KafkaShardLog
from pipelines.kafka.snapshot_look import KafkaJournalLook
from pipelines.kafka.snapshot_store import KafkaSnapshotStore
from pipelines.kafka.snapshot_writer import write_snapshot
from pipelines.settings import Settings
from pipelines.shard.fold import fold
from pipelines.shard.hash import state_hash
from pipelines.topics import SNAPSHOTS
from tests.pipelines.test_shard_loop import produce
from tests.pipelines.test_standby import copies

BETS = 50


@pytest.fixture
def settings(fresh_topics: Callable[[int], str]) -> Settings:
    return Settings(kafka_bootstrap_servers=fresh_topics(1))


def test_it_tells_the_newest_whole_snapshot_and_where_the_journal_ends(settings: Settings) -> None:
    look = KafkaJournalLook(settings)
    assert (look.kept(0), look.journal_end(0)) == (None, 0)
    assert write_snapshot(settings, 0, lambda: True) == (0, True), "an empty journal needs none"
    with copies(settings, True) as (owner,):
        for turn in range(3):
            produce(settings.kafka_bootstrap_servers, BETS, first=turn * BETS, opened=turn > 0)
            owner.wait(lambda s, n=turn: s.get("bets") == (n + 1) * BETS)  # type: ignore[misc]
            began_ms = int(1_000 * time.time())
            assert write_snapshot(settings, 0, lambda: True).saved
            kept = look.kept(0)
            assert kept is not None
            assert kept.journal_next == look.journal_end(0)
            assert began_ms - 1_000 <= kept.written_ms <= 1_000 * time.time() + 1_000
    assert not write_snapshot(settings, 0, lambda: False).saved
    assert look.kept(0) == kept, "one that was cut short is none"
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap_servers})
    producer.produce(SNAPSHOTS, b"of another program", b"", 0)
    assert producer.flush(30) == 0
    assert look.kept(0) == kept
    look.close()
    look.close()
    found = KafkaSnapshotStore(settings, 0).load()
    assert found is not None
    assert found.journal_next == kept.journal_next
    values = list(KafkaShardLog(settings, 0).journal())
    assert state_hash(found.state) == state_hash(fold(0, values))
