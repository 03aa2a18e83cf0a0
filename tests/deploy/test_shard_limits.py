"""Limits of shards on a real broker: each is set in its own partition, and bets are held to it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.audit import run_audit
from deploy.cli import application
from deploy.shard_limits import Limits, set_limits
from pipelines.errors import StackError
from pipelines.settings import Settings
from tests.pipelines.audit.test_audit_kafka import PARTITIONS, Desk, Shards, wait

pytestmark = pytest.mark.kafka


@pytest.fixture
def settings(fresh_topics: Callable[[int], str], tmp_path: Path) -> Settings:
    return Settings(
        kafka_bootstrap_servers=fresh_topics(PARTITIONS),
        data_dir=str(tmp_path),
        partitions=PARTITIONS,
    )


def run(settings: Settings, *arguments: str) -> tuple[int, str]:
    """Exit code of the command, and what it prints."""
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "OVERROUND_DATA_DIR": settings.data_dir,
        "COLUMNS": "200",
    }
    result = CliRunner().invoke(application, ["limits", *arguments], env=environment)
    return result.exit_code, result.output


def test_each_shard_gets_its_limits_and_keeps_them_over_a_restart(settings: Settings) -> None:
    desk = Desk(settings.kafka_bootstrap_servers)
    first = Shards(settings)
    try:
        desk.open()
        code, printed = run(settings, "--loss", "1000", "--bettor-payout", "700")
        assert code == 0, printed
        assert f"Together they may lose {PARTITIONS * 1_000:,} minor units" in printed
        assert run(settings, "--loss", "1000", "--bettor-payout", "700")[0] == 0  # so it is
        code, printed = run(settings, "--loss", "3000", "--partition", "1")
        assert (code, printed.count("set")) == (0, 1)
    finally:
        first.stop()
    second = Shards(settings)
    try:
        desk.bet(0, 200)
        wait(lambda: run_audit(settings, False, True, second.ask).holds)
        report = run_audit(settings, False, True, second.ask)
        assert report.figures.accepted > 0
        assert report.figures.rejected > 0
        for loop, limits in zip(second.loops, [(1_000, 0, 700), (3_000, 0, 0)], strict=True):
            risk = loop._state.risk
            assert risk is not None
            rules = risk.rules
            assert (
                rules.loss_limit_minor,
                rules.bettor_stake_max_minor,
                rules.bettor_payout_max_minor,
            ) == limits
            assert 0 < risk.loss_minor <= rules.loss_limit_minor
            status = loop.status()
            assert status["house_loss_minor"] == risk.loss_minor
            assert status["house_loss_limit_minor"] == limits[0]
    finally:
        second.stop()


def test_what_nobody_takes_up_says_so(settings: Settings) -> None:
    with pytest.raises(StackError, match="no shard of 0, 1 has answered in 1 s"):
        set_limits(settings, Limits(5), timeout_s=1.0)
    with pytest.raises(StackError, match="there is no 2"):
        set_limits(settings, Limits(5), [2])
