"""The ports at the rim of the pure code: logs, clock, edge. Adapters and the simulation fill them.

`pipelines/kafka/` fills the log ports with confluent-kafka, `pipelines/edge_client.py` the edge.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

__all__ = [
    "Clock",
    "Edge",
    "JournalTail",
    "Output",
    "Positions",
    "Publication",
    "Push",
    "Record",
    "ShardLog",
    "Taken",
]


class Record(NamedTuple):
    """One record of an input topic, as read."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    client_id: str = ""  # of the transport's own header; an envelope carries its own


class Positions(NamedTuple):
    """Offsets at which a shard's inputs go on."""

    bets: int = 0
    events: int = 0
    transfers: int = 0


#: One record to write in the transaction: topic, key, value. The partition is the shard's own, but
#: that of `transfers` is the key's. A plain tuple, because a shard makes one for every bet.
Output = tuple[str, bytes, bytes]


class ShardLog(Protocol):
    """A shard's transactional way to the log. One owner at a time: `fence` ends the others."""

    def fence(self) -> None:
        """Become the only writer; abort what an older owner left open. Raises BrokerError."""

    def journal(self) -> Iterator[bytes]:
        """Iterate over the committed journal's values from its start to its present end."""

    def assign(self, positions: Positions) -> None:
        """Read the inputs from these offsets on."""

    def poll(self, records_max: int, timeout_s: float) -> list[Record]:
        """Return the next input records as they arrived; may wait `timeout_s` for the first."""

    def commit(self, outputs: Sequence[Output], positions: Positions) -> None:
        """Write all outputs in one transaction, or nothing: FencedError, BrokerError."""

    def close(self) -> None:
        """Release connections; safe to call twice."""


class JournalTail(Protocol):
    """A partition's committed journal, read as it grows, by one who cannot write."""

    def start(self, journal_next: int) -> None:
        """Read from this offset on; 0 is the start."""

    def reached(self) -> int:
        """Return the offset after all that was read."""

    def poll(self, timeout_s: float) -> list[bytes]:
        """Return the next values; may wait `timeout_s` for the first. Raises BrokerError."""

    def rest(self) -> Iterator[list[bytes]]:
        """Iterate over what is left up to the present end. Raises BrokerError."""

    def behind(self) -> int | None:
        """Return how many records wait as last heard, None before anything was heard."""

    def close(self) -> None:
        """Release connections; safe to call twice."""


class Clock(Protocol):
    """Wall time and waiting, injected so that simulations own it."""

    def time_ms(self) -> int:
        """Milliseconds since 1970."""

    def monotonic_s(self) -> float:
        """Seconds on a clock that never goes back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Publication(NamedTuple):
    """One message for one channel; `id` makes a repeat harmless for two minutes."""

    channel: str
    id: str
    name: str
    data: object  # JSON-able


class Push(NamedTuple):
    """One push to all devices of a bettor."""

    client_id: str
    title: str
    body: str
    collapse_key: str
    data: dict[str, str]


class Taken(NamedTuple):
    """What Ably said of one publication or push: `code` 0 where it took it."""

    code: int
    retry: bool


class Edge(Protocol):
    """Ably or the local edge, as the publisher and the notifier need it."""

    def publish(self, publications: Sequence[Publication]) -> list[Taken]:
        """Publish in order, one request in flight; one answer each. Raises EdgeError."""

    def push(self, pushes: Sequence[Push]) -> list[Taken]:
        """Send pushes; one answer each. Raises EdgeError."""

    def close(self) -> None:
        """Release connections; safe to call twice."""
