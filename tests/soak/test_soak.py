"""The whole system under steady load; nothing it uses may grow. `make soak` takes 30 minutes.

SOAK_MINUTES is how long, SOAK_RATE the bets/s, SOAK_SVG where to draw. With OVERLOAD=3 the load is
first searched for, then three times of it comes for OVERLOAD_MINUTES: bets must wait in Kafka and
not in memory, and soon afterwards the latency must be what it was. Printed: a table and a verdict.
"""

import os
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.attach import attached_settings
from deploy.edge.bounds import HISTORY_ALL_BYTES_MAX
from pipelines.settings import load_settings
from tests.chaos.conftest import EVENTS, PARTITIONS
from tests.chaos.strikes import answers_per_second, wait_for_bets
from tests.chaos.watch import audited
from tests.soak.chart import chart, write
from tests.soak.paced_load import PacedLoad
from tests.soak.sample import MIB, Sample, Sampler
from tests.system.conftest import Running, Start
from tests.system.conftest import environment as environment
from tests.system.conftest import start as start

pytestmark = [pytest.mark.kafka, pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(7_200)]

SHORT_S = 20.0
MINUTES = float(os.environ.get("SOAK_MINUTES", SHORT_S / 60))
RATE = int(os.environ.get("SOAK_RATE", "300"))
OVERLOAD = float(os.environ.get("OVERLOAD", "0"))
OVERLOAD_MINUTES = float(os.environ.get("OVERLOAD_MINUTES", "2"))
SVG = os.environ.get("SOAK_SVG", "")
THROUGH_EDGE = 20
SEARCH_RATE = float(os.environ.get("SEARCH_RATE", "20000"))  # more than it can take
SEARCH_S = 20.0
RECOVERY_MAX_S = 120.0
DRAIN_MAX_S = 1_800.0
#: What may be had more at the end than after the first third, by which caches are full.
MEMORY_SLACK, MEMORY_SLACK_MIB = 0.10, 24.0
DESCRIPTORS_SLACK, THREADS_SLACK = 12, 6
#: The edge fills its history, which is bounded in sum; what an object costs beside its bytes too.
EDGE_MIB_MAX = 3 * HISTORY_ALL_BYTES_MAX / MIB
#: Java fills its heap (`deploy/local/broker.py`) before it tidies up, and needs more beside it.
KAFKA_MIB_MAX = 512 + 256
#: Open bets are held in memory and cost this much each; the load never settles its events.
OPEN_BET_MIB = 600 / 2**20
BOUNDED_MIB = {"edge": EDGE_MIB_MAX, "Kafka": KAFKA_MIB_MAX}


@pytest.fixture(scope="module")
def running(environment: dict[str, str], start: Start) -> Running:
    """The system, with few bettors at the edge; the others come through Kafka."""
    environment["OVERROUND_BETS_PER_SECOND"] = str(THROUGH_EDGE)
    made = start()
    made.wait_for("bets/s")
    wait_for_bets(made)
    return made


def load_on(running: Running, rate: float) -> PacedLoad:
    """A load of so many bets/s, straight into Kafka."""
    settings, _ = attached_settings(load_settings(running.environment))
    load = PacedLoad(settings.kafka_bootstrap_servers, PARTITIONS, EVENTS)
    load.start()
    load.pace(rate)
    return load


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Iterator[list[str]]:
    """Lines that are printed at the end, also when the test fails."""
    lines: list[str] = []
    yield lines
    with capsys.disabled():
        print("\n" + "\n".join(lines))


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
        if role == "shard":
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
    """Memory of each role, its descriptors and threads, and the latency, over time."""
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
    pictures = (
        chart("memory of its own", "MiB", lines("memory_mib")),
        chart("file descriptors", "", lines("descriptors")),
        chart("threads", "", lines("threads")),
        chart("bet to odds", "ms", latency),
        chart("bets answered a second", "", {"bets/s": rate}),
    )
    write(file, pictures)


@pytest.mark.skipif(OVERLOAD > 0, reason="OVERLOAD asks for the other test")
def test_nothing_grows_under_steady_load(running: Running, report: list[str]) -> None:
    load = load_on(running, RATE - THROUGH_EDGE)
    sampler = Sampler(running)
    try:
        duration_s = MINUTES * 60
        third_sent = 0
        interval_s = max(1.0, duration_s / 180)
        sampler.every(interval_s, duration_s / 3)
        third_sent = load.sent
        sampler.every(interval_s, duration_s)
        added = load.sent - third_sent
    finally:
        load.stop()
    if SVG:
        draw(sampler.samples, Path(SVG))
    found = growth(sampler.samples, added)
    report += [f"soak: {MINUTES:.1f} min at {RATE} bets/s", *table(sampler.samples)]
    report.append(f"  {added:,} bets more are open at the end than after the first third")
    report.append("verdict: nothing grows" if not found else f"verdict: GROWS {found}")
    audit = audited(running)
    report.append(audit.line("after the soak"))
    assert not audit.failed
    assert not found


@pytest.mark.skipif(OVERLOAD <= 0, reason="OVERLOAD=3 asks for it")
def test_more_than_it_can_take_waits_in_kafka(running: Running, report: list[str]) -> None:
    load = load_on(running, SEARCH_RATE)
    try:
        time.sleep(SEARCH_S / 4)
        taken = answers_per_second(running, SEARCH_S)
        load.pace(0)
        assert _drained(Sampler(running)), "it did not come to rest after the search"
        load.pace(taken / 3)
        before = Sampler(running)
        before.every(2.0, SEARCH_S)
        p99_before = statistics.median([s.p99_ms for s in before.samples if s.p99_ms is not None])

        sampler, sent = Sampler(running), load.sent
        load.pace(taken * OVERLOAD)
        sampler.every(3.0, OVERLOAD_MINUTES * 60)
        added = load.sent - sent
        ended_s = time.monotonic()
        load.pace(0)
        drained = _drained(sampler)
        drain_s = time.monotonic() - ended_s
        load.pace(taken / 3)
        recovered_s = _recovered(running, max(2 * p99_before, p99_before + 20))
    finally:
        load.stop()
    if SVG:
        draw(sampler.samples, Path(SVG))
    found = growth(sampler.samples, added)
    report += [
        f"overload: it takes {taken:.0f} bets/s; {added / OVERLOAD_MINUTES / 60:.0f} bets/s came "
        f"for {OVERLOAD_MINUTES:.1f} min, {added:,} bets",
        *table(sampler.samples),
        f"what waited in Kafka was answered {drain_s:.0f} s after the end of the overload",
        f"p99 at a third of what it takes: {p99_before:.0f} ms before; no worse than twice that "
        f"{recovered_s:.0f} s after the drain"
        if recovered_s is not None
        else f"p99 {p99_before:.0f} ms before, NOT recovered in {RECOVERY_MAX_S:.0f} s",
        "verdict: nothing grows but open bets" if not found else f"verdict: GROWS {found}",
    ]
    audit = audited(running)
    report.append(audit.line("after the overload"))
    assert drained
    assert recovered_s is not None
    assert not audit.failed
    assert not found


def _drained(sampler: Sampler) -> bool:
    """Sample until the rate of answers is down to that of the bettors at the edge."""
    deadline_s = time.monotonic() + DRAIN_MAX_S
    while time.monotonic() < deadline_s:
        rate = sampler.take().bets_per_second
        if rate is not None and rate < THROUGH_EDGE * 3:
            return True
        time.sleep(2)
    return False


def _recovered(running: Running, p99_ms: float) -> float | None:
    """Seconds until the latency is no worse than this; None where that takes too long."""
    sampler = Sampler(running)
    while time.monotonic() - sampler.began_s < RECOVERY_MAX_S:
        sample = sampler.take()
        if sample.p99_ms is not None and sample.p99_ms <= p99_ms:
            return sample.at_s
        time.sleep(1)
    return None
