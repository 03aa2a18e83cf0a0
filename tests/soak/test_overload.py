"""More bets than the shards can take: they wait in Kafka, and nothing but open bets grows.

OVERLOAD=3 is how many times as much comes as is taken, for OVERLOAD_MINUTES. OVERLOAD_CPUS is what
processors the shards have together, so that the sender, which runs on the same ones, can send so
much; 0 leaves them free. First is found what is taken, then the latency at a third of it; after the
overload the quota is lifted, as when nodes are added, until nothing waits, and then it holds again,
so that the latency is compared with what it was. SOAK_SVG is where to draw.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.chaos.conftest import PARTITIONS
from tests.chaos.watch import audited, children
from tests.soak.conftest import THROUGH_EDGE, Say, load_on
from tests.soak.flow import Flow, flow_of
from tests.soak.growth import draw, growth, table
from tests.soak.paced_load import PacedLoad
from tests.soak.quota import NoQuotaError, Quota
from tests.soak.sample import Sample, Sampler
from tests.system.conftest import Running

OVERLOAD = float(os.environ.get("OVERLOAD", "0"))
OVERLOAD_MINUTES = float(os.environ.get("OVERLOAD_MINUTES", "2"))
OVERLOAD_CPUS = float(os.environ.get("OVERLOAD_CPUS", "0.06"))
SVG = os.environ.get("SOAK_SVG", "")

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.timeout(7_200),
    pytest.mark.skipif(OVERLOAD <= 0, reason="OVERLOAD=3 asks for it"),
]

#: The shards alone have the quota, because they are what must be overloaded. A receipt costs the
#: publisher and the edge more than its bet costs a shard: of a quota that all actors shared, the
#: shards took what they wanted, 5,900 bets/s of 6,000, and the publisher sent 840 receipts/s, not
#: 2,700. It and the notifier are free, and keep up with so few bets as they do with any load.
LIMITED = "ray::BookShard"
#: More than they can take, but no more than thrice it: the sender costs them time as well.
SEARCH_RATE = float(os.environ.get("SEARCH_RATE", OVERLOAD_CPUS * 100_000 or 20_000))
#: A shard's transaction of 2,000 bets takes it seconds then, and what is taken comes in such steps.
SEARCH_S = 30.0
SENT_SHARE_MIN = 2.9 / 3
SAMPLE_S = 3.0
TELL_S = 60.0
RECOVERY_MAX_S = 120.0
DRAIN_MAX_S = 1_800.0
WAITING_REST = 100
AUDIT_MAX_S = 3_600.0  # of millions of bets, with the publisher at their receipts beside it


@pytest.fixture
def quota() -> Iterator[Quota | None]:
    """What the shards share; None where they are free."""
    with ExitStack() as held:
        made = None
        if OVERLOAD_CPUS:
            try:
                made = held.enter_context(Quota(OVERLOAD_CPUS))
            except NoQuotaError as error:
                pytest.skip(str(error))
        yield made


def test_more_than_it_can_take_waits_in_kafka(
    quota: Quota | None, running: Running, report: list[str], say: Say
) -> None:
    shards = sorted(children(running, LIMITED))
    assert len(shards) == PARTITIONS
    if quota:
        quota.hold(shards)
    load = load_on(running, SEARCH_RATE)
    try:
        taken, p99_before = _without_overload(running, load, quota, say, report)
        began = flow_of(running, PARTITIONS)
        sampler = Sampler(running, each=_teller(running, load, quota, say))
        sent, began_s = load.sent, time.monotonic()
        load.pace(taken * OVERLOAD)
        sampler.every(SAMPLE_S, OVERLOAD_MINUTES * 60)
        added = load.sent - sent
        ended_s = time.monotonic()
        load.pace(0)
        over = flow_of(running, PARTITIONS).since(began)
        report += [
            f"overload: {added / (ended_s - began_s):,.0f} bets/s came for "
            f"{(ended_s - began_s) / 60:.1f} min, {added:,} bets; "
            f"{over.bets / (ended_s - began_s):,.0f} bets/s were answered",
            *table(sampler.samples),
            "  (the scrape target counts what takes more than 30 s as 30 s)",
            over.images_line("under overload"),
            f"{max(s.bets_waiting for s in sampler.samples):,.0f} bets waited in Kafka at the most "
            f"as the shards saw it; sent less answered were {added - over.bets:,.0f} at the end",
        ]
        say(f"the overload is over; {added - over.bets:,.0f} bets wait, the quota is lifted")
        drained = _drained(sampler, quota)
        drain_s = time.monotonic() - ended_s
        after = flow_of(running, PARTITIONS).since(began)
        load.pace(taken / 3)
        recovered_s = _recovered(running, max(2 * p99_before, p99_before + 20))
        load.pace(0)
        say(f"the shards are back after {drain_s:.0f} s; the publisher sends the rest")
        told = _told(running)
        told_s = time.monotonic() - ended_s
    finally:
        load.stop()
    if quota:
        quota.release()  # the audit asks each shard for the hash of all that it holds
    if SVG:
        draw(sampler.samples, Path(SVG))
    found = growth(sampler.samples, added)
    report += [
        f"what waited was answered {drain_s:.0f} s after the end of the overload, without the "
        f"quota; {max(after.answers - after.receipts_out, 0):,.0f} receipts waited in Kafka then, "
        f"the last was at the edge after {told_s:.0f} s",
        f"p99 at a third of what it takes: {p99_before:.0f} ms before; no worse than twice that "
        f"{recovered_s:.0f} s after the drain"
        if recovered_s is not None
        else f"p99 {p99_before:.0f} ms before, NOT recovered in {RECOVERY_MAX_S:.0f} s",
        *table(sampler.samples),
        "verdict: nothing grows but open bets" if not found else f"verdict: GROWS {found}",
    ]
    say("the audit begins")
    audit_began_s = time.monotonic()
    audit = audited(running, timeout_s=AUDIT_MAX_S)
    audit_s = time.monotonic() - audit_began_s
    report.append(audit.line("after the overload") + f"; it took {audit_s:.0f} s")
    assert added >= SENT_SHARE_MIN * OVERLOAD * taken * (ended_s - began_s), "too little was sent"
    assert drained
    assert recovered_s is not None
    assert told, "some bettors have no answer"
    assert not audit.failed
    assert not found
    assert sorted(children(running, LIMITED)) == shards, "a shard was started anew"


def _without_overload(
    running: Running, load: PacedLoad, quota: Quota | None, say: Say, report: list[str]
) -> tuple[float, float]:
    """Return how many bets/s are taken, and the p99 in milliseconds at a third of it."""
    time.sleep(SEARCH_S / 4)
    taken = _bets_per_second(running, SEARCH_S)
    load.pace(0)
    of_it = f"with {OVERLOAD_CPUS:g} processors for the shards" if quota else "without a quota"
    say(f"\nit takes {taken:,.0f} bets/s {of_it}, of {SEARCH_RATE:,.0f} bets/s that came")
    assert taken < 0.9 * SEARCH_RATE, "it takes all that came: SEARCH_RATE must be higher"
    assert _drained(Sampler(running), quota), "it did not come to rest after the search"
    load.pace(taken / 3)
    before, sampler = flow_of(running, PARTITIONS), Sampler(running)
    sampler.every(2.0, SEARCH_S)
    p99_ms = statistics.median([s.p99_ms for s in sampler.samples if s.p99_ms is not None])
    say(f"p99 at a third of it {p99_ms:.0f} ms")
    normal = flow_of(running, PARTITIONS).since(before)
    report += [f"it takes {taken:,.0f} bets/s {of_it}", normal.images_line("at a third of it")]
    return taken, p99_ms


def _bets_per_second(running: Running, over_s: float) -> float:
    first, began_s = flow_of(running, PARTITIONS), time.monotonic()
    time.sleep(over_s)
    return flow_of(running, PARTITIONS).since(first).bets / (time.monotonic() - began_s)


def _teller(
    running: Running, load: PacedLoad, quota: Quota | None, say: Say
) -> Callable[[Sample], None]:
    """Returns what is called with each sample: it keeps the quota, and says a line a minute."""
    told = Flow(), load.sent, time.monotonic()

    def tell(sample: Sample) -> None:
        nonlocal told
        if quota and quota.held():
            quota.hold(children(running, LIMITED))  # also those that are started anew
        before, sent, at_s = told
        now_s = time.monotonic()
        if before.bets and now_s - at_s < TELL_S:
            return
        now = flow_of(running, PARTITIONS)
        if before.bets:
            memory = ", ".join(
                f"{role} {sample.usage[role].memory_mib:.0f}"
                for role in ("shard", "publisher", "notifier", "edge")
                if role in sample.usage
            )
            say(
                f"{sample.at_s / 60:4.1f} min: {(load.sent - sent) / (now_s - at_s):,.0f} bets/s "
                f"come, {now.since(before).bets / (now_s - at_s):,.0f} are answered, "
                f"{now.waiting:,.0f} wait; {memory} MiB"
            )
        told = now, load.sent, now_s

    return tell


def _drained(sampler: Sampler, quota: Quota | None) -> bool:
    """Lift the quota and sample until nothing waits and only the bettors at the edge are answered;
    the quota holds again afterwards."""
    if quota:
        quota.release()
    deadline_s = time.monotonic() + DRAIN_MAX_S
    while time.monotonic() < deadline_s:
        sample = sampler.take()
        rate = sample.bets_per_second
        if rate is not None and rate < THROUGH_EDGE * 3 and sample.bets_waiting < WAITING_REST:
            break
        time.sleep(2)
    else:
        return False
    if quota:
        quota.hold(children(sampler.running, LIMITED))
    return True


def _told(running: Running) -> bool:
    """Wait until the edge has the receipt of each answer."""
    deadline_s = time.monotonic() + DRAIN_MAX_S
    while time.monotonic() < deadline_s:
        flow = flow_of(running, PARTITIONS)
        if flow.answers - flow.receipts_out < WAITING_REST:
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
