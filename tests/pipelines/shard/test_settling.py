"""Chunks: a large market is settled, rolled back and refunded while others go on."""

import random
from collections.abc import Iterable, Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.audit.money import Money
from pipelines.audit.tally import Place, Tally
from pipelines.audit.totals import Totals
from pipelines.codes import Code
from pipelines.limits import OPERATIONS_WAITING_MAX, SETTLE_CHUNK_EVERY_MS
from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe
from pipelines.ports import Record
from pipelines.shard import order_settle, settle
from pipelines.shard.engine import Engine
from pipelines.shard.fold import fold
from pipelines.shard.hash import state_hash
from pipelines.shard.state import ShardState
from pipelines.topics import BETS, EVENTS, JOURNAL
from tests.pipelines.shard.desk import EVENT, MARKET, START_MS, Desk, bet, fixed_market, pool_market
from tests.pipelines.shard.exchange_desk import ExchangeDesk, exchange_market

CHUNK = 4


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle, "SETTLE_CHUNK_BETS", CHUNK)
    monkeypatch.setattr(order_settle, "SETTLE_CHUNK_BETS", CHUNK)


def market_of(engine: str) -> dict[str, object]:
    if engine == "exchange":
        return exchange_market(market_base_rate_e4=500)
    return fixed_market() if engine == "fixed" else pool_market(takeout_e4=1_500)


def filled(engine: str, bets: int = 11) -> Desk:
    """A desk with so many bets on the market, by three bettors, and a second market."""
    desk = (ExchangeDesk if engine == "exchange" else Desk)().open(market_of(engine))
    desk.operate("market_opened", market=pool_market(market_id="1.2"))
    for number in range(bets):
        place(desk, engine, number)
    desk.operate_market("market_status", status="SUSPENDED")
    return desk


def place(desk: Desk, engine: str, number: int) -> None:
    odds = {1: 30_000, 2: 40_000, 3: 50_000}
    selection = 1 + number // 2 % 3
    terms: dict[str, object] = {"odds_e4": 0 if engine == "pool" else odds[selection]}
    if engine == "exchange":
        terms["side"] = "LAY" if number % 2 else "BACK"
    client_id = ("ann", "bob", "cid", "dot", "eve")[number % 5]
    request = bet(f"b{number}", selection_id=selection, stake_minor=100, **terms)
    desk.bets(request | {"market_version": desk.market().version}, client_id)


def in_chunks(desk: Desk) -> Iterator[list[e.Entry]]:
    """Tick until nothing is under way or waits; check the books at every step."""
    while (market := desk.market()).settling is not None or market.waiting:
        found = desk.tick(desk.state.timers.due_ms)
        desk.check()
        yield found


def kinds(entries: Iterable[e.Entry]) -> list[type]:
    return [type(entry) for entry in entries]


ENGINES = pytest.mark.parametrize("engine", ["fixed", "pool", "exchange"])


@ENGINES
def test_a_settlement_goes_in_chunks_and_others_bet_between_them(engine: str) -> None:
    desk = filled(engine)
    first = desk.operate_market("result", winners=[2])
    assert sum(isinstance(one, e.BetSettled) for one in first) <= CHUNK
    assert isinstance(first[-1], e.SettlementWentOn)
    assert not desk.market().settled
    desk.check()
    settled = [one for one in first if isinstance(one, e.BetSettled)]
    chunks = 0
    for entries in in_chunks(desk):
        chunks += 1
        settled += [one for one in entries if isinstance(one, e.BetSettled)]
        other = desk.bet(f"o{chunks}", market_id="1.2", odds_e4=0)
        assert isinstance(other, e.BetAccepted)
        late = desk.bet(f"l{chunks}", market_version=0)
        assert isinstance(late, e.BetRejected | oe.OrderRejected)
        assert late.code == Code.MARKET_NOT_OPEN_FOR_BETTING
    assert chunks >= 2
    assert desk.market().settled
    whole = whole_of(engine, 11)
    assert {(s.client_id, s.bet_id, s.result, s.payout_minor) for s in settled} == {
        (s.client_id, s.bet_id, s.result, s.payout_minor) for s in whole
    }
    assert len(settled) == len(whole)


def whole_of(engine: str, bets: int) -> list[e.BetSettled]:
    """What the same market pays where it is settled at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settle, "SETTLE_CHUNK_BETS", 10_000)
        patch.setattr(order_settle, "SETTLE_CHUNK_BETS", 10_000)
        entries = filled(engine, bets).operate_market("result", winners=[2])
    assert isinstance(entries[-1], e.MarketSettled)
    return [one for one in entries if isinstance(one, e.BetSettled)]


@ENGINES
def test_a_rollback_goes_in_chunks_and_the_same_result_comes_to_the_same(engine: str) -> None:
    desk = filled(engine)
    desk.operate_market("result", winners=[2])
    list(in_chunks(desk))
    before = msgspec.msgpack.encode([*desk.market().bets, desk.market().postings])
    entries = desk.operate_market("result_rolled_back", reason="wrong")
    assert isinstance(entries[0], e.RollbackBegan)
    entries += [one for chunk in in_chunks(desk) for one in chunk]
    assert isinstance(entries[-1], e.MarketUnsettled)
    back = [one for one in entries if isinstance(one, e.BetUnsettled)]
    assert (
        len({(one.client_id, one.bet_id) for one in back}) == len(back) == len(whole_of(engine, 11))
    )
    assert not desk.market().commissions
    desk.operate_market("result", winners=[2])
    list(in_chunks(desk))
    for one in desk.market().bets:
        assert one.settlement in (0, 2)
        one.settlement = min(one.settlement, 1)
    assert msgspec.msgpack.encode([*desk.market().bets, desk.market().postings]) == before


@ENGINES
def test_operations_wait_for_the_end_and_are_then_decided_in_order(engine: str) -> None:
    desk = filled(engine)
    desk.operate_market("result", winners=[2])
    for kind, fields in (
        ("result", {"winners": [1]}),
        ("result_rolled_back", {}),
        ("result", {"winners": [1]}),
        ("bets_voided", {}),
    ):
        (waits,) = desk.operate_market(kind, **fields)
        assert isinstance(waits, e.OperationWaits)
    entries = [one for chunk in in_chunks(desk) for one in chunk]
    refused = [one.code for one in entries if isinstance(one, e.OperationRefused)]
    assert refused == [Code.ALREADY_SETTLED, Code.ALREADY_SETTLED]
    ends = (e.MarketSettled, e.MarketUnsettled)
    assert [type(one) for one in entries if isinstance(one, ends)] == [ends[0], ends[1], ends[0]]
    assert desk.market().winners == (1,)
    assert desk.market().settled


@ENGINES
def test_the_audit_follows_chunks(engine: str) -> None:
    desk = filled(engine)
    for kind in ("result", "result_rolled_back", "result"):
        desk.operate_market(kind, winners=[2])
    list(in_chunks(desk))
    tally = Tally("money", "adds up")
    money = Money(tally, Totals())
    for record in desk.records():
        money.see(Place("journal", 0, record.shard_seq), record.entry, record.at_ms)
    assert not tally.check().failures, tally.check().examples
    assert desk.market().settlement == 2


def test_no_more_operations_wait_than_the_limit() -> None:
    desk = filled("fixed")
    desk.operate_market("result", winners=[2])
    for _ in range(OPERATIONS_WAITING_MAX):
        assert isinstance(desk.operate_market("bets_voided")[0], e.OperationWaits)
    (refused,) = desk.operate_market("bets_voided")
    assert isinstance(refused, e.OperationRefused)
    assert refused.code == Code.MARKET_BEING_SETTLED
    list(in_chunks(desk))
    assert desk.market().settled


@pytest.mark.parametrize("engine", ["fixed", "pool"])
def test_a_withdrawal_is_refunded_in_chunks_and_its_result_waits(engine: str) -> None:
    desk = filled(engine)
    entries = desk.operate_market("selection_removed", selection_id=1)
    assert kinds(entries)[:2] == [e.SelectionWasRemoved, e.RefundBegan]
    assert isinstance(desk.operate_market("result", winners=[2])[0], e.OperationWaits)
    assert isinstance(desk.operate_market("market_status", status="CLOSED")[0], e.MarketChanged)
    entries += [one for chunk in in_chunks(desk) for one in chunk]
    settled = [one for one in entries if isinstance(one, e.BetSettled)]
    assert len(settled) == 11
    voided = {one.bet_id for one in settled if one.result == "void"}
    assert voided == {bet.bet_id for bet in desk.market().bets if bet.selection_id == 1}
    assert kinds(entries).index(e.RefundEnded) < kinds(entries).index(e.MarketResulted)
    assert desk.market().settled


@pytest.mark.parametrize("engine", ["fixed", "pool"])
def test_bets_of_an_interval_are_voided_in_chunks_while_the_market_goes_on(engine: str) -> None:
    desk = filled(engine)
    desk.operate_market("market_status", status="OPEN")
    entries = desk.operate_market("bets_voided", reason="early prices")
    assert isinstance(entries[0], e.RefundBegan)
    version = desk.market().version
    odds = 0 if engine == "pool" else 30_000
    assert isinstance(desk.bet("late", odds_e4=odds, market_version=version), e.BetAccepted)
    entries += [one for chunk in in_chunks(desk) for one in chunk]
    assert sum(isinstance(one, e.BetSettled) for one in entries) == 11
    assert [b.bet_id for b in desk.market().bets if b.status == 1] == ["late"]


@ENGINES
def test_a_restore_at_every_entry_comes_to_the_same_end(engine: str) -> None:
    desk = filled(engine)
    begun = len(desk.journal)
    desk.operate_market("result", winners=[2])
    list(in_chunks(desk))
    desk.operate_market("result_rolled_back")
    list(in_chunks(desk))
    records = desk.records()
    end = outcome(desk.state)
    for cut in range(begun + 1, len(records)):
        kinds_before = kinds(one.entry for one in records[:cut])
        if e.MarketResulted not in kinds_before:
            continue
        engine_again = Engine(fold(0, desk.journal[:cut]))
        again = engine_again.state
        while again.timers and again.events[EVENT].markets[MARKET].settling is not None:
            engine_again.tick(again.timers.due_ms)
        if e.RollbackBegan not in kinds_before:
            value = {"type": "result_rolled_back", "event_id": EVENT, "market_id": MARKET}
            body = msgspec.json.encode(value)
            engine_again.process(Record(EVENTS, 0, 99, again.now_ms, EVENT.encode(), body))
            while again.events[EVENT].markets[MARKET].settling is not None:
                engine_again.tick(again.timers.due_ms)
        assert outcome(again) == end, f"restored after entry {cut}"
        journal = [v for topic, _, v in engine_again.drain().outputs if topic == JOURNAL]
        assert state_hash(fold(0, desk.journal[:cut] + journal)) == state_hash(again)


def outcome(state: ShardState) -> object:
    market = state.events[EVENT].markets[MARKET]
    return (
        [msgspec.msgpack.encode(one) for one in market.bets],
        market.escrow_minor,
        market.postings,
        market.settled,
        market.version,
    )


def test_chunks_go_by_wall_time_where_the_event_has_a_feeds() -> None:
    desk = Desk()
    desk.operate("event_opened", clock="feed", at_ms=5_000)
    desk.operate("market_opened", market=fixed_market(), at_ms=5_000)
    for number in range(11):
        place(desk, "fixed", number)
    desk.operate_market("market_status", status="SUSPENDED", at_ms=5_001)
    desk.operate_market("result", winners=[1], at_ms=5_002)
    assert desk.market().settling is not None
    list(in_chunks(desk))
    assert desk.market().settled
    assert {one.at_ms for one in desk.records()[-3:]} == {5_002}
    assert desk.state.now_ms == desk.now_ms


def mixed(seed: int, count: int) -> list[Record]:
    """Bets on two markets with a result, a rollback and a withdrawal among them."""
    chance = random.Random(seed)
    desk = filled("fixed")
    version = desk.market().version
    found: list[Record] = []
    offsets = dict(desk.offsets)
    at_ms = START_MS
    kinds_left = ["result", "result_rolled_back", "result", "bets_voided", "selection_removed"]
    chance.shuffle(kinds_left)
    for number in range(count):
        at_ms += chance.randrange(2 * SETTLE_CHUNK_EVERY_MS)
        if kinds_left and chance.random() < 0.2:
            value = {
                "type": kinds_left.pop(),
                "event_id": EVENT,
                "market_id": MARKET,
                "winners": [2],
                "selection_id": 3,
            }
            topic, client_id = EVENTS, ""
        else:
            market_id = chance.choice([MARKET, "1.2"])
            odds = 30_000 if market_id == MARKET else 0
            value = bet(f"m{number}", market_id=market_id, odds_e4=odds, market_version=version)
            topic, client_id = BETS, "ann"
        body = msgspec.json.encode(value)
        found.append(Record(topic, 0, offsets[topic], at_ms, EVENT.encode(), body, client_id))
        offsets[topic] += 1
    return found


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_neither_cuts_nor_ticks_change_what_is_decided(seed: int, chance: random.Random) -> None:
    records = mixed(seed, 30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settle, "SETTLE_CHUNK_BETS", CHUNK)
        runs = []
        for ticks in (False, True):
            engine = filled("fixed").engine
            latest_ms = 0
            journal: list[e.JournalRecord] = []
            for record in records:
                latest_ms = max(latest_ms, record.timestamp_ms)
                if ticks and chance.random() < 0.7:
                    engine.tick(latest_ms - chance.randrange(3))
                engine.process(record)
                if ticks and chance.random() < 0.5:
                    journal += engine.drain().journal_records
            engine.tick(latest_ms + 10_000)
            journal += engine.drain().journal_records
            answers = [
                (one.entry.client_id, one.entry.bet_id)
                for one in journal
                if isinstance(one.entry, e.BetEntry)
            ]
            assert len(set(answers)) == len(answers) == sum(r.topic == BETS for r in records)
            runs.append([(one.shard_seq, one.at_ms, one.entry) for one in journal])
            market = engine.state.events[EVENT].markets[MARKET]
            assert market.settling is None
            assert not market.waiting
    assert runs[0] == runs[1]
