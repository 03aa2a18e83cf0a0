"""The simulator's stage: always something on, every operation taken, everything settled."""

from collections import Counter

from deploy.replay.stage import SLOTS, Stage
from pipelines.messages import entries as e
from pipelines.messages.operations import EventOpened, MarketOpened, Operation, Result
from tests.deploy.replay.core_system import CoreSystem

START_MS = 1_700_000_000_000
MINUTES = 12


def _perform(stage: Stage, minutes: int) -> list[tuple[int, Operation]]:
    performed = []
    for now_ms in range(START_MS, START_MS + minutes * 60_000, 250):
        performed += [(now_ms, operation) for operation in stage.due(now_ms)]
    return performed


def test_events_follow_each_other_and_all_come_to_a_result() -> None:
    system = CoreSystem()
    stage = Stage("sim", 1, START_MS)
    performed = _perform(stage, MINUTES)
    for _, operation in performed:
        system.send(operation)
    for operation in stage.finish():
        system.send(operation)
    assert not system.account.refused
    kinds = Counter(type(entry) for _, entry in system.entries)
    assert kinds[e.MarketWasOpened] == kinds[e.MarketSettled] > 3 * len(SLOTS)
    engines = {
        entry.market.engine for _, entry in system.entries if isinstance(entry, e.MarketWasOpened)
    }
    assert engines == {"fixed", "pool"}
    assert len(stage.opened) - len(stage.ended) == len(SLOTS)


def test_starts_are_soon_and_on_the_wall_clock() -> None:
    performed = _perform(Stage("sim", 1, START_MS), MINUTES)
    opened = [(at, op) for at, op in performed if isinstance(op, EventOpened)]
    assert all(op.clock == "wall" and op.name for _, op in opened)
    assert all(20_000 < op.start_ms - at < 180_000 for at, op in opened)
    assert len({op.event_id for _, op in opened}) == len(opened)


def test_there_is_always_a_market_to_bet_on() -> None:
    performed = _perform(Stage("sim", 3, START_MS), MINUTES)
    opened: set[str] = set()
    by_minute = Counter[int]()
    for at, operation in performed:
        if isinstance(operation, MarketOpened):
            opened.add(operation.market.market_id)
        elif isinstance(operation, Result):
            opened.discard(operation.market_id)
        by_minute[(at - START_MS) // 60_000] += 1
        assert opened or at == START_MS
    assert min(by_minute[minute] for minute in range(MINUTES)) > 100


def test_the_same_seed_performs_the_same() -> None:
    first, again = (_perform(Stage("sim", 5, START_MS), 3) for _ in range(2))
    assert first == again


def test_the_end_refunds_what_is_on() -> None:
    stage = Stage("sim", 1, START_MS)
    _perform(stage, 1)
    results = [operation for operation in stage.finish() if isinstance(operation, Result)]
    assert len(results) == len(stage.markets())
    assert all(result.void for result in results)
