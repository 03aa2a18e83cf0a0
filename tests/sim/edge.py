"""An edge in memory: Ably's rules for ids, and answers that come late, wrong, or not at all."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from pipelines.errors import BrokerError, EdgeError
from pipelines.messages.notices import Notice
from pipelines.ports import Publication, Push, Taken
from pipelines.topics import NOTICES
from tests.sim.clock import Time
from tests.sim.faults import Faults
from tests.sim.kafka import SimulatedKafka

IDEMPOTENCY_MS = 120_000


#: Bettor, event, market, kind, settlement: what may be pushed once after it is noted.
PushKey = tuple[str, ...]


def _key(client_id: str, fields: Mapping[str, object]) -> PushKey:
    names = ("event_id", "market_id", "kind", "settlement")
    return (client_id, *(str(fields.get(name) or "") for name in names))


class SimulatedEdge:
    """Port `Edge`: keeps what each channel's subscribers got, in order, and every push."""

    def __init__(self, time: Time, faults: Faults) -> None:
        self._time = time
        self._faults = faults
        self.channels: dict[str, list[Publication]] = defaultdict(list)
        self.pushes: list[Push] = []
        #: Pushes whose notice is kept, and those that came again all the same.
        self.noticed: set[PushKey] = set()
        self.repeated: list[Push] = []
        self._ids: dict[tuple[str, str], int] = {}

    def publish(self, publications: Sequence[Publication]) -> list[Taken]:
        self._faults.may_crash("publisher before a request")
        if self._faults.strikes("edge_refuses", "publish as a whole"):
            raise EdgeError("simulated: 429", 42910, 429, 0.2)
        answers = []
        for publication in publications:
            if self._faults.strikes("edge_refuses", publication.channel):
                answers.append(Taken(42913, True))
                continue
            self._take(publication)
            answers.append(Taken(0, False))
        if self._faults.strikes("edge_times_out_after", "publish"):
            raise EdgeError("simulated: time-out after the edge took it", 50003, 503)
        self._faults.may_crash("publisher after a request")
        return answers

    def _take(self, publication: Publication) -> None:
        where = (publication.channel, publication.id)
        known_ms = self._ids.get(where)
        if known_ms is not None and known_ms > self._time.now_ms - IDEMPOTENCY_MS:
            return
        self._ids[where] = self._time.now_ms
        self.channels[publication.channel].append(publication)

    def push(self, pushes: Sequence[Push]) -> list[Taken]:
        self._faults.may_crash("notifier before a request")
        if self._faults.strikes("edge_refuses", "push as a whole"):
            raise EdgeError("simulated: 429", 42910, 429, 0.2)
        self.pushes += pushes
        self.repeated += [
            push for push in pushes if _key(push.client_id, push.data) in self.noticed
        ]
        if self._faults.strikes("edge_times_out_after", "push"):
            raise EdgeError("simulated: time-out after the edge took it", 50003, 503)
        self._faults.may_crash("notifier after a request")
        return [Taken(0, False)] * len(pushes)

    def close(self) -> None:
        return None


class SimulatedNotices:
    """Port `NoticeLog` on the simulated Kafka."""

    def __init__(self, kafka: SimulatedKafka, edge: SimulatedEdge, faults: Faults) -> None:
        self._kafka = kafka
        self._edge = edge
        self._faults = faults

    def append(self, partition: int, notices: Sequence[Notice]) -> None:
        for notice in notices:
            self._faults.may_crash("notifier amid its notices")
            if self._faults.strikes("broker_error", "notices"):
                raise BrokerError("simulated: notices")
            key, value = notice.event_id.encode(), msgspec.msgpack.encode(notice)
            self._kafka.append(NOTICES, partition, key, value)
            self._edge.noticed.add(_key(notice.client_id, msgspec.to_builtins(notice)))

    def read(self, partition: int) -> Iterator[Notice]:
        self._faults.may_fail("reading notices")
        for _, stored in self._kafka.read(NOTICES, partition, 0):
            yield msgspec.msgpack.decode(stored.value or b"", type=Notice)

    def close(self) -> None:
        return None
