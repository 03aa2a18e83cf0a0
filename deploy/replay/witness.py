"""Reads what the system writes of a run, from Kafka, beside the bettors: an independent count."""

import logging
import threading
from types import TracebackType
from typing import Final

import msgspec
from confluent_kafka import Consumer, KafkaException, TopicPartition

from deploy.replay.account import Account
from pipelines.errors import BrokerError
from pipelines.kafka.client_config import kafka_address
from pipelines.topics import JOURNAL, NOTICES, ODDS

__all__ = ["Witness"]

logger = logging.getLogger(__name__)

TOPICS: Final = (JOURNAL, ODDS, NOTICES)
QUERY_TIMEOUT_S: Final = 10.0
POLL_TIMEOUT_S: Final = 0.1
RECORDS_MAX: Final = 2_000
STOP_TIMEOUT_S: Final = 10.0


class Witness:
    """Follows the topics in a thread of its own from the moment it is entered."""

    def __init__(self, bootstrap_servers: str, partitions: int, run_id: str) -> None:
        self.account = Account()
        self.problem = ""
        self._mark = f"{run_id}-".encode()
        self._partitions = partitions
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="replay-witness", daemon=True)
        self._consumer = Consumer(
            {
                **kafka_address(bootstrap_servers),
                "group.id": f"replay-{run_id}",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 50,
                "reconnect.backoff.max.ms": 1_000,
                "allow.auto.create.topics": False,
            },
            logger=logger,
        )

    def __enter__(self) -> "Witness":
        try:
            self._consumer.assign(
                [
                    TopicPartition(topic, partition, self._end(topic, partition))
                    for topic in TOPICS
                    for partition in range(self._partitions)
                ]
            )
        except KafkaException as error:
            self._consumer.close()
            raise BrokerError(f"the topics cannot be read: {error}") from error
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join(STOP_TIMEOUT_S)
        self._consumer.close()

    def _end(self, topic: str, partition: int) -> int:
        _, high = self._consumer.get_watermark_offsets(
            TopicPartition(topic, partition), timeout=QUERY_TIMEOUT_S
        )
        return int(high)

    def _follow(self) -> None:
        while not self._stopping.is_set():
            for message in self._consumer.consume(RECORDS_MAX, POLL_TIMEOUT_S):
                error = message.error()
                if error is not None:
                    logger.warning("witness cannot read error=%s", error)
                    continue
                key, value = message.key(), message.value()
                if key is None or value is None or not key.startswith(self._mark):
                    continue
                try:
                    self.account.take(str(message.topic()), value)
                except msgspec.MsgspecError as broken:
                    self.problem = f"a record of {message.topic()} cannot be read: {broken}"
