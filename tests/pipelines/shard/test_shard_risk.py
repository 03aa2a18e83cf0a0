"""Limits of all books of a shard: what they count, who they are addressed to, how they end."""

import random
from typing import Any

import pytest

from pipelines.books.lmsr_book import LmsrBook
from pipelines.messages import entries as e
from pipelines.shard.fold import fold
from pipelines.shard.hash import state_hash
from pipelines.shard.risk_state import ShardRisk
from tests.oracles import risk as oracle
from tests.pipelines.shard.desk import Desk, bet, fixed_market
from tests.pipelines.shard.exchange_desk import exchange_market
from tests.pipelines.shard.town import Town

EVENTS = ("e1", "e2")
KEY = "shard/0"


def opened(*engines: dict[str, Any], **limits: int) -> Desk:
    """Two events with a market each, more in the first, and limits."""
    desk = Desk()
    for event_id in EVENTS:
        desk.operate("event_opened", event_id)
        desk.operate("market_opened", event_id, market=fixed_market())
    for number, market in enumerate(engines):
        desk.operate("market_opened", "e1", market=market | {"market_id": f"more-{number}"})
    if limits:
        assert isinstance(set_limits(desk, **limits), e.ShardRiskWasSet)
    return desk


def set_limits(desk: Desk, key: str = KEY, **limits: int) -> e.Entry:
    (entry,) = desk.operate("shard_risk_set", key=key, **{"partition": 0, **limits})
    return entry


def place(desk: Desk, bet_id: str, stake: int, event_id: str = "e1", **more: Any) -> e.Entry:
    client_id = more.pop("client_id", "ann")
    market = desk.market(str(more.get("market_id", "1.1")), event_id)
    request = bet(bet_id, event_id=event_id, stake_minor=stake, market_version=market.version)
    return desk.bets(request | more, client_id, event_id.encode())[-1]


def refused(entry: e.Entry) -> tuple[str, int]:
    assert isinstance(entry, e.BetRejected), entry
    return entry.code, entry.offer_stake_minor


def limits_of(desk: Desk) -> ShardRisk:
    found = desk.state.risk
    assert found is not None
    return found


def test_all_books_together_lose_no_more_than_the_limit() -> None:
    desk = opened(loss_limit_minor=5_000)
    assert isinstance(place(desk, "b1", 1_500), e.BetAccepted)  # may lose 3,000
    assert refused(place(desk, "b2", 1_001, "e2")) == ("LOSS_LIMIT_EXCEEDED", 1_000)
    assert isinstance(place(desk, "b3", 1_000, "e2"), e.BetAccepted)
    assert refused(place(desk, "b4", 1)) == ("LOSS_LIMIT_EXCEEDED", 0)
    assert limits_of(desk).loss_minor == 5_000
    # What is staked on another selection makes room, and so does a result.
    assert isinstance(place(desk, "b5", 300, selection_id=3, odds_e4=50_000), e.BetAccepted)
    assert isinstance(place(desk, "b6", 150, "e2"), e.BetAccepted)
    desk.operate("market_status", "e1", market_id="1.1", status="CLOSED")
    desk.operate("result", "e1", market_id="1.1", winners=[1])
    assert limits_of(desk).loss_minor == 2_300
    assert isinstance(place(desk, "b7", 1_350, "e2"), e.BetAccepted)
    # A result that is rolled back counts again, though it leads above the limit.
    desk.operate("result_rolled_back", "e1", market_id="1.1")
    assert limits_of(desk).loss_minor == 7_700
    assert refused(place(desk, "b8", 1, "e2")) == ("LOSS_LIMIT_EXCEEDED", 0)
    desk.check()


def test_a_bettor_has_no_more_at_stake_in_the_shard_than_its_limits() -> None:
    desk = opened(bettor_stake_max_minor=500, bettor_payout_max_minor=1_200)
    assert isinstance(place(desk, "b1", 300), e.BetAccepted)
    assert refused(place(desk, "b2", 201, "e2")) == ("ABOVE_MAX_BET_AMOUNT", 100)
    assert refused(place(desk, "b3", 150, "e2")) == ("LOSS_LIMIT_EXCEEDED", 100)
    assert isinstance(place(desk, "b4", 300, client_id="bob"), e.BetAccepted)
    desk.operate("bets_voided", "e1", market_id="1.1", from_ms=0)
    assert isinstance(place(desk, "b5", 400, "e2"), e.BetAccepted)
    assert limits_of(desk).staked == {"ann": 400}
    desk.check()


def test_limits_count_what_was_open_before_them_and_are_lifted() -> None:
    desk = opened()
    place(desk, "b1", 300)
    assert isinstance(set_limits(desk, bettor_stake_max_minor=500), e.ShardRiskWasSet)
    assert refused(place(desk, "b2", 300, "e2")) == ("ABOVE_MAX_BET_AMOUNT", 200)
    assert isinstance(set_limits(desk, bettor_stake_max_minor=600), e.ShardRiskWasSet)
    assert isinstance(place(desk, "b3", 300, "e2"), e.BetAccepted)
    assert isinstance(set_limits(desk), e.ShardRiskWasSet)
    assert desk.state.risk is None
    assert isinstance(place(desk, "b4", 9_000, "e2"), e.BetAccepted)
    desk.check()


def test_a_part_within_the_limits_is_taken_also_of_an_event_without_any() -> None:
    desk = opened(loss_limit_minor=1_000)
    part = place(desk, "b1", 900, accept_partial=True)
    assert isinstance(part, e.BetPartlyAccepted)
    assert (part.stake_minor, part.asked_stake_minor) == (500, 900)
    desk.check()


def test_what_is_bet_between_bettors_or_into_a_pool_costs_the_house_nothing() -> None:
    pool = {"engine": "pool", "selections": [{"selection_id": 1}, {"selection_id": 2}]}
    maker = {**pool, "engine": "lmsr", "lmsr": {"liquidity_minor": 1_000}}
    desk = opened(pool, exchange_market(), maker, loss_limit_minor=300, bettor_stake_max_minor=800)
    assert isinstance(place(desk, "p1", 700, market_id="more-0", odds_e4=0), e.BetAccepted)
    place(desk, "o1", 700, market_id="more-1")
    assert limits_of(desk).loss_minor == 0
    # A pool's stakes count for the bettor, an order does not; a market maker may lose.
    assert limits_of(desk).staked == {"ann": 700}
    free = {"market_id": "more-2", "price_policy": "any", "odds_e4": 10_100}
    assert refused(place(desk, "m1", 101, **free))[0] == "ABOVE_MAX_BET_AMOUNT"
    taken = [place(desk, f"n{n}", 200, client_id=f"c{n}", **free) for n in range(6)]
    assert {type(one) for one in taken} == {e.BetAccepted, e.BetRejected}
    book = desk.market("more-2", "e1").book
    assert isinstance(book, LmsrBook)
    assert limits_of(desk).loss_minor == max(book.owed.values()) - book.total <= 300
    assert state_hash(fold(0, desk.journal)) == desk.hash()


@pytest.mark.parametrize(
    ("key", "fields", "code"),
    [
        ("shard/1", {}, "EVENT_KEY_MISMATCH"),
        ("e1", {}, "EVENT_KEY_MISMATCH"),
        ("shard/1", {"partition": 1}, "EVENT_KEY_MISMATCH"),
        ("shard/0", {}, "UNCHANGED"),
    ],
)
def test_what_is_refused(key: str, fields: dict[str, int], code: str) -> None:
    entry = set_limits(opened(loss_limit_minor=5), key, **{"loss_limit_minor": 5} | fields)
    assert isinstance(entry, e.OperationRefused)
    assert entry.code == code


def test_no_limits_where_there_are_none_change_nothing() -> None:
    entry = set_limits(opened())
    assert isinstance(entry, e.OperationRefused)
    assert entry.code == "UNCHANGED"


def test_no_event_can_have_the_key_of_a_shard() -> None:
    (entry,) = Desk().operate("event_opened", KEY)
    assert isinstance(entry, e.OperationRefused)
    assert entry.code == "INVALID_EVENT_ID"


def test_a_market_that_changes_its_shard_counts_where_it_is() -> None:
    town = Town()
    town.open("race")
    home = town._home("race")
    away = (home + 1) % town.partitions
    for partition in (home, away):
        town._process(
            "events", partition, f"shard/{partition}".encode(),
            b'{"type":"shard_risk_set","loss_limit_minor":2000,"partition":%d}' % partition,
        )  # fmt: skip
    good = {"selection_id": 1, "odds_e4": 30_000, "market_version": 1}
    town.bet("ann", "race", "b1", stake_minor=600, **good)
    states = [town.engines[p].state for p in (home, away)]
    assert [one.risk.loss_minor for one in states if one.risk] == [1_200, 0]
    town.operate("race", "event_isolated", event_id="race", partitions=[away])
    town.deliver_all()
    assert [one.risk.loss_minor for one in states if one.risk] == [0, 1_200]
    assert [one.risk.staked for one in states if one.risk] == [{}, {"ann": 600}]
    town.bet("ann", "race", "b2", stake_minor=500, **good)
    town.deliver_all()
    assert [getattr(one, "code", "") for one in town.entries][-1] == "LOSS_LIMIT_EXCEEDED"
    town.operate("race", "event_rejoined", event_id="race")
    town.deliver_all()
    assert [one.risk.loss_minor for one in states if one.risk] == [1_200, 0]
    assert [one.risk.staked for one in states if one.risk] == [{"ann": 600}, {}]
    town.check_folds()


@pytest.mark.parametrize("seed", range(30))
def test_what_is_kept_up_to_date_is_what_the_books_say(seed: int) -> None:
    chance = random.Random(seed)
    desk = opened(
        fixed_market(number_of_winners=2),
        fixed_market(fixed={"each_way_divisor": 4, "each_way_places": 2}),
        loss_limit_minor=chance.choice([0, 20_000]),
        bettor_stake_max_minor=10_000,
    )
    desk.operate("risk_set", "e1", event_loss_limit_minor=chance.choice([15_000, 50_000]))
    for number in range(60):
        event_id = chance.choice(EVENTS)
        market_id = chance.choice(["1.1", "more-0", "more-1"]) if event_id == "e1" else "1.1"
        what = chance.choice(["bet"] * 8 + ["void", "remove", "result", "roll_back", "part"])
        where = {"event_id": event_id, "market_id": market_id}
        if what == "bet":
            selection, odds = chance.choice([(1, 30_000), (2, 40_000), (3, 50_000)])
            more = {"accept_partial": chance.random() < 0.5, "market_id": market_id}
            place(desk, f"b{number}", chance.randrange(1, 4_000), event_id, selection_id=selection,
                  odds_e4=odds, client_id=chance.choice(["ann", "bob"]), **more)  # fmt: skip
        elif what == "void":
            desk.operate("bets_voided", from_ms=desk.now_ms - 5, **where)
        elif what == "remove" and chance.random() < 0.3:
            desk.operate("selection_removed", selection_id=chance.randrange(1, 4), **where)
        elif what == "result":
            desk.operate("market_status", status="SUSPENDED", **where)
            desk.operate("result", winners=[chance.randrange(1, 4)], **where)
        elif what == "roll_back":
            desk.operate("result_rolled_back", **where)
            desk.operate("market_status", status="OPEN", **where)
        elif what == "part":
            desk.operate("selection_resulted", selection_id=3, result="LOSER", **where)
        desk.now_ms += chance.randrange(10)
        assert oracle.sums_of(desk.state) == oracle.kept_sums(desk.state)
    desk.check()


def test_a_replay_neither_counts_nor_is_limited() -> None:
    desk = opened(loss_limit_minor=300, bettor_stake_max_minor=500)
    desk.operate("event_opened", "replay", clock="feed", at_ms=5)
    desk.operate("market_opened", "replay", market=fixed_market(), at_ms=5)
    assert isinstance(place(desk, "r1", 9_000, "replay"), e.BetAccepted)
    assert (limits_of(desk).staked, limits_of(desk).loss_minor) == ({}, 0)
    assert isinstance(place(desk, "b1", 150), e.BetAccepted)
    assert limits_of(desk).loss_minor == 300
    desk.check()
