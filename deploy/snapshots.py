"""`overround snapshot`: writes a snapshot of each partition now.

The engine does it by itself as the journals grow. It only reads them, so it disturbs no shard.
"""

import time

from deploy.attach import attached_settings
from pipelines.errors import StackError
from pipelines.kafka.snapshot_writer import write_snapshot
from pipelines.settings import Settings

__all__ = ["snapshot_command"]


def snapshot_command(settings: Settings) -> int:
    """Fold each partition from its last snapshot on and write the next; 1 where one was not."""
    found, _ = attached_settings(settings)
    if not found.kafka_bootstrap_servers:
        raise StackError("no system runs here: start one, or set KAFKA_BOOTSTRAP_SERVERS")
    failed = 0
    for partition in range(found.partitions):
        began_s = time.monotonic()
        shard_seq, saved = write_snapshot(found, partition, lambda: True)
        failed += not saved
        took_s = time.monotonic() - began_s
        words = f"up to entry {shard_seq:,}" if saved else "FAILED"
        print(f"partition {partition}: {words}, {took_s:.1f} s")
    return 1 if failed else 0
