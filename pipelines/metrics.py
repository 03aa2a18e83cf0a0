"""Prometheus metrics of each component, on a registry of its own; labels are partition and code."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from pipelines.notifier.notifier import NotifierMetrics
from pipelines.publisher.publisher import PublisherMetrics
from pipelines.topics import BETS, EVENTS, TRANSFERS

__all__ = ["CountedNotifier", "CountedPublisher", "ShardMetrics", "render"]

LATENCY_BUCKETS_S = (
    0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075,
    0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 10, 30,
)  # fmt: skip


#: What a shard's status tells of its size, and of what the house has at stake.
HELD = {
    "open_bets": "Bets that wait for their result.",
    "open_markets": "Markets that the shard holds.",
    "open_events": "Events that the shard holds.",
    "house_loss_minor": "What all books may lose at worst; 0 while the shard has no limits.",
    "house_loss_limit_minor": "What all books may lose at most; 0 for no limit.",
}
_STATUS_NAMES = {"open_markets": "markets", "open_events": "events"}


def _reading(status: Callable[[], Mapping[str, object]], name: str) -> Callable[[], float]:
    def read() -> float:
        value = status().get(_STATUS_NAMES.get(name, name), 0)
        return float(value) if isinstance(value, int) else 0.0

    return read


def _topic_reading(
    status: Callable[[], Mapping[str, object]], name: str, topic: str
) -> Callable[[], float]:
    def read() -> float:
        found = status().get(name)
        return float(found.get(topic, 0)) if isinstance(found, Mapping) else 0.0

    return read


def render(registry: CollectorRegistry) -> bytes:
    """Return a registry as Prometheus reads it."""
    return generate_latest(registry)


class ShardMetrics:
    """What a shard's loop reports. Children are bound once: the loop calls these often."""

    def __init__(self, partition: int) -> None:
        self.registry = CollectorRegistry()
        labels = {"partition": str(partition)}
        self._answers = Counter(
            "overround_answers",
            "Answers to bets and what came of them, by kind.",
            ["partition", "answer"],
            registry=self.registry,
        )
        self._partition = str(partition)
        self._inputs = self._counter("overround_inputs", "Input records decided.", labels)
        self._journal = self._counter(
            "overround_journal_records", "Journal records committed.", labels
        )
        self._images = self._counter("overround_odds_images", "Odds images committed.", labels)
        self._transactions = Histogram(
            "overround_transaction_seconds",
            "From the first decision of a transaction to its commit.",
            ["partition"],
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        ).labels(**labels)
        self._latency = Histogram(
            "overround_bet_latency_seconds",
            "From a bet's append to Kafka to the commit of its answer and odds.",
            ["partition"],
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        ).labels(**labels)
        self._restore = Gauge(
            "overround_restore_seconds",
            "How long the last restore took.",
            ["partition"],
            registry=self.registry,
        ).labels(**labels)
        self._restored = Gauge(
            "overround_restored_entries",
            "Journal entries folded by the last restore.",
            ["partition"],
            registry=self.registry,
        ).labels(**labels)

        self._labels = labels

    def follow(self, status: Callable[[], Mapping[str, object]]) -> None:
        """Show what the shard holds, and how far behind it is, as of each rendering."""
        for name, text in HELD.items():
            gauge = Gauge(f"overround_{name}", text, ["partition"], registry=self.registry)
            gauge.labels(**self._labels).set_function(_reading(status, name))
        for topic in (BETS, EVENTS):
            text = f"Records of topic {topic} that wait to be decided."
            self._of_topic(f"overround_{topic}_lag", text, _topic_reading(status, "lag", topic))
        for topic in (BETS, EVENTS, TRANSFERS):
            text = f"Records of topic {topic} that Kafka deleted undecided, since the last restore."
            self._of_topic(f"overround_{topic}_lost", text, _topic_reading(status, "lost", topic))

    def _of_topic(self, name: str, text: str, read: Callable[[], float]) -> None:
        gauge = Gauge(name, text, ["partition"], registry=self.registry)
        gauge.labels(**self._labels).set_function(read)

    def _counter(self, name: str, text: str, labels: dict[str, str]) -> Counter:
        return Counter(name, text, list(labels), registry=self.registry).labels(**labels)

    def answers(self, counts: dict[str, int]) -> None:
        """Count answers by kind."""
        for name, count in counts.items():
            self._answers.labels(self._partition, name).inc(count)

    def committed(
        self, inputs: int, journal_records: int, odds_images: int, duration_s: float
    ) -> None:
        """Count one committed transaction."""
        self._inputs.inc(inputs)
        self._journal.inc(journal_records)
        self._images.inc(odds_images)
        self._transactions.observe(duration_s)

    def bet_latencies(self, seconds: Sequence[float]) -> None:
        """Observe how long each bet of a transaction took."""
        observe = self._latency.observe
        for value in seconds:
            observe(value)

    def restored(self, seconds: float, entries: int) -> None:
        """Note a finished restore."""
        self._restore.set(seconds)
        self._restored.set(entries)


class SnapshotMetrics:
    """What the keeper of the snapshots sees and has done."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(f"overround_snapshot_{name}", text, ["partition"], registry=self.registry)

        self._behind = gauge("behind_records", "Journal records since the newest snapshot.")
        self._age = gauge("age_seconds", "Since the newest snapshot was written.")
        self._seconds = gauge("write_seconds", "How long the last snapshot took to fold and write.")
        self._writes = Counter(
            "overround_snapshot_writes",
            "Snapshots, by what became of them.",
            ["partition", "outcome"],
            registry=self.registry,
        )

    def seen(self, partition: int, behind: int, age_s: float | None) -> None:
        """Note what is there of a partition."""
        self._behind.labels(str(partition)).set(behind)
        if age_s is not None:
            self._age.labels(str(partition)).set(age_s)

    def written(self, partition: int, seconds: float) -> None:
        """Count one that was written."""
        self._writes.labels(str(partition), "written").inc()
        self._seconds.labels(str(partition)).set(seconds)

    def failed(self, partition: int) -> None:
        """Count one that was not."""
        self._writes.labels(str(partition), "failed").inc()


class _Unread:
    """Records that a publisher or notifier did not come to see, as its reader counts them."""

    def __init__(self, actor: str, registry: CollectorRegistry) -> None:
        self._actor = actor
        self._gauge = Gauge(
            "overround_unread_lost",
            "Records that Kafka deleted before they were shown or pushed, since the last start.",
            ["actor", "topic"],
            registry=registry,
        )

    def follow(self, lost: Mapping[str, int]) -> None:
        """Show these counts, by topic, as of each rendering."""
        for topic in lost:
            self._gauge.labels(self._actor, topic).set_function(partial(_count, lost, topic))


def _count(counts: Mapping[str, int], topic: str) -> float:
    return float(counts[topic])


class CountedPublisher(PublisherMetrics):
    """Counts what the publisher did."""

    def __init__(self, actor: str = "publisher") -> None:
        self.registry = CollectorRegistry()
        self.unread = _Unread(actor, self.registry)
        self._actor = actor
        self._taken = Counter(
            "overround_published",
            "Messages taken by the edge.",
            ["actor", "kind"],
            registry=self.registry,
        )
        self._delay = Histogram(
            "overround_publish_delay_seconds",
            "From a record's append to Kafka to the edge's yes.",
            ["actor", "kind"],
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self._refused = Counter(
            "overround_publish_refused",
            "Messages refused by the edge for good.",
            ["actor", "kind", "code"],
            registry=self.registry,
        )
        self._retried = Counter(
            "overround_publish_retried",
            "Publishes to repeat.",
            ["actor", "code"],
            registry=self.registry,
        )
        self._unreadable = Counter(
            "overround_publish_unreadable",
            "Records passed over.",
            ["actor", "topic"],
            registry=self.registry,
        )

    def taken(self, kind: str, delay_ms: int) -> None:
        self._taken.labels(self._actor, kind).inc()
        self._delay.labels(self._actor, kind).observe(delay_ms / 1_000)

    def refused(self, kind: str, code: int) -> None:
        self._refused.labels(self._actor, kind, str(code)).inc()

    def retried(self, code: int) -> None:
        self._retried.labels(self._actor, str(code)).inc()

    def unreadable(self, topic: str) -> None:
        self._unreadable.labels(self._actor, topic).inc()


class CountedNotifier(NotifierMetrics):
    """Counts what the notifier did."""

    def __init__(self, actor: str = "notifier") -> None:
        self.registry = CollectorRegistry()
        self.unread = _Unread(actor, self.registry)
        self._actor = actor
        self._pushes = Counter(
            "overround_pushes",
            "Pushes by kind and what became of them.",
            ["actor", "kind", "outcome"],
            registry=self.registry,
        )
        self._passed = Counter(
            "overround_notifier_passed_over",
            "Journal entries not pushed, by reason.",
            ["actor", "reason"],
            registry=self.registry,
        )
        self._retried = Counter(
            "overround_notifier_retried",
            "Work to repeat.",
            ["actor", "reason"],
            registry=self.registry,
        )

    def pushed(self, kind: str) -> None:
        self._pushes.labels(self._actor, kind, "taken").inc()

    def push_refused(self, kind: str, code: int) -> None:
        self._pushes.labels(self._actor, kind, "refused").inc()

    def push_skipped(self, kind: str) -> None:
        self._pushes.labels(self._actor, kind, "sent_before").inc()

    def stale(self) -> None:
        self._passed.labels(self._actor, "stale").inc()

    def unreadable(self) -> None:
        self._passed.labels(self._actor, "unreadable").inc()

    def retried(self, reason: str) -> None:
        self._retried.labels(self._actor, reason).inc()
