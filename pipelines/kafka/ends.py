"""Where a partition begins and ends, asked with patience: it may have no leader for a moment."""

import time
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaException, TopicPartition

from pipelines.errors import BrokerError

__all__ = ["Bounds", "bounds_of"]

LEADERLESS_WAIT_S: Final = 0.1


class Bounds(NamedTuple):
    """Offsets of a partition: `first` that is kept, `end` after the last."""

    first: int
    end: int


def bounds_of(consumer: Any, topic: str, partition: int, timeout_s: float) -> Bounds:
    """Ask Kafka now; the end is of committed records where the consumer reads such.

    A partition that was just made or has just moved has no leader for a moment, so the question is
    repeated until the time is over. Raises BrokerError then.
    """
    at = TopicPartition(topic, partition)
    deadline_s = time.monotonic() + timeout_s
    while True:
        try:
            first, end = consumer.get_watermark_offsets(at, timeout_s, cached=False)
        except KafkaException as error:
            if time.monotonic() > deadline_s:
                raise BrokerError(f"end of {topic}/{partition} unknown: {error}") from error
            time.sleep(LEADERLESS_WAIT_S)
        else:
            return Bounds(int(first), int(end))
