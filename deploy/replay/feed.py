"""The feed's way into the system: operations to topic `events`, keyed by event."""

import logging
from typing import Final

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipelines.errors import BrokerError
from pipelines.kafka.client_config import kafka_address
from pipelines.messages.operations import Operation
from pipelines.topics import EVENTS, PARTITIONER

__all__ = ["Feed"]

logger = logging.getLogger(__name__)

DELIVERY_TIMEOUT_MS: Final = 120_000
FULL_WAIT_S: Final = 0.1
FULL_TRIES_MAX: Final = 600


class Feed:
    """Writes operations in order, each exactly once as long as this process lives."""

    def __init__(
        self, bootstrap_servers: str, delivery_timeout_ms: int = DELIVERY_TIMEOUT_MS
    ) -> None:
        self.sent = 0
        self._failed: KafkaError | None = None
        self._producer = Producer(
            {
                **kafka_address(bootstrap_servers),
                "partitioner": PARTITIONER,
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 2,
                "compression.type": "lz4",
                "delivery.timeout.ms": delivery_timeout_ms,
                "reconnect.backoff.max.ms": 1_000,
                "allow.auto.create.topics": False,
            },
            logger=logger,
        )

    def send(self, operation: Operation) -> None:
        """Queue an operation. Raises BrokerError where an earlier one could not be written."""
        if self._failed is not None:
            raise BrokerError(f"the feed could not be written: {self._failed}")
        key, value = operation.event_id.encode(), msgspec.json.encode(operation)
        for _ in range(FULL_TRIES_MAX):
            try:
                self._producer.produce(EVENTS, value, key, on_delivery=self._delivered)
            except BufferError:
                self._producer.poll(FULL_WAIT_S)
                continue
            except KafkaException as error:
                raise BrokerError(f"the feed could not be written: {error}") from error
            self.sent += 1
            self._producer.poll(0)
            return
        raise BrokerError("the feed could not be written: Kafka takes no records")

    def flush(self, timeout_s: float) -> None:
        """Wait until Kafka has all. Raises BrokerError when it does not in time."""
        left = self._producer.flush(timeout_s)
        if left or self._failed is not None:
            reason = self._failed or f"{left} operations had no answer in {timeout_s:.0f} s"
            raise BrokerError(f"the feed could not be written: {reason}")

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._failed = error
