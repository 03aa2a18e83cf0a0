"""A shard's way to Kafka: inputs in, journal and odds out, one transaction at a time.

The transactional id belongs to the partition, so whoever fences last is the only writer. Positions
are in the journal itself; consumer-group offsets are noted afterwards for lag tools alone (sending
them inside the transaction costs tens of milliseconds at default settings).
"""

import logging
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from pipelines.errors import BrokerError, FencedError
from pipelines.kafka.client_config import kafka_address
from pipelines.kafka.ends import bounds_of
from pipelines.limits import RECORD_BYTES_MAX
from pipelines.ports import Output, Positions, Record
from pipelines.settings import Settings
from pipelines.topics import BETS, EVENTS, JOURNAL, TRANSFERS, partition_of

__all__ = ["KafkaShardLog"]

_EOF: Final = KafkaError._PARTITION_EOF  # noqa: SLF001 - librdkafka names its own codes so
_NOT_THERE: Final = KafkaError._AUTO_OFFSET_RESET  # noqa: SLF001 - the same

logger = logging.getLogger(__name__)

#: Header that names the bettor on records without envelope, as Ably's Kafka rule writes it.
CLIENT_ID_HEADER: Final = "x-ably-message-client-id"
FENCE_TIMEOUT_S: Final = 30.0
COMMIT_TIMEOUT_S: Final = 15.0
COMMIT_TRIES_MAX: Final = 5
JOURNAL_SILENCE_MAX_S: Final = 30.0
NOTE_INTERVAL_S: Final = 1.0
_FENCED_CODES: Final = frozenset(
    {
        KafkaError._FENCED,  # noqa: SLF001 - librdkafka names its own codes so
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.PRODUCER_FENCED,
    }
)


class KafkaShardLog:
    """Port `ShardLog` on confluent-kafka."""

    def __init__(self, settings: Settings, partition: int) -> None:
        self._settings = settings
        self._partition = partition
        self._producer: Producer | None = None
        self._consumer: Consumer | None = None
        self._assigned = Positions()
        self._noted_s = 0.0
        #: Ends of the inputs as the last note saw them, for gauges of lag; other threads may read.
        self.input_ends: dict[str, int] = {}
        #: Input records that Kafka deleted before they were read; other threads may read.
        self.lost = dict.fromkeys((BETS, EVENTS, TRANSFERS), 0)
        self._common: dict[str, Any] = {
            **kafka_address(settings.kafka_bootstrap_servers),
            "client.id": f"{settings.application}-shard-{partition}",
        }

    def fence(self) -> None:
        self._producer = Producer(
            self._common
            | {
                "transactional.id": f"{self._settings.application}-{self._partition}",
                "transaction.timeout.ms": self._settings.transaction_timeout_ms,
                "message.timeout.ms": self._settings.transaction_timeout_ms,
                "linger.ms": 2,
                "batch.num.messages": 10_000,
                "queue.buffering.max.messages": 1_000_000,
                "message.max.bytes": 4 * RECORD_BYTES_MAX,
                "retry.backoff.ms": 1,
                "retry.backoff.max.ms": 20,
            }
        )
        try:
            self._producer.init_transactions(FENCE_TIMEOUT_S)
        except KafkaException as error:
            raise BrokerError(f"could not fence partition {self._partition}: {error}") from error

    def journal(self) -> Iterator[bytes]:
        """Yield the committed journal to its end; raises BrokerError if it falls silent before."""
        consumer = Consumer(
            self._common
            | {
                "group.id": f"{self._settings.application}-restore",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "fetch.queue.backoff.ms": 5,
                "queued.min.messages": 50_000,
            }
        )
        at = TopicPartition(JOURNAL, self._partition, OFFSET_BEGINNING)
        try:
            high = bounds_of(consumer, JOURNAL, self._partition, COMMIT_TIMEOUT_S).end
            consumer.assign([at])
            heard_s = time.monotonic()
            while True:
                for message in consumer.consume(5_000, 0.2):
                    error = message.error()
                    if error is None:
                        heard_s = time.monotonic()
                        value = message.value()
                        if value is not None:
                            yield value
                    elif error.code() == _EOF:
                        # Control records count too: the end is the offset fetched after fencing.
                        if (message.offset() or 0) >= high:
                            return
                    elif error.fatal():
                        raise BrokerError(f"journal {self._partition}: {error}")
                if time.monotonic() - heard_s > JOURNAL_SILENCE_MAX_S:
                    raise BrokerError(f"journal of partition {self._partition} fell silent")
        except KafkaException as error:
            raise BrokerError(f"journal of partition {self._partition}: {error}") from error
        finally:
            consumer.close()

    def assign(self, positions: Positions) -> None:
        self._consumer = Consumer(
            self._common
            | {
                "group.id": f"{self._settings.application}-shards",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "error",  # see `_pass_over_deleted`
                "fetch.queue.backoff.ms": 5,
                "queued.min.messages": 20_000,
                "fetch.wait.max.ms": 50,
            }
        )
        self._assigned = positions
        self._consumer.assign(self._offsets(positions))

    def _offsets(self, positions: Positions) -> list[TopicPartition]:
        reached = zip((BETS, EVENTS, TRANSFERS), positions, strict=True)
        return [TopicPartition(topic, self._partition, offset) for topic, offset in reached]

    def poll(self, records_max: int, timeout_s: float) -> list[Record]:
        consumer = self._consumer
        assert consumer is not None, "assign comes before poll"
        # One blocking call for the first record, then what is there: `consume` with a timeout
        # would wait it out whenever fewer than asked for come, which is latency.
        first = consumer.poll(timeout_s)
        if first is None:
            return []
        messages = [first]
        if records_max > 1:
            messages += consumer.consume(records_max - 1, 0)
        return [self._record(m) for m in messages if self._is_record(m)]

    def _is_record(self, message: Message) -> bool:
        error = message.error()
        if error is None:
            return True
        if error.fatal():
            raise BrokerError(f"partition {self._partition}: {error}")
        if error.code() == _NOT_THERE:
            self._pass_over_deleted(message.topic() or "", message.offset() or 0)
        else:
            logger.warning("partition=%d broker said: %s", self._partition, error)
        return False

    def _pass_over_deleted(self, topic: str, wanted: int) -> None:
        """Go on at the first record that there is; those deleted before can only be counted.

        Raises BrokerError where the topic ends before what was decided: it is another one, or has
        lost its end, and new records would be taken for old.
        """
        assert self._consumer is not None
        where = f"{topic}/{self._partition}"
        kept = bounds_of(self._consumer, topic, self._partition, COMMIT_TIMEOUT_S)
        if wanted > kept.end:
            raise BrokerError(f"{where} ends at {kept.end}, but was decided up to {wanted}")
        if wanted < kept.first:
            self.lost[topic] += kept.first - wanted
            logger.error("%s: records %d to %d deleted undecided", where, wanted, kept.first - 1)
        # The client fetches nothing more of it until it is assigned anew; the others go on.
        self._assigned = self._reached()._replace(**{topic: max(wanted, kept.first)})
        self._consumer.assign(self._offsets(self._assigned))

    def _reached(self) -> Positions:
        """Return where the inputs go on after what was polled."""
        assert self._consumer is not None
        found = self._consumer.position(self._offsets(self._assigned))
        polled = [at.offset for at in found]
        return Positions(*(p if p >= 0 else a for p, a in zip(polled, self._assigned, strict=True)))

    def _record(self, message: Message) -> Record:
        headers = message.headers()
        client_id = ""
        if headers:
            for header in headers:
                if header[0] == CLIENT_ID_HEADER and isinstance(header[1], bytes):
                    client_id = header[1].decode(errors="replace")
        return Record(
            message.topic() or "",
            self._partition,
            message.offset() or 0,
            message.timestamp()[1],
            message.key(),
            message.value(),
            client_id,
        )

    def commit(self, outputs: Sequence[Output], positions: Positions) -> None:
        for attempt in range(1, COMMIT_TRIES_MAX + 1):
            if self._try_commit(outputs):
                self._note(positions)
                return
            logger.warning("partition=%d transaction aborted, try %d", self._partition, attempt)
            time.sleep(0.05 * attempt)
        raise BrokerError(f"partition {self._partition}: {COMMIT_TRIES_MAX} transactions aborted")

    def _try_commit(self, outputs: Sequence[Output]) -> bool:
        producer = self._producer
        assert producer is not None, "fence comes before commit"
        own, partitions = self._partition, self._settings.partitions
        produce = producer.produce
        began_s = time.monotonic()
        try:
            producer.begin_transaction()
            for topic, key, value in outputs:
                partition = own if topic != TRANSFERS else partition_of(key, partitions)
                try:
                    produce(topic, value, key, partition)
                except BufferError:
                    producer.poll(0.5)
                    produce(topic, value, key, partition)
            producer.commit_transaction(COMMIT_TIMEOUT_S)
        except (KafkaException, BufferError) as error:
            self._abort(error, began_s)
            return False
        return True

    def _abort(self, error: Exception, began_s: float) -> None:
        """End a failed transaction, or raise what ends this owner."""
        kafka_error = error.args[0] if error.args else None
        if isinstance(kafka_error, KafkaError):
            if kafka_error.code() in _FENCED_CODES:
                raise self._fenced(began_s) from error
            if kafka_error.fatal():
                raise BrokerError(f"partition {self._partition}: {kafka_error}") from error
        assert self._producer is not None
        try:
            self._producer.abort_transaction(COMMIT_TIMEOUT_S)
        except KafkaException as failed:
            if failed.args[0].code() in _FENCED_CODES:
                raise self._fenced(began_s) from failed
            raise BrokerError(f"partition {self._partition}: {failed}") from failed

    def _fenced(self, began_s: float) -> FencedError | BrokerError:
        """Return what a fence means: who was only too slow, which is fenced too, may come back."""
        lasted_s = time.monotonic() - began_s
        if lasted_s * 1_000 < self._settings.transaction_timeout_ms:
            return FencedError(f"partition {self._partition} has a newer owner")
        return BrokerError(
            f"partition {self._partition}: a transaction was open for {lasted_s:.1f} s"
        )

    def _note(self, positions: Positions) -> None:
        """Tell lag tools where this shard is; losing a note costs nothing."""
        now_s = time.monotonic()
        if self._consumer is None or now_s - self._noted_s < NOTE_INTERVAL_S:
            return
        self._noted_s = now_s
        self.input_ends = self._cached_ends()
        self._consumer.commit(offsets=self._offsets(positions), asynchronous=True)

    def _cached_ends(self) -> dict[str, int]:
        assert self._consumer is not None
        found = {}
        for topic in (BETS, EVENTS, TRANSFERS):
            ends = self._consumer.get_watermark_offsets(
                TopicPartition(topic, self._partition), cached=True
            )
            if ends is not None and ends[1] >= 0:
                found[topic] = ends[1]
        return found

    def close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None
        self._producer = None
