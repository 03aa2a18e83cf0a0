"""The shards' ports on the simulated Kafka; crashes and errors strike at every step of each."""

from collections.abc import Callable, Iterator, Sequence

import msgspec

from pipelines.errors import BrokerError, FencedError
from pipelines.ports import Output, Positions, Record
from pipelines.snapshots import Chunk, Snapshot, chunks_of, kept_from, newest
from pipelines.topics import BETS, EVENTS, JOURNAL, SNAPSHOTS, TRANSFERS
from tests.sim.faults import Faults
from tests.sim.kafka import SimulatedKafka

INPUTS = (BETS, EVENTS, TRANSFERS)
LATE_MS_MAX = 15_000


class SimulatedShardLog:
    """Port `ShardLog`."""

    def __init__(self, kafka: SimulatedKafka, partition: int, faults: Faults) -> None:
        self._kafka = kafka
        self._partition = partition
        self._faults = faults
        self._id = f"overround-{partition}"
        self._epoch = -1
        self._next = dict.fromkeys(INPUTS, 0)
        self.input_ends: dict[str, int] = {}
        #: Records that were deleted before they were read.
        self.lost = dict.fromkeys(INPUTS, 0)

    def fence(self) -> None:
        self._faults.may_crash(f"shard {self._partition} before fence")
        self._faults.may_fail(f"shard {self._partition} fence")
        self._epoch = self._kafka.init_transactions(self._id)
        self._faults.may_crash(f"shard {self._partition} after fence")

    def journal(self) -> Iterator[bytes]:
        self._kafka.may_read("the journal")
        for _, stored in self._kafka.read(JOURNAL, self._partition, 0):
            if stored.value is not None:
                yield stored.value
        self._faults.may_crash(f"shard {self._partition} after fold")

    def assign(self, positions: Positions) -> None:
        self._next = dict(zip(INPUTS, positions, strict=True))

    def poll(self, records_max: int, timeout_s: float) -> list[Record]:
        self._faults.may_crash(f"shard {self._partition} before poll")
        found: list[Record] = []
        # Any cut of any batch, and any order of the topics, is right.
        room = self._faults.random.randint(1, records_max)
        topics = list(INPUTS)
        self._faults.random.shuffle(topics)
        if self._kafka.time.now_ms < self._kafka.away_until_ms:
            return found
        for topic in topics:
            self._see_where_it_begins(topic)
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

    def _see_where_it_begins(self, topic: str) -> None:
        start, end = (ask(topic, self._partition) for ask in (self._kafka.start, self._kafka.end))
        if self._next[topic] > end:
            raise BrokerError(f"{topic}/{self._partition} ends before {self._next[topic]}")
        if self._next[topic] < start:
            self.lost[topic] += start - self._next[topic]
            self._next[topic] = start

    def commit(self, outputs: Sequence[Output], positions: Positions) -> None:
        faults, where = self._faults, f"shard {self._partition}"
        faults.may_crash(f"{where} before the transaction")
        half = faults.random.randrange(len(outputs) + 1)
        self._write(outputs[:half])
        faults.may_crash(f"{where} amid the transaction")
        if faults.strikes("transaction_aborts", where):
            self._kafka.end_transaction(self._id, self._epoch, committed=False)
            self._write(outputs[:half])
        if faults.strikes("broker_error", f"{where} amid the transaction"):
            self._kafka.end_transaction(self._id, self._epoch, committed=False)
            raise BrokerError("simulated: transaction aborted")
        if faults.strikes("broker_stops", f"{where} amid the transaction"):
            self._stop_the_broker()
        self._write(outputs[half:])
        faults.may_crash(f"{where} before the commit")
        if faults.strikes("transaction_hangs", where):
            raise BrokerError("simulated: neither commit nor abort reached the broker")
        if faults.strikes("commit_late", where):
            self._commit_later()
            raise BrokerError("simulated: the commit did not reach the broker in time")
        is_slow = faults.strikes("slow_markers", where)
        self._kafka.end_transaction(self._id, self._epoch, committed=True, is_slow=is_slow)
        faults.may_crash(f"{where} after the commit")
        if faults.strikes("answer_lost", f"{where} commit"):
            raise BrokerError("simulated: the answer to a commit was lost")
        if faults.strikes("broker_stops", f"{where} commit"):
            self._stop_the_broker()
            raise BrokerError("simulated: the broker stopped before its answer")

    def _write(self, outputs: Sequence[Output]) -> None:
        self._kafka.write(self._id, self._epoch, self._partition, outputs)

    def _stop_the_broker(self) -> None:
        """Let it be away for a while; transactions that are open stay so meanwhile."""
        away_ms = self._faults.random.choice([1_000, 5_000, 20_000])
        self._kafka.away_until_ms = self._kafka.time.now_ms + away_ms

    def _commit_later(self) -> None:
        """Let the request arrive when its sender has given up; a newer owner's epoch refuses it."""
        kafka, transactional_id, epoch = self._kafka, self._id, self._epoch

        def arrive() -> None:
            try:
                kafka.end_transaction(transactional_id, epoch, committed=True)
            except (BrokerError, FencedError):
                return  # nobody waits for the answer

        kafka.later(kafka.time.now_ms + self._faults.random.randint(0, LATE_MS_MAX), arrive)

    def close(self) -> None:
        return None


class SimulatedTail:
    """Port `JournalTail`."""

    def __init__(self, kafka: SimulatedKafka, partition: int, faults: Faults) -> None:
        self._kafka = kafka
        self._partition = partition
        self._faults = faults
        self._next = 0
        self._end_seen: int | None = None

    def start(self, journal_next: int) -> None:
        self._next = journal_next

    def reached(self) -> int:
        return self._next

    def poll(self, timeout_s: float) -> list[bytes]:
        self._faults.may_crash(f"standby {self._partition} before poll")
        if self._kafka.time.now_ms < self._kafka.away_until_ms:
            return []
        return self._values(self._faults.random.choice([1, 5, 50, 500]))

    def _values(self, room: int) -> list[bytes]:
        values: list[bytes] = []
        end = self._end_seen = self._kafka.stable_end(JOURNAL, self._partition)
        for offset, stored in self._kafka.read(JOURNAL, self._partition, self._next):
            if len(values) >= room:
                return values
            self._next = offset + 1
            if stored.value is not None:
                values.append(stored.value)
        self._next = max(self._next, end)
        return values

    def rest(self) -> Iterator[list[bytes]]:
        self._kafka.may_read("the rest of the journal")
        while self._next < self._kafka.stable_end(JOURNAL, self._partition):
            yield self._values(50)
        self._faults.may_crash(f"shard {self._partition} after fold")

    def behind(self) -> int | None:
        return None if self._end_seen is None else max(0, self._end_seen - self._next)

    def close(self) -> None:
        return None


class SimulatedSnapshots:
    """Port `SnapshotStore`: snapshots may be torn, damaged or gone."""

    def __init__(self, kafka: SimulatedKafka, partition: int, faults: Faults) -> None:
        self._kafka = kafka
        self._partition = partition
        self._faults = faults

    def load(self) -> Snapshot | None:
        if self._kafka.time.now_ms < self._kafka.away_until_ms:
            return None
        if self._faults.strikes("snapshot_lost", f"partition {self._partition}"):
            self._kafka.delete_before(SNAPSHOTS, self._partition, 1 << 62)
        return newest(chunk for _, chunk in self._numbered())

    def _numbered(self) -> Iterator[tuple[int, Chunk]]:
        for offset, stored in self._kafka.read(SNAPSHOTS, self._partition, 0):
            try:
                yield offset, msgspec.msgpack.decode(stored.value or b"", type=Chunk)
            except msgspec.MsgspecError:
                continue  # as the store on the real Kafka does

    def save(self, snapshot_id: str, snapshot: Snapshot, go_on: Callable[[], bool]) -> bool:
        first: int | None = None
        for chunk in chunks_of(snapshot_id, snapshot):
            self._faults.may_crash(f"standby {self._partition} amid a snapshot")
            if not go_on() or self._faults.strikes("broker_error", "a snapshot"):
                return False
            if self._faults.strikes("snapshot_damaged", f"chunk {chunk.number}"):
                chunk = replace_payload(chunk)
            try:
                value = msgspec.msgpack.encode(chunk)
                offset = self._kafka.append(SNAPSHOTS, self._partition, b"", value)
            except BrokerError:
                return False
            first = offset if first is None else first
        assert first is not None, "a snapshot has a last chunk at least"
        self._kafka.delete_before(SNAPSHOTS, self._partition, kept_from(self._numbered(), first))
        return True

    def close(self) -> None:
        return None


def replace_payload(chunk: Chunk) -> Chunk:
    """Return a chunk with one bit of it turned."""
    return msgspec.structs.replace(
        chunk,
        payload=bytes([chunk.payload[0] ^ 1]) + chunk.payload[1:] if chunk.payload else b"\0",
    )
