"""A Kafka in memory: partitions, transactions, fencing, control records, retention, outages.

What it does is checked against the real broker by `test_kafka_behaviour.py`; the ports that the
product reads and writes it through are in `logs.py`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from pipelines.errors import BrokerError, FencedError
from pipelines.ports import Output
from pipelines.topics import TRANSFERS, partition_of
from tests.sim.clock import Time

OPEN, COMMITTED, ABORTED = range(3)
TRANSACTION_TIMEOUT_MS = 10_000

#: Topic and partition.
Where = tuple[str, int]


@dataclass(eq=False)
class Transaction:
    """One producer's transaction. `unmarked`: where its control record is not written yet, with the
    offset of its first record there; readers of committed records stop at that."""

    began_ms: int
    status: int = OPEN
    unmarked: dict[Where, int] = field(default_factory=dict)


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
        """Whether it is a record and committed; asked of what is before the stable end."""
        if self.is_control:
            return False
        return self.transaction is None or self.transaction.status == COMMITTED


@dataclass
class _Log:
    """The records of a partition from offset `start` on."""

    start: int = 0
    records: list[Stored] = field(default_factory=list)
    deleted: list[tuple[int, Stored]] = field(default_factory=list)  # for the verdict alone
    unstable: list[Transaction] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.start + len(self.records)


class SimulatedKafka:
    """All partitions and the transaction coordinator. Time passes in it by `tick`."""

    def __init__(self, time: Time, partitions: int) -> None:
        self.time = time
        self.partitions = partitions
        self.away_until_ms = 0
        self.full_until_ms = 0
        self.group_offsets: dict[tuple[str, str, int], int] = {}
        self.group_claims: dict[tuple[str, str, int], str] = {}  # noted beside the offsets
        self._logs: dict[Where, _Log] = {}
        self._epochs: dict[str, int] = {}
        self._open: dict[str, Transaction] = {}
        self._ending: dict[str, Transaction] = {}  # decided, but some control records come later
        self._held: list[Callable[[], object]] = []  # what clients send again until it is taken
        self._late: list[tuple[int, Callable[[], object]]] = []

    def may_read(self, what: str) -> None:
        """Raise BrokerError while the broker is away."""
        if self.time.now_ms < self.away_until_ms:
            raise BrokerError(f"simulated: the broker is away, {what}")

    def may_write(self, what: str) -> None:
        """Raise BrokerError while the broker is away or its disk is full."""
        self.may_read(what)
        if self.time.now_ms < self.full_until_ms:
            raise BrokerError(f"simulated: the broker's disk is full, {what}")

    @property
    def takes_writes(self) -> bool:
        return self.time.now_ms >= max(self.away_until_ms, self.full_until_ms)

    def later(self, at_ms: int, request: Callable[[], object]) -> None:
        """Let a request arrive at a time, whoever waits for its answer."""
        self._late.append((at_ms, request))

    def tick(self) -> None:
        """Take what has arrived; end the transactions that lasted too long."""
        if not self.takes_writes:
            return
        held, self._held = self._held, []
        for send in held:
            send()
        due = [one for one in self._late if one[0] <= self.time.now_ms]
        self._late = [one for one in self._late if one[0] > self.time.now_ms]
        for _, request in due:
            request()
        for transactional_id in list(self._open):
            began_ms = self._open[transactional_id].began_ms
            if self.time.now_ms - began_ms > TRANSACTION_TIMEOUT_MS:
                self.time_out(transactional_id)

    def end(self, topic: str, partition: int) -> int:
        """Return the offset after the last record, committed or not."""
        return self._log((topic, partition)).end

    def start(self, topic: str, partition: int) -> int:
        """Return the first offset that is kept."""
        return self._log((topic, partition)).start

    def _log(self, where: Where) -> _Log:
        log = self._logs.get(where)
        if log is None:
            log = self._logs[where] = _Log()
        return log

    def send(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        client_id: str = "",
    ) -> None:
        """Write one record as a client that tries until it has an answer."""
        if self.takes_writes:
            self.append(topic, partition, key, value, client_id)
        else:
            self._held.append(lambda: self.append(topic, partition, key, value, client_id))

    def append(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        client_id: str = "",
    ) -> int:
        """Write one record outside any transaction; return its offset. Raises BrokerError."""
        self.may_write(topic)
        log = self._log((topic, partition))
        log.records.append(Stored(key, value, self.time.now_ms, client_id))
        return log.end - 1

    def stable_end(self, topic: str, partition: int) -> int:
        """Return the last stable offset: the first record of an open transaction, or the end."""
        where = (topic, partition)
        log = self._log(where)
        return min((one.unmarked[where] for one in log.unstable), default=log.end)

    def read(self, topic: str, partition: int, offset: int) -> Iterator[tuple[int, Stored]]:
        """Yield readable records from an offset, or the first that is kept, to the stable end."""
        log = self._log((topic, partition))
        for at in range(max(offset, log.start), self.stable_end(topic, partition)):
            stored = log.records[at - log.start]
            if stored.is_readable:
                yield at, stored

    def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Forget the records before an offset, at most all."""
        log = self._log((topic, partition))
        gone = min(offset, log.end) - log.start
        if gone > 0:
            log.deleted += enumerate(log.records[:gone], log.start)
            log.start += gone
            del log.records[:gone]

    def all_that_was(self, topic: str, partition: int) -> Iterator[tuple[int, Stored]]:
        """Yield readable records from the first that there ever was, deleted ones too."""
        deleted = self._log((topic, partition)).deleted
        yield from (one for one in deleted if one[1].is_readable)
        yield from self.read(topic, partition, 0)

    def init_transactions(self, transactional_id: str) -> int:
        """Fence older producers of this id, abort what they left open; return the epoch."""
        self.may_write("init_transactions")
        self._mark_all(transactional_id)
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
        self.may_write("a transaction")
        self.check(transactional_id, epoch)
        self._mark_all(transactional_id)
        transaction = self._open.setdefault(transactional_id, Transaction(self.time.now_ms))
        for topic, key, value in outputs:
            place = partition if topic != TRANSFERS else partition_of(key, self.partitions)
            log = self._log((topic, place))
            if (topic, place) not in transaction.unmarked:
                transaction.unmarked[topic, place] = log.end
                log.unstable.append(transaction)
            log.records.append(Stored(key, value, self.time.now_ms, transaction=transaction))

    def end_transaction(
        self, transactional_id: str, epoch: int, committed: bool, is_slow: bool = False
    ) -> None:
        """Commit or abort; the control records are written now, or later where it is slow."""
        self.may_write("the end of a transaction")
        self.check(transactional_id, epoch)
        self._end(transactional_id, COMMITTED if committed else ABORTED, is_slow)

    def time_out(self, transactional_id: str) -> None:
        """Do as a broker does where a transaction lasts too long: abort it and fence its owner."""
        if transactional_id in self._open:
            self._end(transactional_id, ABORTED)
            self._epochs[transactional_id] += 1

    def _end(self, transactional_id: str, status: int, is_slow: bool = False) -> None:
        transaction = self._open.pop(transactional_id, None)
        if transaction is None:
            return
        transaction.status = status
        self._ending[transactional_id] = transaction
        if not is_slow:
            self._mark_all(transactional_id)
            return
        for count, where in enumerate(sorted(transaction.unmarked)):
            at_ms = self.time.now_ms + 300 * count
            self.later(at_ms, lambda where=where: self._mark(where, transaction))  # type: ignore[misc]

    def _mark_all(self, transactional_id: str) -> None:
        """Write the control records that a transaction still waits for: the next comes after."""
        transaction = self._ending.pop(transactional_id, None)
        if transaction is not None:
            for where in sorted(transaction.unmarked):
                self._mark(where, transaction)

    def _mark(self, where: Where, transaction: Transaction) -> None:
        if transaction.unmarked.pop(where, None) is None:
            return
        log = self._log(where)
        log.unstable.remove(transaction)
        log.records.append(Stored(None, None, self.time.now_ms, is_control=True))
