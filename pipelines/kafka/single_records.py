"""Fetches single records by their offset, whole, and sends such a record once more."""

import time
from typing import Final, NamedTuple

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from pipelines.errors import BrokerError
from pipelines.kafka.client_config import kafka_address
from pipelines.kafka.ends import bounds_of

__all__ = ["SingleRecords", "WholeRecord"]

FETCH_TIMEOUT_S: Final = 10.0
SEND_TIMEOUT_S: Final = 30.0
POLL_S: Final = 0.2

Headers = tuple[tuple[str, bytes], ...]


class WholeRecord(NamedTuple):
    """A record with all that its producer gave it."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int = 0  # 0: the time of sending


class SingleRecords:
    """Reads and writes a few records of any topic; used by one thread."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._servers = bootstrap_servers
        self._consumer = Consumer(
            {
                **kafka_address(bootstrap_servers),
                "group.id": "overround-single-records",  # required; nothing is committed
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "isolation.level": "read_committed",
                "fetch.queue.backoff.ms": 5,
                "fetch.wait.max.ms": 50,
            }
        )

    def fetch(self, topic: str, partition: int, offset: int) -> WholeRecord | None:
        """Return the record at an offset; None where retention has deleted it.

        Raises BrokerError.
        """
        bounds = bounds_of(self._consumer, topic, partition, FETCH_TIMEOUT_S)
        if not bounds.first <= offset < bounds.end:
            return None
        self._consumer.assign([TopicPartition(topic, partition, offset)])
        deadline_s = time.monotonic() + FETCH_TIMEOUT_S
        while time.monotonic() < deadline_s:
            message = self._consumer.poll(POLL_S)
            if message is None:
                continue
            error = message.error()
            if error is not None:
                raise BrokerError(f"{topic}/{partition} at {offset}: {error}")
            if message.offset() != offset:
                return None  # compacted, or a marker of a transaction
            headers = tuple((str(one[0]), _bytes(one[1]) or b"") for one in message.headers() or ())
            return WholeRecord(
                topic, partition, _bytes(message.key()), _bytes(message.value()), headers
            )
        raise BrokerError(f"{topic}/{partition} gives no record {offset}")

    def send(self, records: list[WholeRecord]) -> None:
        """Write records, each to its partition, in order, once. Raises BrokerError."""
        failed: list[str] = []
        producer = Producer(
            {
                **kafka_address(self._servers),
                "enable.idempotence": True,
                "acks": "all",
                "delivery.timeout.ms": int(SEND_TIMEOUT_S * 1_000),
            }
        )

        def delivered(error: object, _: object) -> None:
            if error is not None:
                failed.append(str(error))

        try:
            for one in records:
                producer.produce(
                    one.topic,
                    one.value,
                    one.key,
                    partition=one.partition,
                    headers=list(one.headers),
                    timestamp=one.timestamp_ms,
                    on_delivery=delivered,
                )
            left = producer.flush(SEND_TIMEOUT_S)
        except (KafkaException, BufferError) as error:
            raise BrokerError(f"not sent: {error}") from error
        if failed or left:
            raise BrokerError(f"{len(failed) + left} of {len(records)} not sent: {failed[:1]}")

    def close(self) -> None:
        """Release the connection."""
        self._consumer.close()


def _bytes(part: bytes | str | None) -> bytes | None:
    return part.encode() if isinstance(part, str) else part
