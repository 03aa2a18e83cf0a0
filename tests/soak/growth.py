"""What grew over the samples of a soak, as a table, a verdict and a picture."""

import statistics
from pathlib import Path

from deploy.edge.bounds import HISTORY_ALL_BYTES_MAX
from tests.soak.chart import chart, write
from tests.soak.sample import MIB, Sample

#: What may be had more at the end than after the first third, by which caches are full.
MEMORY_SLACK, MEMORY_SLACK_MIB = 0.10, 24.0
DESCRIPTORS_SLACK, THREADS_SLACK = 12, 6
#: The edge fills its history, which is bounded in sum, and needs some beside it.
EDGE_MIB_MAX = 1.2 * HISTORY_ALL_BYTES_MAX / MIB + 128
#: Java fills its heap (`deploy/local/broker.py`) before it tidies up, and needs more beside it.
KAFKA_MIB_MAX = 512 + 256
#: Open bets are held in memory and cost this much each; the load never settles its events.
OPEN_BET_MIB = 600 / 2**20
#: They hold the open bets: the shards, and what folds one shard's journal to write a snapshot.
HOLDERS = frozenset({"shard", "snapshot being written"})
BOUNDED_MIB = {"edge": EDGE_MIB_MAX, "Kafka": KAFKA_MIB_MAX}


def table(samples: list[Sample]) -> list[str]:
    """First third against the end, for each role."""
    early, late = samples[len(samples) // 3], samples[-1]
    rows = [f"{'':14} {'MiB':>15} {'descriptors':>15} {'threads':>13}"]
    for role in sorted(late.usage.keys() & early.usage.keys()):
        a, b = early.usage[role], late.usage[role]
        rows.append(
            f"{role:14} {a.memory_mib:7.0f} {b.memory_mib:7.0f} {a.descriptors:7} {b.descriptors:7}"
            f" {a.threads:6} {b.threads:6}"
        )
    latencies = [s.p99_ms for s in samples if s.p99_ms is not None]
    rates = [s.bets_per_second for s in samples if s.bets_per_second is not None]
    p50 = statistics.median([s.p50_ms for s in samples if s.p50_ms is not None])
    rows.append(
        f"{statistics.mean(rates):.0f} bets/s; bet to odds p50 {p50:.1f} ms, "
        f"p99 {statistics.median(latencies):.1f} ms (medians over {len(samples)} samples)"
    )
    return rows


def growth(samples: list[Sample], open_bets: int) -> list[str]:
    """What grew more than it may between the first third and the end."""
    early, late = samples[len(samples) // 3], samples[-1]
    found = []
    for role in sorted(late.usage.keys() & early.usage.keys()):
        a, b = early.usage[role], late.usage[role]
        allowed = a.memory_mib * MEMORY_SLACK + MEMORY_SLACK_MIB
        if role in HOLDERS:
            allowed += open_bets * OPEN_BET_MIB
        if role in BOUNDED_MIB:
            allowed = BOUNDED_MIB[role] - a.memory_mib
        if b.memory_mib - a.memory_mib > allowed:
            found.append(f"{role}: {a.memory_mib:.0f} to {b.memory_mib:.0f} MiB")
        if b.descriptors - a.descriptors > DESCRIPTORS_SLACK:
            found.append(f"{role}: {a.descriptors} to {b.descriptors} descriptors")
        if b.threads - a.threads > THREADS_SLACK:
            found.append(f"{role}: {a.threads} to {b.threads} threads")
    return found


def draw(samples: list[Sample], file: Path) -> None:
    """Memory of each role, its descriptors and threads, the latency and the bets, over time."""
    roles = ("shard", "publisher", "notifier", "edge", "Kafka", "supervisor", "metrics")

    def lines(name: str) -> dict[str, list[tuple[float, float]]]:
        return {
            role: [(s.at_s, getattr(s.usage[role], name)) for s in samples if role in s.usage]
            for role in roles
        }

    latency = {
        name: [(s.at_s, v) for s in samples if (v := getattr(s, field)) is not None]
        for name, field in (("p50", "p50_ms"), ("p99", "p99_ms"))
    }
    rate = [(s.at_s, s.bets_per_second) for s in samples if s.bets_per_second is not None]
    waiting = [(s.at_s, s.bets_waiting) for s in samples]
    pictures = (
        chart("memory of its own", "MiB", lines("memory_mib")),
        chart("file descriptors", "", lines("descriptors")),
        chart("threads", "", lines("threads")),
        chart("bet to odds", "ms", latency),
        chart("bets answered a second", "", {"bets/s": rate}),
        chart("bets waiting in Kafka", "", {"bets": waiting}),
    )
    write(file, pictures)
