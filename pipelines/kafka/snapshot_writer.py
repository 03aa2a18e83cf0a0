"""Writes one snapshot of a partition from its journal, in whatever process calls it."""

from collections.abc import Callable
from typing import NamedTuple

from pipelines.clock import SystemClock
from pipelines.kafka.journal_tail import KafkaJournalTail
from pipelines.kafka.snapshot_store import KafkaSnapshotStore
from pipelines.settings import Settings
from pipelines.standby import Standby

__all__ = ["Written", "write_snapshot"]


class Written(NamedTuple):
    """What was folded, and whether it was written; of an empty journal nothing has to be."""

    shard_seq: int
    saved: bool


def write_snapshot(settings: Settings, partition: int, go_on: Callable[[], bool]) -> Written:
    """Fold the journal from the newest snapshot to its present end and write the next snapshot.

    Raises BrokerError, JournalError, CodecError.
    """
    standby = Standby(
        partition,
        KafkaJournalTail(settings, partition),
        SystemClock(),
        KafkaSnapshotStore(settings, partition),
    )
    try:
        shard_seq = standby.finish().shard_seq
        return Written(shard_seq, not shard_seq or standby.save(go_on))
    finally:
        standby.close()
