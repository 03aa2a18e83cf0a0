"""Actor `shard-NNN`: hosts the loop of one partition and answers queries about its books."""

import threading

from actors.host import Host
from pipelines.clock import SystemClock
from pipelines.collector import tune_collector
from pipelines.kafka.shard_log import KafkaShardLog
from pipelines.metrics import ShardMetrics
from pipelines.settings import Settings
from pipelines.shard_loop import SettledRow, ShardLoop
from pipelines.topics import BETS, EVENTS, TRANSFERS

__all__ = ["BookShard"]


class _Loop:
    """The loop in the shape that `Host` runs."""

    def __init__(self, loop: ShardLoop, log: KafkaShardLog) -> None:
        self.loop = loop
        self._log = log

    def run_until(self, stop: threading.Event) -> None:
        threading.Thread(target=self._stop_when, args=(stop,), daemon=True).start()
        tune_collector()
        self.loop.run()

    def _stop_when(self, stop: threading.Event) -> None:
        stop.wait()
        self.loop.stop()

    def status(self) -> dict[str, object]:
        status = self.loop.status()
        ends = self._log.input_ends
        lag = {}
        for topic in (BETS, EVENTS, TRANSFERS):
            read = status[f"{topic}_next"]
            if topic in ends and isinstance(read, int):
                lag[topic] = max(0, ends[topic] - read)
        return status | {"lag": lag}


class BookShard:
    """One partition's books. Nothing crosses it but control and queries."""

    def __init__(self, name: str, version: str, settings: Settings, partition: int) -> None:
        metrics = ShardMetrics(partition)
        log = KafkaShardLog(settings, partition)
        self._loop = ShardLoop(partition, log, SystemClock(), settings, metrics)
        hosted = _Loop(self._loop, log)
        metrics.follow(hosted.status)
        self._host = Host(name, version, lambda: hosted, metrics.registry, settings.log_level)

    def health(self) -> dict[str, object]:
        """Return state and progress."""
        return self._host.health()

    def metrics(self) -> bytes:
        """Return this actor's metrics as text."""
        return self._host.metrics()

    def stop(self, timeout_s: float) -> bool:
        """End the loop; return whether it ended in time."""
        return self._host.stop(timeout_s)

    def state_hash(self) -> tuple[int, str]:
        """Return the journal number reached and the hash of the state there."""
        return self._loop.state_hash()

    def bettors_of(self, event_id: str) -> list[str]:
        """Return who has an open bet on the event."""
        return self._loop.bettors_of(event_id)

    def names(self, event_id: str, market_id: str) -> tuple[str, str]:
        """Return the names of an event and a market."""
        return self._loop.names(event_id, market_id)

    def settled_bets(
        self, event_id: str, market_id: str, settlement: int, after: int, limit: int
    ) -> tuple[list[SettledRow], int | None]:
        """Return a page of a settlement's bets, and where the next begins."""
        return self._loop.settled_bets(event_id, market_id, settlement, after, limit)
