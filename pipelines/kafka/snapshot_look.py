"""How far the newest snapshot of a partition is behind its journal, without reading either."""

from typing import Final

import msgspec
from confluent_kafka import Consumer, TopicPartition

from pipelines.errors import BrokerError
from pipelines.kafka.client_config import kafka_address
from pipelines.kafka.ends import bounds_of
from pipelines.settings import Settings
from pipelines.shard.freeze import shape
from pipelines.snapshot_keeper import Kept
from pipelines.snapshots import Chunk
from pipelines.topics import JOURNAL, SNAPSHOTS

__all__ = ["KafkaJournalLook"]

TIMEOUT_S: Final = 15.0

_decode = msgspec.msgpack.Decoder(Chunk).decode


class KafkaJournalLook:
    """Port `JournalLook` on confluent-kafka, used by one thread."""

    def __init__(self, settings: Settings) -> None:
        self._closed = False
        self._seen: dict[int, tuple[int, Kept | None]] = {}  # end of the topic then, what was there
        self._consumer = Consumer(
            {
                **kafka_address(settings.kafka_bootstrap_servers),
                "client.id": f"{settings.application}-snapshots",
                "group.id": "overround-snapshots",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
            }
        )

    def journal_end(self, partition: int) -> int:
        return bounds_of(self._consumer, JOURNAL, partition, TIMEOUT_S).end

    def kept(self, partition: int) -> Kept | None:
        bounds = bounds_of(self._consumer, SNAPSHOTS, partition, TIMEOUT_S)
        end, kept = self._seen.get(partition, (0, None))
        if bounds.end != end:
            # What is no whole snapshot does not count, but may be one that is being written.
            last = self._last(partition, bounds.end - 1) if bounds.first < bounds.end else None
            kept = last or kept
            self._seen[partition] = (bounds.end, kept)
        return kept

    def _last(self, partition: int, offset: int) -> Kept | None:
        """Return the snapshot that ends with this record."""
        self._consumer.assign([TopicPartition(SNAPSHOTS, partition, offset)])
        message = self._consumer.poll(TIMEOUT_S)
        self._consumer.unassign()
        if message is None or message.error() is not None:
            words = "no answer" if message is None else str(message.error())
            raise BrokerError(f"snapshots of partition {partition}: {words}")
        try:
            chunk = _decode(message.value() or b"")
        except msgspec.MsgspecError:
            return None  # of another program
        if not chunk.digest or chunk.shape != shape():
            return None
        return Kept(chunk.journal_next, int(message.timestamp()[1]))

    def close(self) -> None:
        """Release connections; safe to call twice."""
        if not self._closed:
            self._closed = True
            self._consumer.close()
