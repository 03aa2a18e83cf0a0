"""Reads committed records of fixed partitions: the first hop of publisher, notifier and audit.

The caller decides what was done with a record and commits the next offset itself. Partitions are
assigned, not subscribed: the supervisor says who owns what, so there is no rebalance to survive.
Beside its offsets a reader notes its claim, by which `pipelines.handover` finds it. When Kafka goes
away, `poll` returns nothing and reading goes on where it was once it is back. Records that Kafka
deleted unread are counted and passed over.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from pipelines.errors import BrokerError
from pipelines.kafka.client_config import kafka_address
from pipelines.kafka.ends import bounds_of

__all__ = ["CommittedReader", "ReadRecord"]

logger = logging.getLogger(__name__)

COMMIT_TIMEOUT_S: Final = 5.0
QUEUED_KIB_MAX: Final = 16_384
NO_TIMESTAMP: Final = 0
#: Beside a reader's own, so that all fit into the 4,096 bytes that Kafka takes with an offset.
CLAIMS_MAX: Final = 16


class ReadRecord(NamedTuple):
    """One committed record; `timestamp_ms` is the producer's or the broker's, 0 without one."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


class CommittedReader:
    """A `read_committed` consumer of some partitions of some topics, used by one thread.

    `assign` starts at the group's committed offsets, where there are none at the beginning. `claim`
    is noted with each offset; one word, at most 200 bytes.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        group_id: str,
        topics: Sequence[str],
        partitions: Sequence[int],
        claim: str = "",
    ) -> None:
        self._group_id = group_id
        self._claim = claim
        #: Records by topic that Kafka deleted before they were read; other threads may read.
        self.lost = dict.fromkeys(topics, 0)
        self._next: dict[tuple[str, int], int] = {}  # where reading goes on, once that is known
        self._deleted: dict[tuple[str, int], int] = {}  # where there was nothing to be read
        self._is_placed = False
        self._paused: set[str] = set()
        self._assigned = [(topic, partition) for topic in topics for partition in partitions]
        self._ends_first: dict[tuple[str, int], int] = {}
        self._behind = set(self._assigned)  # what lies there from before was not read to its end
        self._closed = False
        self._last_error = ""
        self._consumer = Consumer(
            {
                **kafka_address(bootstrap_servers),
                "group.id": group_id,
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "enable.partition.eof": True,
                "auto.offset.reset": "error",  # see `_pass_over_deleted`
                "fetch.queue.backoff.ms": 5,
                "fetch.wait.max.ms": 5,
                "fetch.error.backoff.ms": 100,
                "queued.max.messages.kbytes": QUEUED_KIB_MAX,
                "reconnect.backoff.max.ms": 1_000,
                "allow.auto.create.topics": False,
                "error_cb": self._on_error,
            },
            logger=logger,
        )

    def assign(self, beginning: bool = False) -> None:
        """Start at the group's committed offsets, or at the beginning. Does not wait for Kafka."""
        self._is_placed = beginning
        if beginning:
            self._consumer.assign([TopicPartition(*w, OFFSET_BEGINNING) for w in self._assigned])

    def poll(self, records_max: int, timeout_s: float) -> list[ReadRecord]:
        """Return the next records, in order within a partition; waits only for the first.

        Empty while Kafka is away. Raises BrokerError where the client itself cannot go on.
        """
        if not (self._is_placed or self._place()):
            return []
        if self._deleted:
            self._pass_over_deleted()
        first = self._consumer.poll(timeout_s)
        if first is None:
            return []
        messages = [first]
        if records_max > 1:
            messages += self._consumer.consume(records_max - 1, 0)
        return [record for message in messages if (record := self._record(message)) is not None]

    def _place(self) -> bool:
        """Start reading where that is known; return whether it is.

        The client could ask for the committed offsets itself, but where it is told that a group has
        no coordinator yet it asks no more.
        """
        try:
            self._next = self._offsets()
        except BrokerError as error:
            logger.warning("not read yet group=%s: %s", self._group_id, error)
            return False
        self._go_on()
        self._is_placed = True
        return True

    def _go_on(self) -> None:
        following = {w: self._next.get(w, OFFSET_BEGINNING) for w in self._assigned}
        self._consumer.assign([TopicPartition(*w, offset) for w, offset in following.items()])
        for topic in self._paused:
            self._consumer.pause(self._of_topic(topic))

    def caught_up(self, topic: str) -> bool:
        """Return whether each partition of a topic was read to its end since `assign`."""
        return not any(behind == topic for behind, _ in self._behind)

    def pause(self, topic: str) -> None:
        """Return no more records of this topic until `resume`; Kafka keeps them."""
        self._paused.add(topic)
        self._consumer.pause(self._of_topic(topic))

    def resume(self, topic: str) -> None:
        """Go on with a topic where it was paused."""
        self._paused.discard(topic)
        self._consumer.resume(self._of_topic(topic))

    def commit(self, positions: Mapping[tuple[str, int], int]) -> None:
        """Commit next offsets for the group and wait for Kafka's answer. Raises BrokerError."""
        if not positions:
            return
        self._note(positions, self._claim)

    def _note(self, positions: Mapping[tuple[str, int], int], claims: str) -> None:
        offsets = [
            TopicPartition(t, p, offset, metadata=claims) for (t, p), offset in positions.items()
        ]
        try:
            answers = self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            raise BrokerError(f"commit of {self._group_id} failed: {error}") from error
        for answer in answers or ():
            if answer.error is not None:
                raise BrokerError(f"commit of {self._group_id} was refused: {answer.error}")

    def committed(self) -> dict[tuple[str, int], int]:
        """Return the group's committed offsets; partitions without one are left out."""
        return {(a.topic, a.partition): a.offset for a in self._noted()}

    def claims(self) -> set[str]:
        """Return who else noted itself for any of these partitions. Raises BrokerError."""
        noted = {claim for a in self._noted() for claim in str(a.metadata or "").split()}
        return noted - {self._claim}

    def claim(self, besides: Collection[str] = ()) -> None:
        """Note this reader's claim, and others beside it, the offsets as they are. Raises
        BrokerError."""
        self._note(self._offsets(), " ".join([self._claim, *sorted(besides)[:CLAIMS_MAX]]))

    def _offsets(self) -> dict[tuple[str, int], int]:
        """Return where each partition goes on: at its committed offset, or at its first record."""
        found = self.committed()
        for where in self._assigned:
            if where not in found:
                found[where] = bounds_of(self._consumer, *where, COMMIT_TIMEOUT_S).first
        return found

    def _noted(self) -> list[TopicPartition]:
        wanted = [TopicPartition(topic, partition) for topic, partition in self._assigned]
        try:
            answers = self._consumer.committed(wanted, COMMIT_TIMEOUT_S)
        except KafkaException as error:
            raise BrokerError(f"offsets of {self._group_id} unknown: {error}") from error
        for answer in answers:
            if answer.error is not None:
                raise BrokerError(f"offsets of {self._group_id} unknown: {answer.error}")
        return [answer for answer in answers if answer.offset >= 0]

    def ends(self) -> dict[tuple[str, int], int]:
        """Return the offset after the last record of each partition, as Kafka says now."""
        return {
            where: bounds_of(self._consumer, *where, COMMIT_TIMEOUT_S).end
            for where in self._assigned
        }

    def known_ends(self) -> dict[tuple[str, int], int]:
        """Return the ends as the last fetches saw them: no request; partitions unread are absent.

        For gauges of lag; the end of a partition is that of its committed records.
        """
        ends = {where: self._known_end(*where) for where in self._assigned}
        return {where: end for where, end in ends.items() if end >= 0}

    def _known_end(self, topic: str, partition: int) -> int:
        """Return an end as the last fetch saw it, -1 before the first."""
        place = TopicPartition(topic, partition)
        ends = self._consumer.get_watermark_offsets(place, cached=True)
        return ends[1] if ends is not None else -1

    def positions(self) -> dict[tuple[str, int], int]:
        """Return the next offset to be read of each partition that was read from."""
        wanted = [TopicPartition(topic, partition) for topic, partition in self._assigned]
        return {
            (p.topic, p.partition): p.offset
            for p in self._consumer.position(wanted)
            if p.offset >= 0
        }

    def close(self) -> None:
        """Release connections; safe to call twice."""
        if not self._closed:
            self._closed = True
            self._consumer.close()

    def _of_topic(self, topic: str) -> list[TopicPartition]:
        return [TopicPartition(t, p) for t, p in self._assigned if t == topic]

    def _record(self, message: Message) -> ReadRecord | None:
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        error = message.error()
        if error is not None:
            if error.fatal():
                raise BrokerError(f"reader of {self._group_id} cannot go on: {error}")
            if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own name
                self._behind.discard((str(topic), partition or 0))
            elif error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001 - the same
                self._deleted[str(topic), partition or 0] = offset or 0
            else:
                self._on_error(error)
            return None
        assert topic is not None
        assert partition is not None
        assert offset is not None
        if self._behind and (topic, partition) in self._behind:
            # Under load the end is never met, but the end that there was is passed.
            end = self._known_end(topic, partition)
            if offset + 1 >= self._ends_first.setdefault((topic, partition), end) > 0:
                self._behind.discard((topic, partition))
        self._next[topic, partition] = offset + 1
        kind, timestamp_ms = message.timestamp()
        return ReadRecord(
            topic,
            partition,
            offset,
            timestamp_ms if kind else NO_TIMESTAMP,
            _bytes(message.key()),
            _bytes(message.value()),
        )

    def _pass_over_deleted(self) -> None:
        """Go on at the first record that there is. Raises BrokerError."""
        for (topic, partition), wanted in list(self._deleted.items()):
            first, end = bounds_of(self._consumer, topic, partition, COMMIT_TIMEOUT_S)
            if wanted < first:
                self.lost[topic] += first - wanted
                logger.error("%s/%d: %d to %d deleted unread", topic, partition, wanted, first - 1)
            else:
                logger.error("%s/%d ends at %d, was at %d", topic, partition, end, wanted)
            self._next[topic, partition] = first
            del self._deleted[topic, partition]
        # The client fetches nothing more of them until they are assigned anew; the others go on.
        self._go_on()

    def _on_error(self, error: KafkaError) -> None:
        # The client repeats the same complaint for as long as Kafka is away: say it once.
        if error.name() != self._last_error:
            self._last_error = error.name()
            logger.warning("kafka reader group=%s error=%s", self._group_id, error)


def _bytes(raw: bytes | str | None) -> bytes | None:
    return raw.encode() if isinstance(raw, str) else raw
