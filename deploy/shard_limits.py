"""`overround limits`: what all books of a shard may lose, and a bettor may have at stake there.

Writes the operator's message to each partition and waits until its shard has taken it. It needs
Kafka alone; what a shard has not taken up yet waits for it in its partition.
"""

import time
from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from rich.console import Console
from rich.table import Table

from pipelines.errors import StackError
from pipelines.kafka.ends import Bounds
from pipelines.kafka.single_records import SingleRecords, WholeRecord
from pipelines.kafka.topic_reader import TopicReader
from pipelines.limits import SHARD_KEY_PREFIX
from pipelines.messages.entries import JournalRecord, OperationRefused, ShardRiskWasSet
from pipelines.messages.risk_operations import ShardRiskSet
from pipelines.settings import Settings
from pipelines.topics import EVENTS, JOURNAL

__all__ = ["Limits", "limits_command", "set_limits"]

SET_TIMEOUT_S: Final = 30.0
LOOK_S: Final = 0.02
_decode = msgspec.msgpack.Decoder(JournalRecord).decode


class Limits(NamedTuple):
    """Of each partition, in minor units; 0 for none."""

    loss_limit_minor: int = 0
    bettor_stake_max_minor: int = 0
    bettor_payout_max_minor: int = 0


def limits_command(settings: Settings, limits: Limits, partitions: Sequence[int]) -> int:
    """Set the limits of these partitions, or of all; return 1 where one was refused."""
    found = set_limits(settings, limits, partitions)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("partition", "answer"):
        table.add_column(column)
    for partition, refusal in sorted(found.items()):
        table.add_row(str(partition), refusal or "set")
    console = Console()
    console.print(table)
    if limits.loss_limit_minor:
        together = limits.loss_limit_minor * len(found)
        console.print(f"Together they may lose {together:,} minor units at worst.")
    return 1 if any(found.values()) else 0


def set_limits(
    settings: Settings,
    limits: Limits,
    partitions: Sequence[int] = (),
    timeout_s: float = SET_TIMEOUT_S,
) -> dict[int, str]:
    """Return by partition why its limits were refused, "" where they were set, or were so before.

    Raises StackError, BrokerError.
    """
    servers = settings.kafka_bootstrap_servers
    journal = TopicReader(servers, JOURNAL)
    records = SingleRecords(servers)
    try:
        count = journal.partitions()
        if not count:
            raise StackError(
                f"there is no topic {JOURNAL} on {servers}: nothing was ever run there"
            )
        wanted = list(partitions) or list(range(count))
        if unknown := [p for p in wanted if not 0 <= p < count]:
            raise StackError(f"partitions are 0 to {count - 1}: there is no {unknown[0]}")
        starts = {p: journal.bounds(p).end for p in wanted}
        records.send([_record(partition, limits) for partition in wanted])
        found: dict[int, str] = {}
        deadline_s = time.monotonic() + timeout_s
        while len(found) < len(wanted):
            if time.monotonic() > deadline_s:
                late = ", ".join(str(p) for p in wanted if p not in found)
                raise StackError(
                    f"no shard of {late} has answered in {timeout_s:.0f} s; it will once it runs"
                )
            for partition in wanted:
                if partition not in found:
                    answer = _answer(journal, partition, starts)
                    found |= {} if answer is None else {partition: answer}
            time.sleep(LOOK_S)
        return found
    finally:
        journal.close()
        records.close()


def _record(partition: int, limits: Limits) -> WholeRecord:
    operation = ShardRiskSet(partition, *limits)
    key = f"{SHARD_KEY_PREFIX}{partition}".encode()
    return WholeRecord(EVENTS, partition, key, msgspec.json.encode(operation), ())


def _answer(journal: TopicReader, partition: int, starts: dict[int, int]) -> str | None:
    """Return what the partition's journal says since `starts`, which goes on; None for nothing."""
    end = journal.bounds(partition).end
    if end <= starts[partition]:
        return None
    start, starts[partition] = starts[partition], end
    for record in journal.read(partition, Bounds(start, end)):
        entry = _decode(record.value or b"").entry
        if isinstance(entry, ShardRiskWasSet):
            return ""
        if isinstance(entry, OperationRefused) and entry.operation == "shard_risk_set":
            return "" if entry.code == "UNCHANGED" else f"{entry.code}: {entry.reason}"
    return None
