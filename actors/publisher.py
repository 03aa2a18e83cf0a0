"""Actor `publisher`: hosts the loop that fans odds and answers out to the edge."""

import threading

from actors.host import Host
from pipelines.clock import SystemClock
from pipelines.edge_client import EdgeClient
from pipelines.kafka.reader import CommittedReader
from pipelines.metrics import CountedPublisher
from pipelines.publisher.publisher import Publisher as PublisherLoop
from pipelines.settings import Settings
from pipelines.topics import JOURNAL, ODDS

__all__ = ["Publisher"]


class _Loop:
    def __init__(
        self, settings: Settings, partitions: tuple[int, ...], metrics: CountedPublisher
    ) -> None:
        clock = SystemClock()
        reader = CommittedReader(
            settings.kafka_bootstrap_servers,
            f"{settings.application}-publisher",
            (ODDS, JOURNAL),
            partitions,
        )
        reader.assign()
        edge = EdgeClient(settings.ably_url, settings.ably_api_key, clock)
        self._loop = PublisherLoop(reader, edge, clock, settings, metrics)
        self._close = (reader.close, edge.close)

    def run_until(self, stop: threading.Event) -> None:
        try:
            self._loop.run(stop)
        finally:
            for close in self._close:
                close()

    def status(self) -> dict[str, object]:
        return self._loop.status()


class Publisher:
    """Publishes what is committed, in order, at the edge's pace."""

    def __init__(
        self, name: str, version: str, settings: Settings, partitions: tuple[int, ...]
    ) -> None:
        metrics = CountedPublisher(name)
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
