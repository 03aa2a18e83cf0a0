"""The committed journal of a partition, read as it grows: what a standby folds.

A standby has no right to write, so it fences nobody: it reads what is committed. When it is
promoted, the owner's way to Kafka fences first, and `rest` then reads to the end that stands.
"""

import time
from collections.abc import Iterator
from typing import Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from pipelines.errors import BrokerError
from pipelines.kafka.client_config import kafka_address
from pipelines.kafka.ends import bounds_of
from pipelines.settings import Settings
from pipelines.topics import JOURNAL

__all__ = ["KafkaJournalTail"]

_EOF: Final = KafkaError._PARTITION_EOF  # noqa: SLF001 - librdkafka names its own codes so

RECORDS_MAX: Final = 5_000
BOUNDS_TIMEOUT_S: Final = 15.0
SILENCE_MAX_S: Final = 30.0
REST_WAIT_S: Final = 0.05


class KafkaJournalTail:
    """Port `JournalTail` on confluent-kafka, used by one thread."""

    def __init__(self, settings: Settings, partition: int) -> None:
        self._partition = partition
        self._reached = 0  # offset after all that was read, control records too
        self._at_end = False  # it was once, so that "nothing waits" can be said of an empty one
        self._closed = False
        self._consumer = Consumer(
            {
                **kafka_address(settings.kafka_bootstrap_servers),
                "client.id": f"{settings.application}-standby-{partition}",
                "group.id": f"{settings.application}-restore",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.queue.backoff.ms": 5,
                "fetch.wait.max.ms": 50,
                "queued.min.messages": 50_000,
            }
        )

    def start(self, journal_next: int) -> None:
        self._reached = journal_next
        offset = journal_next or OFFSET_BEGINNING
        self._consumer.assign([TopicPartition(JOURNAL, self._partition, offset)])

    def reached(self) -> int:
        return self._reached

    def poll(self, timeout_s: float) -> list[bytes]:
        values: list[bytes] = []
        try:
            first = self._consumer.poll(timeout_s)
            messages = [] if first is None else [first, *self._consumer.consume(RECORDS_MAX, 0)]
        except KafkaException as failed:
            raise BrokerError(f"journal of partition {self._partition}: {failed}") from failed
        for message in messages:
            error = message.error()
            if error is None:
                self._reached = (message.offset() or 0) + 1
                value = message.value()
                if value is not None:
                    values.append(value)
            elif error.code() == _EOF:
                self._at_end = True
                self._reached = max(self._reached, message.offset() or 0)
            elif error.fatal():
                raise BrokerError(f"journal {self._partition}: {error}")
        return values

    def rest(self) -> Iterator[list[bytes]]:
        where = (JOURNAL, self._partition)
        end = bounds_of(self._consumer, *where, BOUNDS_TIMEOUT_S).end
        heard_s, reached = time.monotonic(), self._reached
        while self._reached < end:
            yield self.poll(REST_WAIT_S)
            now_s = time.monotonic()
            if self._reached != reached:
                heard_s, reached = now_s, self._reached
            elif now_s - heard_s > SILENCE_MAX_S:
                raise BrokerError(f"journal of partition {self._partition} fell silent")

    def behind(self) -> int | None:
        at = TopicPartition(JOURNAL, self._partition)
        ends = self._consumer.get_watermark_offsets(at, cached=True)
        if ends is None or ends[1] < 0:
            return 0 if self._at_end else None
        return max(0, int(ends[1]) - self._reached)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._consumer.close()
