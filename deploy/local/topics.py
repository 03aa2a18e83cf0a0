"""Creates the product's topics with the settings their role needs, and checks those that exist.

Flow: the CLI, the stack and the tests call `ensure_topics` once the broker answers; after that no
part of the product creates or alters a topic.
"""

import logging
import time
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from pipelines.errors import StackError
from pipelines.kafka.client_config import kafka_address
from pipelines.limits import RECORD_BYTES_MAX
from pipelines.topics import BETS, CO_PARTITIONED, JOURNAL, SNAPSHOTS

__all__ = ["ensure_topics", "topic_settings"]

logger = logging.getLogger(__name__)

REQUEST_TIMEOUT_S: Final = 30.0
VISIBLE_TIMEOUT_S: Final = 30.0
WEEK_MS: Final = 7 * 24 * 3_600_000
# It bounds a batch, not a record: more than the 1,000,000 bytes that librdkafka's batches reach,
# and enough for the largest record with its key, headers and the batch's own fields.
MESSAGE_BYTES_MAX: Final = 4 * RECORD_BYTES_MAX


def topic_settings(topic: str) -> dict[str, str]:
    """The configuration a topic is created with."""
    return {
        "cleanup.policy": "delete",
        # The journal is the record of truth: it goes only when somebody deletes it.
        "retention.ms": "-1" if topic in (JOURNAL, SNAPSHOTS) else str(WEEK_MS),
        # A bet's time is when Kafka took it: a client's clock must not decide what was too late.
        "message.timestamp.type": "LogAppendTime" if topic == BETS else "CreateTime",
        "max.message.bytes": str(MESSAGE_BYTES_MAX),
    }


def ensure_topics(bootstrap_servers: str, partitions: int, replication_factor: int) -> list[str]:
    """Create the topics that are missing, wait until all can be used, return those created.

    Raises StackError when one exists with another partition count, or Kafka refuses.
    """
    admin = AdminClient(kafka_address(bootstrap_servers))
    try:
        existing = _partition_counts(admin)
        _refuse_other_counts(existing, partitions)
        created = _create(admin, existing, partitions, replication_factor)
        _wait_until_visible(admin, partitions)
    except KafkaException as error:
        raise StackError(
            f"the topics could not be made ready on {bootstrap_servers}: {error}"
        ) from error
    if created:
        logger.info("topics created topics=%s partitions=%d", ",".join(created), partitions)
    return created


def _create(
    admin: AdminClient, existing: dict[str, int], partitions: int, replication_factor: int
) -> list[str]:
    missing = [
        NewTopic(topic, partitions, replication_factor, config=topic_settings(topic))
        for topic in CO_PARTITIONED
        if topic not in existing
    ]
    if not missing:
        return []
    created: list[str] = []
    futures = admin.create_topics(missing, request_timeout=REQUEST_TIMEOUT_S)
    for topic, future in futures.items():
        try:
            future.result(REQUEST_TIMEOUT_S)
            created.append(topic)
        except KafkaException as error:
            # Another process may have been faster; its count is checked like any other's.
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise
    return created


def _partition_counts(admin: AdminClient) -> dict[str, int]:
    """Partition counts of those of our topics that have a leader for every partition."""
    found = admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
    return {
        topic: len(found[topic].partitions)
        for topic in CO_PARTITIONED
        if topic in found and found[topic].error is None
    }


def _refuse_other_counts(counts: dict[str, int], partitions: int) -> None:
    others = {topic: count for topic, count in counts.items() if count != partitions}
    if others:
        found = ", ".join(f"{topic} has {count}" for topic, count in sorted(others.items()))
        raise StackError(
            f"the topics must have {partitions} partitions, but {found}. Keys would move to other "
            "partitions, so counts are never changed in place: set OVERROUND_PARTITIONS to the "
            "count that exists, or start with new topics (locally: make clean)"
        )


def _wait_until_visible(admin: AdminClient, partitions: int) -> None:
    deadline = time.monotonic() + VISIBLE_TIMEOUT_S
    while time.monotonic() < deadline:
        topics = admin.list_topics(timeout=REQUEST_TIMEOUT_S).topics
        counts = {
            topic: sum(part.leader >= 0 for part in topics[topic].partitions.values())
            for topic in CO_PARTITIONED
            if topic in topics and topics[topic].error is None
        }
        if len(counts) == len(CO_PARTITIONED) and min(counts.values()) > 0:
            _refuse_other_counts(_partition_counts(admin), partitions)
            if set(counts.values()) == {partitions}:
                return
        time.sleep(0.02)
    raise StackError(f"the topics had no leaders after {VISIBLE_TIMEOUT_S:.0f} s")
