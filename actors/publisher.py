"""Actor `publisher`: hosts the loop that fans odds and answers out to the edge."""

from actors.fan_out_loop import FanOutLoop
from actors.host import Host
from pipelines.clock import SystemClock
from pipelines.edge_client import EdgeClient
from pipelines.kafka.reader import CommittedReader
from pipelines.metrics import CountedPublisher
from pipelines.publisher.publisher import Publisher as PublisherLoop
from pipelines.settings import Settings
from pipelines.topics import JOURNAL, ODDS

__all__ = ["Publisher"]


def _loop(settings: Settings, partitions: tuple[int, ...], metrics: CountedPublisher) -> FanOutLoop:
    clock = SystemClock()
    servers, group = settings.kafka_bootstrap_servers, f"{settings.application}-publisher"
    edge = EdgeClient(settings.ably_url, settings.ably_api_key, clock)
    return FanOutLoop(
        lambda claim: CommittedReader(servers, group, (ODDS, JOURNAL), partitions, claim),
        lambda reader: PublisherLoop(reader, edge, clock, settings, metrics),
        (edge.close,),
        metrics.unread.follow,
    )


class Publisher:
    """Publishes what is committed, in order, at the edge's pace."""

    def __init__(
        self, name: str, version: str, settings: Settings, partitions: tuple[int, ...]
    ) -> None:
        metrics = CountedPublisher(name)
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
