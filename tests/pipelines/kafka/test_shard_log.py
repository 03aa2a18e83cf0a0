"""The owner of a partition on a real broker: what a fence means to it."""

import time
from collections.abc import Callable, Iterator

import pytest

from pipelines.errors import BrokerError, FencedError
from pipelines.kafka.shard_log import KafkaShardLog
from pipelines.kafka.topic_reader import TopicReader
from pipelines.ports import Output, Positions
from pipelines.settings import Settings
from pipelines.topics import JOURNAL

TIMED_OUT_WITHIN_S = 30.0


class Slow(list[Output]):
    """Outputs of which the second comes only when the condition holds."""

    def __init__(self, outputs: list[Output], condition: Callable[[], bool]) -> None:
        super().__init__(outputs)
        self._condition = condition

    def __iter__(self) -> Iterator[Output]:
        first, *others = list.__iter__(self)
        yield first
        deadline_s = time.monotonic() + TIMED_OUT_WITHIN_S
        while not self._condition():
            assert time.monotonic() < deadline_s, "it did not come to that"
            time.sleep(0.1)
        yield from others


@pytest.fixture
def settings(fresh_topics: Callable[[int], str]) -> Settings:
    return Settings(
        kafka_bootstrap_servers=fresh_topics(1), partitions=1, transaction_timeout_ms=1_000
    )


@pytest.fixture
def owner(settings: Settings) -> Iterator[KafkaShardLog]:
    made = KafkaShardLog(settings, 0)
    made.fence()
    yield made
    made.close()


OUTPUTS: list[Output] = [(JOURNAL, b"k", b"1"), (JOURNAL, b"k", b"2")]


def journal_end(settings: Settings) -> int:
    reader = TopicReader(settings.kafka_bootstrap_servers, JOURNAL)
    try:
        return reader.bounds(0).end
    finally:
        reader.close()


def test_a_transaction_that_lasted_too_long_says_nothing_of_a_newer_owner(
    settings: Settings, owner: KafkaShardLog
) -> None:
    """The broker fences it, but it may come back at once."""
    # 1: the record is written; 2: the broker has aborted the transaction.
    outputs = Slow(OUTPUTS, lambda: journal_end(settings) == 2)
    with pytest.raises(BrokerError, match=r"was open for \d+\.\d s"):
        owner.commit(outputs, Positions())
    again = KafkaShardLog(settings, 0)
    try:
        again.fence()
        again.commit(OUTPUTS, Positions())
        assert list(again.journal()) == [b"1", b"2"]
    finally:
        again.close()


def test_a_newer_owner_is_told_from_that(settings: Settings, owner: KafkaShardLog) -> None:
    owner.commit(OUTPUTS, Positions())
    newer = KafkaShardLog(settings, 0)
    try:
        newer.fence()
        with pytest.raises(FencedError):
            owner.commit(OUTPUTS, Positions())
    finally:
        newer.close()
