"""Alert rules speak of metrics that exist, are valid, and fire when they should."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from pipelines.exposition import merge
from pipelines.metrics import (
    CountedNotifier,
    CountedPublisher,
    ShardMetrics,
    SnapshotMetrics,
    render,
)
from tests.conftest import find_prometheus

ROOT = Path(__file__).parents[2]
FILE = ROOT / "deploy/alerts.yml"
RULES = {
    rule["alert"]: rule
    for group in yaml.safe_load(FILE.read_text())["groups"]
    for rule in group["rules"]
}


def exported() -> set[str]:
    """Names of all series that the actors can show."""
    shard = ShardMetrics(0)
    shard.follow(lambda: {"lag": {"bets": 1, "events": 1}})
    shard.answers({"accepted": 1})
    publisher, notifier = CountedPublisher(), CountedNotifier()
    publisher.taken("odds", 1)
    publisher.refused("odds", 40160)
    publisher.retried(429)
    publisher.unread.follow({"odds": 1})
    notifier.pushed("win")
    notifier.retried("edge")
    snapshots = SnapshotMetrics()
    snapshots.seen(0, 1, 1.0)
    registries = [shard.registry, publisher.registry, notifier.registry, snapshots.registry]
    text = merge([render(one) for one in registries], {"shard-000": 1}).decode()
    return {line.split("{")[0].split(" ")[0] for line in text.splitlines() if line[:1] not in "#"}


@pytest.mark.parametrize("name", RULES)
def test_its_metrics_are_exported(name: str) -> None:
    used = set(re.findall(r"\boverround_\w+", RULES[name]["expr"]))
    assert used
    assert used <= exported()


@pytest.mark.parametrize("name", RULES)
def test_it_says_what_to_do(name: str) -> None:
    rule = RULES[name]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["annotations"]["runbook"] == f"docs/operations.md#{name.lower()}"


def test_prometheus_loads_them() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text())
    assert config["rule_files"] == ["alerts.yml"]


CASES = {
    "OverroundActorDown": [("overround_actor_up{actor='shard-000'}", "1 1 0x20")],
    "OverroundBetsWait": [("overround_bets_lag{partition='0'}", "6000x20")],
    "OverroundStuck": [
        ("overround_bets_lag{partition='0'}", "5x20"),
        ("overround_inputs_total{partition='0'}", "100x20"),
    ],
    "OverroundInputsLost": [
        ("overround_bets_lost{partition='0'}", "3x20"),
        ("overround_events_lost{partition='0'}", "0x20"),
        ("overround_transfers_lost{partition='0'}", "0x20"),
    ],
    "OverroundUnreadLost": [("overround_unread_lost{actor='publisher',topic='odds'}", "3x20")],
    "OverroundDeadLetters": [
        ("overround_answers_total{partition='0',answer='dead_lettered'}", "0x4 1x20")
    ],
    "OverroundLongRestore": [("overround_restore_seconds{partition='0'}", "9x20")],
    "OverroundNoTarget": [("overround_inputs_total{partition='0'}", "0+10x20")],
    "OverroundSlowAnswers": [
        (f"overround_bet_latency_seconds_bucket{{partition='0',le='{le}'}}", f"0+{per_sample}x20")
        for le, per_sample in (("0.5", 90), ("1.0", 100), ("+Inf", 100))
    ],
    "OverroundPublishRefused": [
        ("overround_publish_refused_total{kind='odds',code='40160'}", "0x4 1x20")
    ],
    "OverroundPublishSlow": [
        (f"overround_publish_delay_seconds_bucket{{kind='odds',le='{le}'}}", f"0+{per_sample}x20")
        for le, per_sample in (("1.0", 90), ("2.5", 90), ("5.0", 100), ("+Inf", 100))
    ],
    "OverroundPushesRepeat": [("overround_notifier_retried_total{reason='edge'}", "0+10x40")],
    "OverroundSnapshotsOld": [("overround_snapshot_behind_records{partition='0'}", "2000000x20")],
    "OverroundLossNearLimit": [
        ("overround_house_loss_minor{partition='0'}", "81x20"),
        ("overround_house_loss_limit_minor{partition='0'}", "100x20"),
    ],
}
QUIET = {
    "OverroundActorDown": [("overround_actor_up{actor='shard-000'}", "1 1 0 1x20")],
    "OverroundBetsWait": [("overround_bets_lag{partition='0'}", "10x20")],
    "OverroundStuck": [
        ("overround_bets_lag{partition='0'}", "5x20"),
        ("overround_inputs_total{partition='0'}", "0+10x20"),
    ],
    "OverroundInputsLost": [
        (f"overround_{topic}_lost{{partition='0'}}", "0x20")
        for topic in ("bets", "events", "transfers")
    ],
    "OverroundUnreadLost": [("overround_unread_lost{actor='publisher',topic='odds'}", "0x20")],
    "OverroundDeadLetters": [
        ("overround_answers_total{partition='0',answer='accepted'}", "0+9x20")
    ],
    "OverroundLongRestore": [("overround_restore_seconds{partition='0'}", "1x20")],
    "OverroundNoTarget": [("overround_actor_up{actor='shard-000'}", "1x20")],
    "OverroundSlowAnswers": [
        (f"overround_bet_latency_seconds_bucket{{partition='0',le='{le}'}}", "0+100x20")
        for le in ("0.5", "1.0", "+Inf")
    ],
    "OverroundPublishRefused": [("overround_publish_refused_total{kind='odds',code='1'}", "7x20")],
    "OverroundPublishSlow": [
        (f"overround_publish_delay_seconds_bucket{{kind='odds',le='{le}'}}", "0+100x20")
        for le in ("1.0", "2.5", "+Inf")
    ],
    "OverroundPushesRepeat": [("overround_notifier_retried_total{reason='edge'}", "0+1x40")],
    "OverroundSnapshotsOld": [
        ("overround_snapshot_behind_records{partition='0'}", "2000000x4 0+50000x16")
    ],
    "OverroundLossNearLimit": [
        ("overround_house_loss_minor{partition='0'}", "79x20"),
        ("overround_house_loss_minor{partition='1'}", "79x20"),
        ("overround_house_loss_limit_minor{partition='0'}", "100x20"),
        ("overround_house_loss_limit_minor{partition='1'}", "0x20"),
    ],
}


@pytest.fixture(scope="module")
def promtool() -> str:
    if find_prometheus() is None:
        pytest.skip("promtool is not installed: the rules were not run")
    return "promtool"


@pytest.mark.prometheus
def test_promtool_takes_them(promtool: str) -> None:
    done = subprocess.run([promtool, "check", "rules", str(FILE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.prometheus
def test_promtool_takes_the_configuration(promtool: str) -> None:
    file = ROOT / "deploy/prometheus.yml"
    done = subprocess.run([promtool, "check", "config", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(RULES)} rules found" in done.stdout


@pytest.mark.prometheus
@pytest.mark.parametrize("fires", [True, False], ids=["fires", "stays quiet"])
@pytest.mark.parametrize("name", CASES)
def test_an_alert(promtool: str, name: str, fires: bool, tmp_path: Path) -> None:
    series = (CASES if fires else QUIET)[name]
    minutes = "8m" if name == "OverroundPushesRepeat" else "4m"
    query = f'count(ALERTS{{alertname="{name}",alertstate="firing"}})'
    wanted = [{"labels": "{}", "value": 1}] if fires else []
    test = {
        "rule_files": [str(FILE)],
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "15s",
                "input_series": [{"series": one, "values": values} for one, values in series],
                "promql_expr_test": [{"expr": query, "eval_time": minutes, "exp_samples": wanted}],
            }
        ],
    }
    file = tmp_path / "test.yml"
    file.write_text(yaml.safe_dump(test))
    done = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_tried() -> None:
    assert set(CASES) == set(QUIET) == set(RULES)
