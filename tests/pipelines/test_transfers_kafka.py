"""Accounts and coupons between two shards on a real broker, stopped amid it; the audit holds."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.audit import run_audit
from pipelines.settings import Settings
from pipelines.shard.bettor import bettor_key
from pipelines.topics import BETS, EVENTS, partition_of
from tests.pipelines.audit.test_audit_kafka import PARTITIONS, Desk, Shards, wait

BETTORS = tuple(f"client-{n}" for n in range(6))
RACES = ("race-a", "race-b", "race-c", "race-d")
BETS_EACH = 20


@pytest.fixture
def settings(fresh_topics: Callable[[int], str], tmp_path: Path) -> Settings:
    return Settings(
        kafka_bootstrap_servers=fresh_topics(PARTITIONS),
        data_dir=str(tmp_path),
        partitions=PARTITIONS,
        transaction_records_max=20,
    )


def opened(desk: Desk) -> None:
    for race in RACES:
        desk.say(EVENTS, race, {"type": "event_opened"})
        selections = [{"selection_id": s, "odds_e4": 30_000} for s in range(3)]
        market = {"market_id": "m", "accounts": True, "selections": selections}
        desk.say(EVENTS, race, {"type": "market_opened", "market": market})
    for bettor in BETTORS:
        key, who = bettor_key(bettor), {"client_id": bettor}
        desk.say(EVENTS, key, {"type": "account_set", **who})
        money = {"reference": "d", "amount_minor": 1_500}
        desk.say(EVENTS, key, {"type": "deposit", **who, **money})
    desk.flush()


def bet(desk: Desk) -> None:
    for number in range(BETS_EACH):
        for bettor in BETTORS:
            race = RACES[number % len(RACES)]
            single = {
                "bet_id": f"b{number}", "market_id": "m", "selection_id": number % 3,
                "stake_minor": 50, "odds_e4": 30_000, "market_version": 1,
            }  # fmt: skip
            desk.say(BETS, race, {"type": "bet", **single}, bettor)
            legs = [
                {"event_id": one, "market_id": "m", "selection_id": 1, "odds_e4": 30_000,
                 "market_version": 1}
                for one in RACES[:3]
            ]  # fmt: skip
            coupon = {"bet_id": f"c{number}", "bet_type": "TRIXIE", "unit_stake_minor": 10}
            desk.say(BETS, bettor_key(bettor), {"type": "coupon", "legs": legs, **coupon}, bettor)
    desk.flush()


def test_accounts_and_coupons_hold_over_a_restart(settings: Settings) -> None:
    homes = {partition_of(key.encode(), PARTITIONS) for key in (*RACES, *map(bettor_key, BETTORS))}
    assert homes == {0, 1}, "the test needs books in both partitions"
    desk = Desk(settings.kafka_bootstrap_servers)
    first = Shards(settings)
    try:
        opened(desk)
        wait(lambda: sum(int(str(s.status()["markets"])) for s in first.loops) == len(RACES))
        bet(desk)
        wait(lambda: first.bets() > len(BETTORS))
    finally:
        first.stop()  # somewhere amid the transfers
    second = Shards(settings)
    try:
        wait(lambda: run_audit(settings, False, False, second.ask).figures.pending == 0)
        for race in RACES:
            closed = {"type": "market_status", "market_id": "m", "status": "CLOSED"}
            desk.say(EVENTS, race, closed)
            desk.say(EVENTS, race, {"type": "result", "market_id": "m", "winners": [1]})
        desk.flush()
        wait(lambda: run_audit(settings, False, False, second.ask).figures.markets_settled == 4)
        wait(lambda: run_audit(settings, False, True, second.ask).holds)
        states = [loop._state for loop in second.loops]
        bettors = {k: b for state in states for k, b in state.bettors.items()}
        assert set(bettors) == {bettor_key(b) for b in BETTORS}
        for bettor in bettors.values():
            assert not bettor.holds
            assert bettor.held_minor == 0
            coupons = bettor.coupons.values()
            assert {c.payout_minor for c in coupons} <= {540}
            singles = [
                one
                for state in states
                for event in state.events.values()
                for one in event.bets.values()
                if one.client_id == bettor.client_id
            ]
            taken = [one for one in singles if one.status in (4, 5)]
            paid = sum(one.payout_minor - one.stake_minor for one in taken)
            paid += sum(c.payout_minor - c.stake_minor for c in coupons)
            assert bettor.balance_minor == 1_500 + paid
            assert len(coupons) + len(bettor.refusals) == BETS_EACH
            assert len(singles) == BETS_EACH
            assert len(taken) + len(coupons) > 1
    finally:
        second.stop()
