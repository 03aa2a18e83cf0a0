"""Actor `notifier`: hosts the loop that pushes wins, losses, refunds and starts."""

import threading

from actors.host import Host
from actors.shard_query import RayShardQuery
from pipelines.clock import SystemClock
from pipelines.edge_client import EdgeClient
from pipelines.kafka.notice_log import KafkaNoticeLog
from pipelines.kafka.reader import CommittedReader
from pipelines.metrics import CountedNotifier
from pipelines.notifier.notifier import Notifier as NotifierLoop
from pipelines.settings import Settings
from pipelines.topics import JOURNAL

__all__ = ["Notifier"]


class _Loop:
    def __init__(
        self, settings: Settings, partitions: tuple[int, ...], metrics: CountedNotifier
    ) -> None:
        clock = SystemClock()
        group = f"{settings.application}-notifier"
        servers = settings.kafka_bootstrap_servers
        reader = CommittedReader(servers, group, (JOURNAL,), partitions)
        reader.assign()
        notices = KafkaNoticeLog(servers, group)
        edge = EdgeClient(settings.ably_url, settings.ably_api_key, clock)
        self._loop = NotifierLoop(reader, RayShardQuery(), edge, notices, clock, settings, metrics)
        self._close = (reader.close, notices.close, edge.close)

    def run_until(self, stop: threading.Event) -> None:
        try:
            self._loop.run(stop)
        finally:
            for close in self._close:
                close()

    def status(self) -> dict[str, object]:
        return self._loop.status()


class Notifier:
    """Tells bettors how their bets came out."""

    def __init__(
        self, name: str, version: str, settings: Settings, partitions: tuple[int, ...]
    ) -> None:
        metrics = CountedNotifier(name)
        self._host = Host(
            name,
            version,
            lambda: _Loop(settings, partitions, metrics),
            metrics.registry,
            settings.log_level,
        )

    def health(self) -> dict[str, object]:
        """Return state and progress."""
        return self._host.health()

    def metrics(self) -> bytes:
        """Return this actor's metrics as text."""
        return self._host.metrics()

    def stop(self, timeout_s: float) -> bool:
        """End the loop; return whether it ended in time."""
        return self._host.stop(timeout_s)
