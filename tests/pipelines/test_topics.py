"""The partitioner: equal to Java's, and to what a real producer of librdkafka picks."""

from collections.abc import Callable

import pytest
from confluent_kafka import Message, Producer
from hypothesis import given
from hypothesis import strategies as st

from pipelines.topics import BETS, CO_PARTITIONED, PARTITIONER, murmur2, partition_of

# From Apache Kafka's own test of Utils.murmur2, as Java prints them: signed.
JAVA = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}
PARTITIONS = 7


@pytest.mark.parametrize(("text", "signed"), JAVA.items())
def test_murmur2_is_javas(text: str, signed: int) -> None:
    assert murmur2(text.encode()) == signed & 0xFFFFFFFF


@given(key=st.binary(max_size=64), partitions=st.integers(1, 1_000))
def test_a_partition_is_one_of_those_there_are(key: bytes, partitions: int) -> None:
    assert 0 <= partition_of(key, partitions) < partitions


def test_a_real_producer_picks_the_same(fresh_topics: Callable[[int], str]) -> None:
    producer = Producer(
        {"bootstrap.servers": fresh_topics(PARTITIONS), "partitioner": PARTITIONER, "linger.ms": 20}
    )
    keys = [text.encode() for text in JAVA] + [b"x" * n for n in range(1, 20)]
    keys += [f"event-{n}".encode() for n in range(200)] + ["Rennen-ä-漢字".encode()]
    picked: dict[bytes, int] = {}

    def delivered(error: object, message: Message) -> None:
        assert error is None
        key, partition = message.key(), message.partition()
        assert isinstance(key, bytes)
        assert partition is not None
        picked[key] = partition

    for key in keys:
        producer.produce(BETS, b"", key, on_delivery=delivered)
    assert producer.flush(30) == 0
    assert picked == {key: partition_of(key, PARTITIONS) for key in keys}
    assert len(set(picked.values())) == PARTITIONS


def test_topics_are_named_once_each() -> None:
    assert len(set(CO_PARTITIONED)) == len(CO_PARTITIONED) == 8
