"""Writes and reads topic `notices`, the notifier's memory of what was pushed to whom.

A notice is written after its push was taken and before the journal's offset is committed, in the
partition of the journal record that caused it.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipelines.errors import BrokerError
from pipelines.kafka.client_config import kafka_address
from pipelines.kafka.reader import CommittedReader
from pipelines.messages.notices import Notice
from pipelines.topics import NOTICES

__all__ = ["KafkaNoticeLog"]

logger = logging.getLogger(__name__)

DELIVERY_TIMEOUT_MS: Final = 15_000
FLUSH_TIMEOUT_S: Final = DELIVERY_TIMEOUT_MS / 1_000 + 5
READ_RECORDS_MAX: Final = 5_000
READ_TIMEOUT_S: Final = 1.0
SILENT_POLLS_MAX: Final = 30


class KafkaNoticeLog:
    """The sent-log in Kafka; used by one thread."""

    def __init__(self, bootstrap_servers: str, group_id: str) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._group_id = group_id
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Notice)
        self._failed: list[KafkaError] = []
        self._producer = Producer(
            {
                **kafka_address(bootstrap_servers),
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 2,
                "compression.type": "lz4",
                "delivery.timeout.ms": DELIVERY_TIMEOUT_MS,
                "allow.auto.create.topics": False,
            },
            logger=logger,
        )

    def append(self, partition: int, notices: Sequence[Notice]) -> None:
        """Write notices and wait until Kafka has them all. Raises BrokerError: some may be lost."""
        self._failed = []
        try:
            for notice in notices:
                self._producer.produce(
                    NOTICES,
                    key=notice.event_id.encode(),
                    value=self._encoder.encode(notice),
                    partition=partition,
                    on_delivery=self._on_delivery,
                )
            left = self._producer.flush(FLUSH_TIMEOUT_S)
        except (KafkaException, BufferError) as error:
            raise BrokerError(f"notices were not written: {error}") from error
        if left or self._failed:
            reason = self._failed[0] if self._failed else "no answer in time"
            raise BrokerError(f"notices were not written: {reason}")

    def read(self, partition: int) -> Iterator[Notice]:
        """Iterate over what the partition held when this was called. Raises BrokerError."""
        reader = CommittedReader(self._bootstrap_servers, self._group_id, [NOTICES], [partition])
        try:
            end = reader.ends()[NOTICES, partition]
            reader.assign(beginning=True)
            silent = 0
            position = 0
            while position < end:
                records = reader.poll(READ_RECORDS_MAX, READ_TIMEOUT_S)
                for record in records:
                    if record.value is not None:
                        yield self._decoder.decode(record.value)
                # Retention may have deleted records up to the end: the position says so.
                position = max(reader.positions().get((NOTICES, partition), 0), position)
                silent = 0 if records else silent + 1
                if silent > SILENT_POLLS_MAX:
                    raise BrokerError(f"{NOTICES}/{partition} ended at {position}, not at {end}")
        finally:
            reader.close()

    def close(self) -> None:
        """Write what is still waiting; safe to call twice."""
        self._producer.flush(FLUSH_TIMEOUT_S)

    def _on_delivery(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failed.append(error)
