"""Actor `notifier`: hosts the loop that pushes wins, losses, refunds and starts."""

from actors.fan_out_loop import FanOutLoop
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


def _loop(settings: Settings, partitions: tuple[int, ...], metrics: CountedNotifier) -> FanOutLoop:
    clock = SystemClock()
    servers, group = settings.kafka_bootstrap_servers, f"{settings.application}-notifier"
    edge = EdgeClient(settings.ably_url, settings.ably_api_key, clock)
    notices = KafkaNoticeLog(servers, group)
    query = RayShardQuery()
    return FanOutLoop(
        lambda claim: CommittedReader(servers, group, (JOURNAL,), partitions, claim),
        lambda reader: NotifierLoop(reader, query, edge, notices, clock, settings, metrics),
        (notices.close, edge.close),
        metrics.unread.follow,
    )


class Notifier:
    """Tells bettors how their bets came out."""

    def __init__(
        self, name: str, version: str, settings: Settings, partitions: tuple[int, ...]
    ) -> None:
        metrics = CountedNotifier(name)
        self._host = Host(
            name,
            version,
            lambda: _loop(settings, partitions, metrics),
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
