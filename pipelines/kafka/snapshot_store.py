"""Snapshots in Kafka: the topic `snapshots`, of which each partition holds the last two."""

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from pipelines.errors import BrokerError
from pipelines.kafka.client_config import kafka_address
from pipelines.kafka.ends import bounds_of
from pipelines.limits import RECORD_BYTES_MAX
from pipelines.settings import Settings
from pipelines.snapshots import Chunk, Snapshot, chunks_of, kept_from, newest
from pipelines.topics import SNAPSHOTS

__all__ = ["KafkaSnapshotStore"]

logger = logging.getLogger(__name__)

TIMEOUT_S: Final = 15.0
SILENCE_MAX_S: Final = 15.0
QUEUED_MAX: Final = 64

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Chunk).decode


class KafkaSnapshotStore:
    """Port `SnapshotStore` on confluent-kafka, used by one thread."""

    def __init__(self, settings: Settings, partition: int) -> None:
        self._partition = partition
        self._common: dict[str, Any] = {
            **kafka_address(settings.kafka_bootstrap_servers),
            "client.id": f"{settings.application}-snapshots-{partition}",
        }

    def load(self) -> Snapshot | None:
        try:
            return newest(self._chunks())
        except (BrokerError, KafkaException) as error:
            logger.warning("partition=%d no snapshot could be read: %s", self._partition, error)
            return None

    def _chunks(self) -> Iterator[Chunk]:
        consumer = Consumer(
            self._common
            | {
                "group.id": "overround-snapshots",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "earliest",
                "fetch.queue.backoff.ms": 5,
            }
        )
        try:
            bounds = bounds_of(consumer, SNAPSHOTS, self._partition, TIMEOUT_S)
            reached, heard_s = bounds.first, time.monotonic()
            consumer.assign([TopicPartition(SNAPSHOTS, self._partition, reached)])
            while reached < bounds.end:
                message = consumer.poll(0.2)
                if message is not None and message.error() is None:
                    reached, heard_s = (message.offset() or 0) + 1, time.monotonic()
                    try:
                        yield _decode(message.value() or b"")
                    except msgspec.MsgspecError as error:
                        logger.warning("partition=%d snapshots: %s", self._partition, error)
                elif time.monotonic() - heard_s > SILENCE_MAX_S:
                    raise BrokerError(f"snapshots of partition {self._partition} fell silent")
        finally:
            consumer.close()

    def save(self, snapshot_id: str, snapshot: Snapshot, go_on: Callable[[], bool]) -> bool:
        producer = Producer(
            self._common
            | {
                "enable.idempotence": True,
                "linger.ms": 5,
                "message.max.bytes": 4 * RECORD_BYTES_MAX,
                "queue.buffering.max.messages": QUEUED_MAX,
            }
        )
        first: int | None = None
        refused: list[object] = []

        def on_delivery(error: object, message: object) -> None:
            nonlocal first
            if error is not None:
                refused.append(error)
            elif first is None:
                first = message.offset()  # type: ignore[attr-defined]

        for chunk in chunks_of(snapshot_id, snapshot):
            while go_on() and not refused:
                try:
                    producer.produce(
                        SNAPSHOTS, _encode(chunk), b"", self._partition, on_delivery=on_delivery
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
            else:
                producer.purge()
                return False
            producer.poll(0)
        if producer.flush(TIMEOUT_S) or refused or first is None:
            return False
        self._forget_before(first)
        return True

    def _forget_before(self, first: int) -> None:
        """Keep this snapshot and the one before it, if that is still there."""
        admin = AdminClient(self._common)
        try:
            kept = kept_from(self._numbered(), first)
            where = TopicPartition(SNAPSHOTS, self._partition, kept)
            for future in admin.delete_records([where]).values():
                future.result(TIMEOUT_S)
        except (BrokerError, KafkaException) as error:
            logger.warning("partition=%d old snapshots stay: %s", self._partition, error)

    def _numbered(self) -> Iterator[tuple[int, Chunk]]:
        consumer = Consumer(self._common | {"group.id": "overround-snapshots"})
        try:
            first = bounds_of(consumer, SNAPSHOTS, self._partition, TIMEOUT_S).first
        finally:
            consumer.close()
        yield from enumerate(self._chunks(), first)

    def close(self) -> None:
        """Nothing is held between calls."""
