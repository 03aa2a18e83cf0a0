"""An edge in memory: Ably's rules for ids, its limits, and answers that come late or not at all.

A request may be heard after its sender gave up, even after the next one; channels are apart from
each other, so that part of a request may be taken and the rest not. What came to a channel late
carries a number that its readers have passed: they drop it, as the pages do.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from pipelines.errors import EdgeError
from pipelines.limits import ABLY_MESSAGES_PER_CHANNEL_PER_SECOND
from pipelines.ports import Publication, Push, Taken
from tests.sim.clock import Time
from tests.sim.faults import Faults

IDEMPOTENCY_MS = 120_000
LATE_MS_MAX = 20_000
#: What the account may send in a second, low enough to be met.
ACCOUNT_MESSAGES_PER_SECOND = 60
NO_ANSWER = EdgeError("simulated: no answer in time", 50003, 503)


#: Bettor, event, market, kind, settlement: what may be pushed once after it is noted.
PushKey = tuple[str, ...]


def push_key(client_id: str, fields: Mapping[str, object]) -> PushKey:
    """Return what makes a push the same as another."""
    names = ("event_id", "market_id", "kind", "settlement")
    return (client_id, *(str(fields.get(name) or "") for name in names))


class Heard(NamedTuple):
    """A message in a channel; `is_late`: its sender had given up waiting for the answer. `life`
    tells the processes apart that publishers ran in."""

    publication: Publication
    is_late: bool
    life: int = 0
    at_ms: int = 0


class SimulatedEdge:
    """Port `Edge`: keeps what each channel's subscribers got, in order, and every push."""

    def __init__(self, time: Time, faults: Faults, wait: Callable[[float], None]) -> None:
        self._time = time
        self._faults = faults
        self._wait = wait
        self.heard: dict[str, list[Heard]] = defaultdict(list)
        self.publisher_lives = 0
        self.publisher_life = 0  # whose requests these are
        self.pushes: list[Push] = []
        #: Pushes whose notice is kept, and those that were asked for again all the same.
        self.noticed: set[PushKey] = set()
        self.repeated: list[Push] = []
        self._ids: dict[tuple[str, str], int] = {}
        self._late: list[tuple[int, Callable[[], None]]] = []
        self._sent: dict[str, list[int]] = defaultdict(list)

    def messages(self, channel: str) -> list[Publication]:
        """Return what was heard in a channel."""
        return [heard.publication for heard in self.heard[channel]]

    def tick(self) -> None:
        """Hear the requests that have arrived by now."""
        due = [one for one in self._late if one[0] <= self._time.now_ms]
        self._late = [one for one in self._late if one[0] > self._time.now_ms]
        for _, hear in due:
            hear()

    @property
    def awaits(self) -> int:
        """How many requests are on their way without anybody who waits for them."""
        return len(self._late)

    def publish(self, publications: Sequence[Publication]) -> list[Taken]:
        faults = self._faults
        faults.may_crash("publisher before a request")
        self._be_slow("publish")
        if not self._has_room("account", len(publications), ACCOUNT_MESSAGES_PER_SECOND):
            raise EdgeError("simulated: the account's rate", 42910, 429, 0.2)
        if faults.strikes("edge_refuses", "publish as a whole"):
            raise EdgeError("simulated: 429", 42910, 429, 0.2)
        # Channels live on different servers: only within one is there an order.
        channels = list(dict.fromkeys(publication.channel for publication in publications))
        faults.random.shuffle(channels)
        taken: dict[str, Taken] = {}
        given_up = faults.strikes("edge_times_out", "publish")
        in_time = faults.random.randint(0, len(channels)) if given_up else len(channels)
        for count, channel in enumerate(channels):
            mine = [one for one in publications if one.channel == channel]
            room = ABLY_MESSAGES_PER_CHANNEL_PER_SECOND
            if faults.strikes("edge_refuses", channel) or not self._has_room(
                channel, len(mine), room
            ):
                taken[channel] = Taken(42913, True)
                continue
            taken[channel] = Taken(0, False)
            self._hear(mine, count >= in_time)
        if given_up:
            raise NO_ANSWER
        faults.may_crash("publisher after a request")
        return [taken[publication.channel] for publication in publications]

    def _hear(self, publications: Sequence[Publication], is_late: bool) -> None:
        if not is_late:
            self._take_all(publications, False)
        elif self._faults.random.random() < 0.7:  # the rest is lost on the way
            self._after_a_while(lambda: self._take_all(publications, True))

    def _after_a_while(self, hear: Callable[[], None]) -> None:
        at_ms = self._time.now_ms + self._faults.random.randint(0, LATE_MS_MAX)
        self._late.append((at_ms, hear))

    def _take_all(self, publications: Sequence[Publication], is_late: bool) -> None:
        for publication in publications:
            self._take(publication, is_late)

    def _take(self, publication: Publication, is_late: bool) -> None:
        where = (publication.channel, publication.id)
        known_ms = self._ids.get(where)
        if known_ms is not None and known_ms > self._time.now_ms - IDEMPOTENCY_MS:
            return
        self._ids[where] = self._time.now_ms
        self.heard[publication.channel].append(
            Heard(publication, is_late, self.publisher_life, self._time.now_ms)
        )

    def _has_room(self, name: str, count: int, most: int) -> bool:
        """Count messages in their second; a request that is larger than the limit goes alone."""
        since_ms = self._time.now_ms - 1_000
        sent = [at_ms for at_ms in self._sent[name] if at_ms > since_ms]
        has_room = not sent or len(sent) + count <= most
        self._sent[name] = sent + [self._time.now_ms] * count if has_room else sent
        return has_room

    def _be_slow(self, what: str) -> None:
        if self._faults.strikes("edge_slow", what):
            self._wait(self._faults.random.uniform(0.5, 9.0))

    def push(self, pushes: Sequence[Push]) -> list[Taken]:
        faults = self._faults
        faults.may_crash("notifier before a request")
        self._be_slow("push")
        if faults.strikes("edge_refuses", "push as a whole"):
            raise EdgeError("simulated: 429", 42910, 429, 0.2)
        self.repeated += [
            push for push in pushes if push_key(push.client_id, push.data) in self.noticed
        ]
        if faults.strikes("edge_times_out", "push"):
            if faults.random.random() < 0.5:
                self.pushes += pushes
            else:
                self._after_a_while(lambda: self.pushes.extend(pushes))
            raise NO_ANSWER
        self.pushes += pushes
        faults.may_crash("notifier after a request")
        return [Taken(0, False)] * len(pushes)

    def close(self) -> None:
        return None
