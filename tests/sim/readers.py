"""What publisher and notifier read and note with, on the simulated Kafka; see `logs.py`."""

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from pipelines.kafka.reader import ReadRecord
from pipelines.messages.notices import Notice
from pipelines.topics import NOTICES
from tests.sim.edge import SimulatedEdge, push_key
from tests.sim.faults import Faults
from tests.sim.kafka import SimulatedKafka

SLOW_MS_MAX = 8_000


class SimulatedReader:
    """What publisher and notifier read with: fixed partitions, a group's committed offsets."""

    def __init__(
        self,
        kafka: SimulatedKafka,
        group: str,
        topics: Sequence[str],
        partitions: Sequence[int],
        faults: Faults,
        claim: str = "",
    ) -> None:
        self._kafka = kafka
        self._group = group
        self._faults = faults
        self._claim = claim
        self._assigned = [(topic, partition) for topic in topics for partition in partitions]
        self._next: dict[tuple[str, int], int] = {}
        self._ends_first: dict[tuple[str, int], int] = {}
        self._paused: set[str] = set()
        #: Records by topic that were deleted before they were read.
        self.lost = dict.fromkeys(topics, 0)
        self._slow_until_ms = dict.fromkeys(self._assigned, 0)

    def assign(self) -> None:
        self._next = {where: self._offset(where) for where in self._assigned}
        self._ends_first = self.known_ends()

    def _offset(self, where: tuple[str, int]) -> int:
        return self._kafka.group_offsets.get((self._group, *where), 0)

    @property
    def _is_away(self) -> bool:
        return self._kafka.time.now_ms < self._kafka.away_until_ms

    def poll(self, records_max: int, timeout_s: float) -> list[ReadRecord]:
        self._faults.may_crash(f"{self._group} before poll")
        found: list[ReadRecord] = []
        room = self._faults.random.choice([1, 2, 5, records_max])
        # One fetch brings what one broker has: the order between partitions means nothing.
        order = list(self._assigned)
        self._faults.random.shuffle(order)
        now_ms = self._kafka.time.now_ms
        if self._faults.strikes("partition_slow", f"{self._group}, {order[0]}"):
            slow_ms = self._faults.random.randint(0, SLOW_MS_MAX)
            self._slow_until_ms[order[0]] = now_ms + slow_ms
        for topic, partition in () if self._is_away else order:
            where = (topic, partition)
            if topic in self._paused or self._slow_until_ms[where] > now_ms:
                continue
            start = self._kafka.start(*where)
            if self._next[where] < start:
                self.lost[topic] += start - self._next[where]
                self._next[where] = start
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
        self._note(positions, self._claim)

    def _note(self, positions: Mapping[tuple[str, int], int], claims: str) -> None:
        self._faults.may_crash(f"{self._group} before commit of offsets")
        self._faults.may_fail(f"{self._group} commit of offsets")
        self._kafka.may_write("offsets")
        for (topic, partition), offset in positions.items():
            self._kafka.group_offsets[self._group, topic, partition] = offset
            self._kafka.group_claims[self._group, topic, partition] = claims
        self._faults.may_crash(f"{self._group} after commit of offsets")

    def claims(self) -> set[str]:
        self._faults.may_fail(f"{self._group} claims")
        self._kafka.may_read("claims")
        noted = {self._kafka.group_claims.get((self._group, *w), "") for w in self._assigned}
        return {claim for claims in noted for claim in claims.split()} - {self._claim}

    def claim(self, besides: Collection[str] = ()) -> None:
        positions = {where: self._offset(where) for where in self._assigned}
        self._note(positions, " ".join([self._claim, *sorted(besides)]))

    def committed(self) -> dict[tuple[str, int], int]:
        self._faults.may_fail(f"{self._group} offsets")
        self._kafka.may_read("offsets")
        return {where: self._offset(where) for where in self._assigned}

    def known_ends(self) -> dict[tuple[str, int], int]:
        return {where: self._kafka.stable_end(*where) for where in self._assigned}

    def caught_up(self, topic: str) -> bool:
        return not self._is_away and all(
            following >= self._ends_first[where] or not any(self._kafka.read(*where, following))
            for where, following in self._next.items()
            if where[0] == topic
        )

    def close(self) -> None:
        return None


class SimulatedNotices:
    """Port `NoticeLog`."""

    def __init__(self, kafka: SimulatedKafka, edge: SimulatedEdge, faults: Faults) -> None:
        self._kafka = kafka
        self._edge = edge
        self._faults = faults

    def append(self, partition: int, notices: Sequence[Notice]) -> None:
        for notice in notices:
            self._faults.may_crash("notifier amid its notices")
            self._faults.may_fail("notices")
            key, value = notice.event_id.encode(), msgspec.msgpack.encode(notice)
            self._kafka.append(NOTICES, partition, key, value)
            self._edge.noticed.add(push_key(notice.client_id, msgspec.to_builtins(notice)))

    def read(self, partition: int) -> Iterator[Notice]:
        self._faults.may_fail("reading notices")
        self._kafka.may_read("notices")
        for _, stored in self._kafka.read(NOTICES, partition, 0):
            yield msgspec.msgpack.decode(stored.value or b"", type=Notice)

    def close(self) -> None:
        return None
