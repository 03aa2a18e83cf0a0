"""Reads whole partitions from their start, committed records only: the first hop of the audit.

No consumer group is joined and nothing is committed, so reading leaves no trace. Memory is that of
one fetch queue, however long the topic is.
"""

import logging
import time
from collections.abc import Iterator
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from pipelines.errors import BrokerError
from pipelines.kafka.client_config import kafka_address
from pipelines.kafka.ends import Bounds, bounds_of
from pipelines.kafka.shard_log import CLIENT_ID_HEADER
from pipelines.ports import Record

__all__ = ["TopicReader"]

logger = logging.getLogger(__name__)

REQUEST_TIMEOUT_S: Final = 10.0
SILENCE_MAX_S: Final = 30.0
OPEN_TRANSACTION_MAX_S: Final = 30.0
CHUNK_RECORDS: Final = 2_000
QUEUED_KIB_MAX: Final = 8_192


#: The records were deleted while they were read.
_LOST: Final = frozenset(
    {
        KafkaError._AUTO_OFFSET_RESET,  # noqa: SLF001 - librdkafka names its own codes so
        KafkaError.OFFSET_OUT_OF_RANGE,
    }
)


class TopicReader:
    """A reader of one topic, partition after partition; used by one thread."""

    def __init__(self, bootstrap_servers: str, topic: str) -> None:
        self.topic = topic
        common: dict[str, Any] = {
            **kafka_address(bootstrap_servers),
            "group.id": "overround-audit",  # a name is required; nothing is joined or committed
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "allow.auto.create.topics": False,
            "fetch.queue.backoff.ms": 5,
            "fetch.wait.max.ms": 50,
            "queued.max.messages.kbytes": QUEUED_KIB_MAX,
            "error_cb": lambda error: logger.debug("kafka reader topic=%s error=%s", topic, error),
        }
        self._turn: object = None  # whose read was the last
        self._committed = Consumer(common | {"isolation.level": "read_committed"}, logger=logger)
        self._all = Consumer(common | {"isolation.level": "read_uncommitted"}, logger=logger)

    def partitions(self) -> int:
        """Return how many partitions the topic has, 0 where it does not exist."""
        try:
            found = self._committed.list_topics(self.topic, timeout=REQUEST_TIMEOUT_S)
        except KafkaException as error:
            raise BrokerError(f"Kafka does not answer: {error}") from error
        topic = found.topics[self.topic]
        return len(topic.partitions) if topic.error is None else 0

    def bounds(self, partition: int) -> Bounds:
        """Return what is committed now. Raises BrokerError."""
        return bounds_of(self._committed, self.topic, partition, REQUEST_TIMEOUT_S)

    def settled_bounds(self, partition: int) -> Bounds:
        """Return what is committed once every transaction that is open now has ended.

        Raises BrokerError where one stays open too long.
        """
        end = bounds_of(self._all, self.topic, partition, REQUEST_TIMEOUT_S).end
        deadline_s = time.monotonic() + OPEN_TRANSACTION_MAX_S
        while (bounds := self.bounds(partition)).end < end:
            if time.monotonic() > deadline_s:
                raise BrokerError(f"a transaction on {self.topic}/{partition} stays open")
            time.sleep(0.02)
        return bounds

    def resume(self, partition: int, bounds: Bounds) -> Iterator[Record]:
        """Yield as `read` does, but go on where it was after another read of this topic."""
        turn, first = object(), bounds.first
        records: Iterator[Record] = iter(())
        while True:
            if self._turn is not turn:
                self._turn = turn
                records = self.read(partition, Bounds(first, bounds.end))
            record = next(records, None)
            if record is None:
                return
            first = record.offset + 1
            yield record

    def read(self, partition: int, bounds: Bounds) -> Iterator[Record]:
        """Yield the committed records within bounds. Raises BrokerError where they do not come.

        One read at a time: a new one ends the one before.
        """
        if bounds.end <= bounds.first:
            return
        consumer = self._committed
        consumer.assign([TopicPartition(self.topic, partition, bounds.first)])
        heard_s = time.monotonic()
        while True:
            messages = consumer.consume(CHUNK_RECORDS, 0.2)
            for message in messages:
                offset = message.offset() or 0
                error = message.error()
                if error is not None:
                    # Markers take offsets too: the end is where there is nothing more to fetch.
                    if _is_end(error) and offset >= bounds.end:
                        return
                    if error.fatal() or error.code() in _LOST:
                        raise BrokerError(f"{self.topic}/{partition} at {offset}: {error}")
                elif offset >= bounds.end:
                    return
                else:
                    yield self._record(partition, message)
            # Whoever reads may have taken its time with them: that was not Kafka's silence.
            if messages:
                heard_s = time.monotonic()
            elif time.monotonic() - heard_s > SILENCE_MAX_S:
                raise BrokerError(f"{self.topic}/{partition} fell silent before {bounds.end}")

    def close(self) -> None:
        """Release connections; safe to call once."""
        self._committed.close()
        self._all.close()

    def _record(self, partition: int, message: Message) -> Record:
        client_id = ""
        for header in message.headers() or ():
            if header[0] == CLIENT_ID_HEADER and isinstance(header[1], bytes):
                client_id = header[1].decode(errors="replace")
        key, value = message.key(), message.value()
        return Record(
            self.topic,
            partition,
            message.offset() or 0,
            message.timestamp()[1],
            key.encode() if isinstance(key, str) else key,
            value.encode() if isinstance(value, str) else value,
            client_id,
        )


def _is_end(error: KafkaError) -> bool:
    return bool(error.code() == KafkaError._PARTITION_EOF)  # noqa: SLF001 - librdkafka's own name
