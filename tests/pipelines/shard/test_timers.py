"""Timers against a sorted list, and how long a result takes with many bets in their delay."""

import random
import time

from hypothesis import given
from hypothesis import strategies as st

from pipelines.limits import SETTLE_CHUNK_BETS
from pipelines.messages import entries as e
from pipelines.shard.timers import NEVER_MS, STALE_MAX, Timer, Timers
from tests.pipelines.shard.desk import EVENT, Desk, fixed_market

names = st.integers(0, 9)
steps = st.lists(st.tuples(st.booleans(), names, st.integers(0, 50)), max_size=60)


@given(steps=steps)
def test_the_first_is_always_the_earliest_that_waits(steps: list[tuple[bool, int, int]]) -> None:
    timers = Timers()
    waiting: dict[str, Timer] = {}
    for order, (adds, number, due_ms) in enumerate(steps):
        name = f"b{number}"
        timers.remove("bet", EVENT, "ann", name)
        waiting.pop(name, None)
        if adds:
            waiting[name] = (due_ms, order, "bet", EVENT, "ann", name)
            timers.add(waiting[name])
        assert list(timers) == sorted(waiting.values())
        assert len(timers) == len(waiting)
        assert timers.due_ms == min((timer[0] for timer in waiting.values()), default=NEVER_MS)
        if waiting:
            assert timers.first() == min(waiting.values())


def test_what_was_removed_does_not_pile_up() -> None:
    timers = Timers()
    chance = random.Random(1)
    timers.add((0, 0, "start", EVENT, "", ""))
    for number in range(10 * STALE_MAX):
        timers.add((chance.randrange(1, 1_000), number, "bet", EVENT, "ann", f"b{number}"))
        timers.remove("bet", EVENT, "ann", f"b{number}")
    assert list(timers) == [(0, 0, "start", EVENT, "", "")]
    assert len(timers._heap) <= STALE_MAX + 3


def test_a_result_is_quick_though_thousands_wait_beside_it() -> None:
    count = 8_000
    rules = {"in_play": True, "bet_delay_ms": 60_000}
    desk = Desk().open(fixed_market(**rules))
    desk.operate("market_opened", market=fixed_market(market_id="1.2", **rules))
    for number in range(count):
        desk.bet(f"b{number}", market_id=("1.1", "1.2")[number % 2])
    desk.operate_market("market_status", status="SUSPENDED")
    began_s = time.process_time()
    entries = desk.operate_market("result", winners=[1])
    elapsed_s = time.process_time() - began_s
    # So many at once; the others are when their delay is over.
    assert sum(isinstance(entry, e.BetDeclined) for entry in entries) == SETTLE_CHUNK_BETS
    assert elapsed_s < 3.0, "it took 12 s while each declined bet was searched for"
    assert len(desk.state.timers) == count - SETTLE_CHUNK_BETS
    desk.check()
    late = [one for one in desk.tick(desk.now_ms + 60_000) if one.market_id == "1.1"]
    assert sum(isinstance(entry, e.BetDeclined) for entry in late) == count // 2 - SETTLE_CHUNK_BETS
    desk.check()
