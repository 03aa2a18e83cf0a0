"""`overround snapshot`: writes a snapshot of each partition, where no standby does.

It only reads the journal, so it disturbs no shard; run it now and then to keep restores short.
"""

import time

from deploy.attach import attached_settings
from pipelines.clock import SystemClock
from pipelines.errors import StackError
from pipelines.kafka.journal_tail import KafkaJournalTail
from pipelines.kafka.snapshot_store import KafkaSnapshotStore
from pipelines.settings import Settings
from pipelines.standby import Standby

__all__ = ["snapshot_command"]


def snapshot_command(settings: Settings) -> int:
    """Fold each partition from its last snapshot on and write the next; 1 where one was not."""
    found, _ = attached_settings(settings)
    if not found.kafka_bootstrap_servers:
        raise StackError("no system runs here: start one, or set KAFKA_BOOTSTRAP_SERVERS")
    failed = 0
    for partition in range(found.partitions):
        began_s = time.monotonic()
        standby = Standby(
            partition,
            KafkaJournalTail(found, partition),
            SystemClock(),
            KafkaSnapshotStore(found, partition),
        )
        try:
            state = standby.finish()
            saved = not state.shard_seq or standby.save(lambda: True)
        finally:
            standby.close()
        failed += not saved
        took_s = time.monotonic() - began_s
        words = f"up to entry {state.shard_seq:,}" if saved else "FAILED"
        print(f"partition {partition}: {words}, {took_s:.1f} s")
    return 1 if failed else 0
