"""A hot event is spread over two shards on a real broker while bets flow, and comes back."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.audit import run_audit
from deploy.isolate import move_markets
from pipelines.messages.isolation_operations import EventIsolated, EventRejoined
from pipelines.settings import Settings
from pipelines.topics import partition_of
from tests.pipelines.audit.test_audit_kafka import EVENT_IDS, PARTITIONS, Desk, Shards, wait

EVENT = EVENT_IDS[0]
HOME = partition_of(EVENT.encode(), PARTITIONS)
GUEST = 1 - HOME
BETS = 3_000


@pytest.fixture
def settings(fresh_topics: Callable[[int], str], tmp_path: Path) -> Settings:
    return Settings(
        kafka_bootstrap_servers=fresh_topics(PARTITIONS),
        data_dir=str(tmp_path),
        partitions=PARTITIONS,
        transaction_records_max=50,
    )


def test_markets_move_while_bets_flow_and_over_a_restart(settings: Settings) -> None:
    desk = Desk(settings.kafka_bootstrap_servers)
    first = Shards(settings)
    try:
        desk.open()
        wait(lambda: sum(int(str(s.status()["markets"])) for s in first.loops) == 6)
        bettors = threading.Thread(target=desk.bet, args=(0, BETS))
        bettors.start()
        there = move_markets(settings, EventIsolated(EVENT, (GUEST,)))
        assert {m: at for m, (at, _) in there.arrived.items()} == {"fixed": GUEST, "pool": GUEST}
        back = move_markets(settings, EventRejoined(EVENT, ("pool",)))
        assert {m: at for m, (at, _) in back.arrived.items()} == {"pool": HOME}
        assert not there.refused
        bettors.join()
        desk.bet(BETS, 30)
        wait(lambda: first.bets() > BETS // 2)
    finally:
        first.stop()  # with one market away
    second = Shards(settings)
    try:
        desk.settle()
        wait(lambda: run_audit(settings, False, False, second.ask).figures.markets_settled == 6)
        wait(lambda: run_audit(settings, False, True, second.ask).holds)
        report = run_audit(settings, False, True, second.ask)
        assert report.figures.accepted == BETS + 30
        assert second.loops[GUEST].holder_of(EVENT, "fixed") == GUEST
        assert second.loops[HOME].holder_of(EVENT, "fixed") == GUEST
        assert second.loops[GUEST].holder_of(EVENT, "pool") == HOME
        refused = move_markets(settings, EventIsolated(EVENT, (GUEST,), ("nothing",))).refused
        assert refused[0][1] == "INVALID_MARKET_ID"
    finally:
        second.stop()
