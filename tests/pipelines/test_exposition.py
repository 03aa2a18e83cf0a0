"""Merged metrics are one valid text, as Prometheus' own parser and promtool see it."""

import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipelines.exposition import merge
from pipelines.metrics import CountedNotifier, CountedPublisher, ShardMetrics, render


def pages() -> list[bytes]:
    shards = [ShardMetrics(0), ShardMetrics(1)]
    for shard in shards:
        shard.follow(lambda: {"open_bets": 7, "markets": 3, "events": 2, "lag": {"bets": 5}})
        shard.restored(0.5, 10)
        shard.answers({"accepted": 3, "rejected": 1})
        shard.bet_latencies([0.001, 0.004, 0.2])
        shard.committed(4, 4, 2, 0.003)
    publisher, notifier = CountedPublisher(), CountedNotifier()
    publisher.taken("odds", 12)
    publisher.refused("receipt", 40_012)
    publisher.retried(50_000)
    publisher.unreadable("odds")
    notifier.pushed("win")
    notifier.push_refused("loss", 40_000)
    notifier.push_skipped("win")
    notifier.stale()
    notifier.unreadable()
    notifier.retried("edge")
    registries = [*(s.registry for s in shards), publisher.registry, notifier.registry]
    return [render(registry) for registry in registries]


UP = {"shard-000": 1, "shard-001": 1, "publisher": 1, "notifier": 0}


def test_each_family_stands_once_and_no_sample_is_lost() -> None:
    merged = merge(pages(), UP).decode()
    heads = [line for line in merged.splitlines() if line.startswith("# TYPE ")]
    assert len(heads) == len(set(heads))
    samples = [
        (sample.name, tuple(sorted(sample.labels.items())), sample.value)
        for family in text_string_to_metric_families(merged)
        for sample in family.samples
    ]
    assert len({(name, labels) for name, labels, _ in samples}) == len(samples)
    before = sum(
        not line.startswith("#") for page in pages() for line in page.decode().splitlines()
    )
    assert len(samples) == before + len(UP)
    found = {(name, labels): value for name, labels, value in samples}
    for partition in ("0", "1"):
        latency = ("overround_bet_latency_seconds_count", (("partition", partition),))
        assert found[latency] == 3
        for name, value in (("open_bets", 7), ("open_markets", 3), ("bets_lag", 5)):
            assert found[f"overround_{name}", (("partition", partition),)] == value
    assert found["overround_actor_up", (("actor", "notifier"),)] == 0


def test_nothing_to_merge_is_an_empty_text() -> None:
    assert merge([], {}) == b""


def test_names_and_labels_are_few_and_of_one_kind() -> None:
    for family in text_string_to_metric_families(merge(pages(), UP).decode()):
        assert family.name.startswith("overround_")
        assert family.documentation
        for sample in family.samples:
            assert not set(sample.labels) & {"event", "event_id", "bettor", "client_id", "bet_id"}


@pytest.mark.prometheus
def test_promtool_finds_nothing_to_complain_about() -> None:
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=merge(pages(), UP),
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout.decode() + checked.stderr.decode()
