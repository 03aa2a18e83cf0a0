"""`overround isolate, rejoin`: a hot event's markets to other shards, and back, while bets flow.

Writes the operator's message and follows the journals until every market that left has arrived. It
needs Kafka alone; what was begun goes on if this command is cut short.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec
from rich.console import Console
from rich.table import Table

from pipelines.errors import StackError
from pipelines.kafka.ends import Bounds
from pipelines.kafka.single_records import SingleRecords, WholeRecord
from pipelines.kafka.topic_reader import TopicReader
from pipelines.messages import isolation_entries as ie
from pipelines.messages.entries import JournalRecord, OperationRefused
from pipelines.messages.isolation_operations import (
    EventIsolated,
    EventRejoined,
    IsolationOperation,
)
from pipelines.settings import Settings
from pipelines.topics import EVENTS, JOURNAL, partition_of

__all__ = ["Moved", "isolate_command", "move_markets", "rejoin_command"]

MOVE_TIMEOUT_S: Final = 120.0
LOOK_S: Final = 0.02
_decode = msgspec.msgpack.Decoder(JournalRecord).decode


@dataclass
class Moved:
    """What became of it: by market the partition it lives in and its stall (ms), and refusals."""

    home: int
    arrived: dict[str, tuple[int, int]] = field(default_factory=dict)
    refused: list[tuple[str, str, str]] = field(default_factory=list)  # market, code, reason


def isolate_command(
    settings: Settings, event_id: str, partitions: list[int], markets: list[str]
) -> int:
    """Spread an event's markets; return 1 where none moved."""
    operation = EventIsolated(event_id, tuple(partitions), tuple(markets))
    return _print(move_markets(settings, operation))


def rejoin_command(settings: Settings, event_id: str, markets: list[str]) -> int:
    """Bring an event's markets back; return 1 where none moved."""
    return _print(move_markets(settings, EventRejoined(event_id, tuple(markets))))


def move_markets(
    settings: Settings, operation: IsolationOperation, timeout_s: float = MOVE_TIMEOUT_S
) -> Moved:
    """Ask for it and wait until it is done. Raises StackError, BrokerError."""
    servers = settings.kafka_bootstrap_servers
    journal, events = TopicReader(servers, JOURNAL), TopicReader(servers, EVENTS)
    records = SingleRecords(servers)
    try:
        count = journal.partitions()
        if not count:
            raise StackError(
                f"there is no topic {JOURNAL} on {servers}: nothing was ever run there"
            )
        key = operation.event_id.encode()
        home = partition_of(key, count)
        starts = {p: journal.bounds(p).end for p in range(count)}
        value = msgspec.json.encode(operation)
        records.send([WholeRecord(EVENTS, home, key, value, ())])
        follower = _Follower(operation, home, events.bounds(home).end)
        deadline_s = time.monotonic() + timeout_s
        while not follower.done:
            if time.monotonic() > deadline_s:
                raise StackError(
                    f"after {timeout_s:.0f} s {follower.state()}; it goes on once the shards run"
                )
            for partition in range(count):
                for at_ms, record in _more(journal, partition, starts):
                    follower.see(partition, at_ms, record)
            time.sleep(LOOK_S)
        return follower.moved
    finally:
        for one in (journal, events, records):
            one.close()


def _more(
    journal: TopicReader, partition: int, starts: dict[int, int]
) -> Iterator[tuple[int, JournalRecord]]:
    end = journal.bounds(partition).end
    if end > starts[partition]:
        for record in journal.read(partition, Bounds(starts[partition], end)):
            yield record.timestamp_ms, _decode(record.value or b"")
        starts[partition] = end


class _Follower:
    """Sees what all journals say, home's and the guests', each in its own order."""

    def __init__(self, operation: IsolationOperation, home: int, events_end: int) -> None:
        self.moved = Moved(home)
        self._event_id = operation.event_id
        self._name = str(type(operation).__struct_config__.tag)
        self._home = home
        self._events_end = events_end  # what was asked lies before
        self._taken = False
        self._wanted: set[str] = set()
        self._left_ms: dict[tuple[str, int], int] = {}  # by market and its number
        self._came_ms: dict[tuple[str, int], tuple[int, int]] = {}

    def see(self, partition: int, at_ms: int, record: JournalRecord) -> None:
        entry = record.entry
        if partition == self._home and record.events_next >= self._events_end:
            self._taken = True
        if entry.event_id != self._event_id:
            return
        if isinstance(entry, ie.MarketHandedOver | ie.MarketRecalled):
            self._wanted.add(entry.market_id)
        if isinstance(entry, ie.MarketHandedOver):
            self._left_ms[entry.market_id, entry.market_seq] = at_ms
        elif isinstance(entry, ie.MarketArrived):
            self._came_ms[entry.market_id, entry.market_seq - 1] = (partition, at_ms)
        elif isinstance(entry, OperationRefused) and entry.operation == self._name:
            self.moved.refused.append((entry.market_id, entry.code, entry.reason))
        for name in self._left_ms.keys() & self._came_ms.keys():
            where, came_ms = self._came_ms[name]
            self.moved.arrived[name[0]] = (where, max(0, came_ms - self._left_ms[name]))

    @property
    def done(self) -> bool:
        return self._taken and self._wanted <= self.moved.arrived.keys()

    def state(self) -> str:
        if not self._taken:
            return "no shard has taken it up"
        return f"{len(self._wanted - self.moved.arrived.keys())} markets are still on their way"


def _print(moved: Moved) -> int:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("market", "partition", "stood still", "note"):
        table.add_column(column)
    for market_id, (partition, stall_ms) in sorted(moved.arrived.items()):
        note = "its home" if partition == moved.home else ""
        table.add_row(market_id, str(partition), f"{stall_ms} ms", note)
    for market_id, code, reason in moved.refused:
        table.add_row(market_id, str(moved.home), "", f"{code}: {reason}")
    Console().print(table)
    return 0 if moved.arrived else 1
