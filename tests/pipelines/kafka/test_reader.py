"""The committed reader and the notice log on a real broker."""

import time
from collections.abc import Callable

import pytest
from confluent_kafka import Producer

from pipelines.kafka.notice_log import KafkaNoticeLog
from pipelines.kafka.reader import CommittedReader, ReadRecord
from pipelines.messages.notices import Notice
from pipelines.topics import JOURNAL, ODDS


@pytest.fixture
def bootstrap_servers(fresh_topics: Callable[[int], str]) -> str:
    return fresh_topics(2)


def write(bootstrap_servers: str, values: list[bytes], commit: bool, number: int) -> None:
    """Write one transaction to odds/1 and journal/1."""
    producer = Producer(
        {"bootstrap.servers": bootstrap_servers, "transactional.id": f"reader-test-{number}"}
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    for topic in (ODDS, JOURNAL):
        for value in values:
            producer.produce(topic, key=b"race-1", value=value, partition=1)
    producer.flush(30)
    if commit:
        producer.commit_transaction(30)
    else:
        producer.abort_transaction(30)


def read(reader: CommittedReader, count: int, timeout_s: float = 20.0) -> list[ReadRecord]:
    deadline = time.monotonic() + timeout_s
    records: list[ReadRecord] = []
    while len(records) < count and time.monotonic() < deadline:
        records += reader.poll(100, 0.1)
    return records


def test_only_committed_records_from_the_committed_offset_on(bootstrap_servers: str) -> None:
    write(bootstrap_servers, [b"aborted"] * 3, commit=False, number=1)
    write(bootstrap_servers, [b"a", b"b", b"c"], commit=True, number=2)
    group_id = f"reader-test-{time.time_ns()}"
    reader = CommittedReader(bootstrap_servers, group_id, [ODDS, JOURNAL], [0, 1])
    try:
        reader.assign()
        records = read(reader, 6)
        for topic in (ODDS, JOURNAL):
            mine = [r for r in records if r.topic == topic]
            assert [r.value for r in mine] == [b"a", b"b", b"c"]
            assert {(r.partition, r.key) for r in mine} == {(1, b"race-1")}
            assert all(r.timestamp_ms > 0 for r in mine)
        assert reader.committed() == {}
        second = next(r.offset for r in records if r.topic == ODDS and r.value == b"b")
        reader.commit({(ODDS, 1): second})
        assert reader.committed() == {(ODDS, 1): second}
        assert reader.ends()[ODDS, 1] >= second + 2
        assert reader.known_ends()[ODDS, 1] >= second + 2
    finally:
        reader.close()
        reader.close()
    again = CommittedReader(bootstrap_servers, group_id, [ODDS], [1])
    try:
        again.assign()
        assert not again.caught_up(ODDS)
        assert [r.value for r in read(again, 2)] == [b"b", b"c"]
        read(again, 1, timeout_s=2.0)  # only the end is left, behind the transaction's marker
        assert again.caught_up(ODDS)
        again.pause(ODDS)
        write(bootstrap_servers, [b"d"], commit=True, number=2)
        assert again.poll(10, 0.5) == []
        again.resume(ODDS)
        assert [r.value for r in read(again, 1)] == [b"d"]
    finally:
        again.close()


def test_notices_are_kept_in_order_and_read_to_the_end(bootstrap_servers: str) -> None:
    log = KafkaNoticeLog(bootstrap_servers, "notices-test")
    try:
        assert list(log.read(0)) == []
        notices = [Notice("race-1", "win", f"b{n}", "win", 1, n, 50, 7) for n in range(300)]
        log.append(0, notices[:200])
        log.append(0, notices[200:])
        assert list(log.read(0)) == notices
        assert list(log.read(1)) == []
    finally:
        log.close()
