"""A Kafka in memory: partitions, transactions, fencing, control records, read_committed.

What it does is checked against the real broker by `test_kafka_behaviour.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pipelines.errors import BrokerError, FencedError
from pipelines.kafka.reader import ReadRecord
from pipelines.ports import Output, Positions, Record
from pipelines.topics import BETS, EVENTS, JOURNAL, TRANSFERS, partition_of
from tests.sim.clock import Time
from tests.sim.faults import Faults

OPEN, COMMITTED, ABORTED = range(3)


@dataclass
class Transaction:
    """One producer's transaction; control records take an offset in each partition it touched."""

    status: int = OPEN
    partitions: set[tuple[str, int]] = field(default_factory=set)


@dataclass
class Stored:
    """One record, or a control record where `value` and `key` are None and `is_control`."""

    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    client_id: str = ""
    transaction: Transaction | None = None
    is_control: bool = False

    @property
    def is_readable(self) -> bool:
        if self.is_control:
            return False
        return self.transaction is None or self.transaction.status == COMMITTED


class SimulatedKafka:
    """All partitions and the transaction coordinator."""

    def __init__(self, time: Time, partitions: int) -> None:
        self.time = time
        self.partitions = partitions
        self._logs: dict[tuple[str, int], list[Stored]] = {}
        self._epochs: dict[str, int] = {}
        self._open: dict[str, Transaction] = {}
        self.group_offsets: dict[tuple[str, str, int], int] = {}

    def log(self, topic: str, partition: int) -> list[Stored]:
        return self._logs.setdefault((topic, partition), [])

    def append(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        client_id: str = "",
    ) -> int:
        """Write one record outside any transaction; return its offset."""
        log = self.log(topic, partition)
        log.append(Stored(key, value, self.time.now_ms, client_id))
        return len(log) - 1

    def stable_end(self, topic: str, partition: int) -> int:
        """Return the last stable offset: the first record of an open transaction, or the end."""
        log = self.log(topic, partition)
        for offset, stored in enumerate(log):
            if stored.transaction is not None and stored.transaction.status == OPEN:
                return offset
        return len(log)

    def read(self, topic: str, partition: int, offset: int) -> Iterator[tuple[int, Stored]]:
        """Yield readable records from an offset to the stable end."""
        log = self.log(topic, partition)
        for at in range(offset, self.stable_end(topic, partition)):
            if log[at].is_readable:
                yield at, log[at]

    def init_transactions(self, transactional_id: str) -> int:
        """Fence older producers of this id, abort what they left open; return the epoch."""
        self._end(transactional_id, ABORTED)
        self._epochs[transactional_id] = self._epochs.get(transactional_id, -1) + 1
        return self._epochs[transactional_id]

    def check(self, transactional_id: str, epoch: int) -> None:
        """Raise FencedError for a producer that is not the newest."""
        if self._epochs.get(transactional_id) != epoch:
            raise FencedError(f"{transactional_id} has a newer owner")

    def write(
        self, transactional_id: str, epoch: int, partition: int, outputs: Sequence[Output]
    ) -> None:
        """Write records in the producer's transaction, begun by the first."""
        self.check(transactional_id, epoch)
        transaction = self._open.setdefault(transactional_id, Transaction())
        for topic, key, value in outputs:
            where = partition if topic != TRANSFERS else partition_of(key, self.partitions)
            transaction.partitions.add((topic, where))
            stored = Stored(key, value, self.time.now_ms, transaction=transaction)
            self.log(topic, where).append(stored)

    def end_transaction(self, transactional_id: str, epoch: int, committed: bool) -> None:
        """Commit or abort; control records are written to each partition."""
        self.check(transactional_id, epoch)
        self._end(transactional_id, COMMITTED if committed else ABORTED)

    def time_out(self, transactional_id: str) -> None:
        """Do as a broker does where a transaction lasts too long: abort it and fence its owner."""
        if transactional_id in self._open:
            self._end(transactional_id, ABORTED)
            self._epochs[transactional_id] += 1

    def _end(self, transactional_id: str, status: int) -> None:
        transaction = self._open.pop(transactional_id, None)
        if transaction is None:
            return
        transaction.status = status
        for topic, partition in sorted(transaction.partitions):
            control = Stored(None, None, self.time.now_ms, is_control=True)
            self.log(topic, partition).append(control)


class SimulatedShardLog:
    """Port `ShardLog` on the simulated Kafka; crashes and errors strike at every step."""

    def __init__(self, kafka: SimulatedKafka, partition: int, faults: Faults) -> None:
        self._kafka = kafka
        self._partition = partition
        self._faults = faults
        self._id = f"overround-{partition}"
        self._epoch = -1
        self._next = {BETS: 0, EVENTS: 0, TRANSFERS: 0}

    def fence(self) -> None:
        self._faults.may_crash(f"shard {self._partition} before fence")
        self._faults.may_fail(f"shard {self._partition} fence")
        self._epoch = self._kafka.init_transactions(self._id)

    def journal(self) -> Iterator[bytes]:
        for _, stored in self._kafka.read(JOURNAL, self._partition, 0):
            if stored.value is not None:
                yield stored.value
        self._faults.may_crash(f"shard {self._partition} after fold")

    def assign(self, positions: Positions) -> None:
        self._next = dict(zip((BETS, EVENTS, TRANSFERS), positions, strict=True))

    def poll(self, records_max: int, timeout_s: float) -> list[Record]:
        self._faults.may_crash(f"shard {self._partition} before poll")
        found: list[Record] = []
        # Any cut of any batch, and any order of the topics, is right.
        room = self._faults.random.randint(1, records_max)
        topics = [BETS, EVENTS, TRANSFERS]
        self._faults.random.shuffle(topics)
        for topic in topics:
            for offset, stored in self._kafka.read(topic, self._partition, self._next[topic]):
                if len(found) >= room:
                    break
                self._next[topic] = offset + 1
                found.append(
                    Record(
                        topic,
                        self._partition,
                        offset,
                        stored.timestamp_ms,
                        stored.key,
                        stored.value,
                        stored.client_id,
                    )
                )
        return found

    def commit(self, outputs: Sequence[Output], positions: Positions) -> None:
        where = f"shard {self._partition}"
        self._faults.may_crash(f"{where} before the transaction")
        half = self._faults.random.randrange(len(outputs) + 1)
        self._kafka.write(self._id, self._epoch, self._partition, outputs[:half])
        self._faults.may_crash(f"{where} amid the transaction")
        if self._faults.strikes("broker_error", f"{where} amid the transaction"):
            self._kafka.end_transaction(self._id, self._epoch, committed=False)
            raise BrokerError("simulated: transaction aborted")
        self._kafka.write(self._id, self._epoch, self._partition, outputs[half:])
        self._faults.may_crash(f"{where} before the commit")
        self._kafka.end_transaction(self._id, self._epoch, committed=True)
        self._faults.may_crash(f"{where} after the commit")
        if self._faults.strikes("answer_lost", f"{where} commit"):
            raise BrokerError("simulated: the answer to a commit was lost")

    def close(self) -> None:
        return None


class SimulatedReader:
    """What publisher and notifier read with: fixed partitions, a group's committed offsets."""

    def __init__(
        self,
        kafka: SimulatedKafka,
        group: str,
        topics: Sequence[str],
        partitions: Sequence[int],
        faults: Faults,
    ) -> None:
        self._kafka = kafka
        self._group = group
        self._faults = faults
        self._assigned = [(topic, partition) for topic in topics for partition in partitions]
        self._next = {where: self._offset(where) for where in self._assigned}
        self._ends_first = self.known_ends()
        self._paused: set[str] = set()

    def _offset(self, where: tuple[str, int]) -> int:
        return self._kafka.group_offsets.get((self._group, *where), 0)

    def poll(self, records_max: int, timeout_s: float) -> list[ReadRecord]:
        self._faults.may_crash(f"{self._group} before poll")
        found: list[ReadRecord] = []
        room = self._faults.random.randint(1, records_max)
        for topic, partition in self._assigned:
            if topic in self._paused:
                continue
            where = (topic, partition)
            for offset, stored in self._kafka.read(topic, partition, self._next[where]):
                if len(found) >= room:
                    break
                self._next[where] = offset + 1
                found.append(
                    ReadRecord(
                        topic, partition, offset, stored.timestamp_ms, stored.key, stored.value
                    )
                )
        return found

    def pause(self, topic: str) -> None:
        self._paused.add(topic)

    def resume(self, topic: str) -> None:
        self._paused.discard(topic)

    def commit(self, positions: Mapping[tuple[str, int], int]) -> None:
        self._faults.may_crash(f"{self._group} before commit of offsets")
        self._faults.may_fail(f"{self._group} commit of offsets")
        for (topic, partition), offset in positions.items():
            self._kafka.group_offsets[self._group, topic, partition] = offset
        self._faults.may_crash(f"{self._group} after commit of offsets")

    def committed(self) -> dict[tuple[str, int], int]:
        self._faults.may_fail(f"{self._group} offsets")
        return {where: self._offset(where) for where in self._assigned}

    def known_ends(self) -> dict[tuple[str, int], int]:
        return {where: self._kafka.stable_end(*where) for where in self._assigned}

    def caught_up(self, topic: str) -> bool:
        return all(
            following >= self._ends_first[where] or not any(self._kafka.read(*where, following))
            for where, following in self._next.items()
            if where[0] == topic
        )

    def close(self) -> None:
        return None
