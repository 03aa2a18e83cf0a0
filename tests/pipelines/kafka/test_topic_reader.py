"""A topic read within bounds on a real broker, by one who takes its time."""

import time
from collections.abc import Callable

import pytest
from confluent_kafka import Producer

from pipelines.kafka import topic_reader
from pipelines.kafka.topic_reader import TopicReader
from pipelines.topics import ODDS

pytestmark = pytest.mark.kafka


def test_whoever_takes_long_over_a_record_hears_no_silence(
    fresh_topics: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap_servers = fresh_topics(1)
    producer = Producer({"bootstrap.servers": bootstrap_servers})
    values = [b"a", b"b", b"c"]
    for value in values:
        producer.produce(ODDS, key=b"race-1", value=value, partition=0)
    assert not producer.flush(30)
    # Each record in a chunk of its own, so that the end is behind the last that is slow.
    monkeypatch.setattr(topic_reader, "CHUNK_RECORDS", 1)
    monkeypatch.setattr(topic_reader, "SILENCE_MAX_S", 2.0)
    reader = TopicReader(bootstrap_servers, ODDS)
    found = []
    try:
        for record in reader.read(0, reader.bounds(0)):
            found.append(record.value)
            time.sleep(2.5)
    finally:
        reader.close()
    assert found == values
