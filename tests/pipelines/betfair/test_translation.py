"""Recordings become operations that an engine takes: in order, on the ladder, result last."""

from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.betfair.generator import recording
from pipelines.betfair.opening import Names, Rules
from pipelines.betfair.recording import read_lines, read_messages, scan
from pipelines.betfair.stream import (
    Definition,
    MarketChange,
    RunnerChange,
    RunnerDefinition,
    StreamMessage,
)
from pipelines.betfair.translation import Translation
from pipelines.books.ladder import LADDERS
from pipelines.messages import operations as o
from pipelines.shard.decode import decode_operation
from tests.pipelines.betfair.recordings import RECORDED, Recorded, recorded


def _translate(file: Path, rules: Rules | None = None) -> tuple[Translation, list[o.Operation]]:
    translation = Translation("run", rules, scan(file).names)
    operations = [op for message in read_messages(file) for op in translation.apply(message)]
    return translation, operations + translation.finish()


def _check(operations: list[o.Operation]) -> None:
    """Check what holds of every translation."""
    now_ms = 0
    ladders: dict[tuple[str, str], frozenset[int]] = {}
    statuses: dict[tuple[str, str], str] = {}
    resulted: set[tuple[str, str]] = set()
    opened: set[str] = set()
    for operation in operations:
        assert decode_operation(msgspec.json.encode(operation)) == operation
        assert operation.at_ms >= now_ms
        now_ms = operation.at_ms
        if isinstance(operation, o.EventOpened):
            assert operation.event_id not in opened
            assert operation.event_id.startswith("run-")
            assert operation.clock == "feed"
            opened.add(operation.event_id)
            continue
        assert operation.event_id in opened
        if isinstance(operation, o.MarketOpened):
            key = (operation.event_id, operation.market.market_id)
            assert key not in statuses
            statuses[key] = operation.market.status
            ladders[key] = LADDERS[operation.market.ladder].valid
            ids = [s.selection_id for s in operation.market.selections]
            assert len(set(ids)) == len(ids)
            assert all(
                not s.odds_e4 or s.odds_e4 in ladders[key] for s in operation.market.selections
            )
            continue
        key = (operation.event_id, operation.market_id)
        assert key not in resulted, "nothing follows a result"
        if isinstance(operation, o.MarketStatus):
            statuses[key] = str(operation.status)
        elif isinstance(operation, o.Prices):
            assert statuses[key] != "CLOSED"
            assert all(odds_e4 in ladders[key] for _, odds_e4 in operation.prices)
        elif isinstance(operation, o.Result):
            assert statuses[key] in ("SUSPENDED", "CLOSED")
            assert bool(operation.winners) != operation.void
            resulted.add(key)
    assert resulted == set(statuses), "every market has its result or is voided"


@settings(max_examples=25)
@given(
    st.integers(0, 2**30),
    st.integers(1, 6),
    st.integers(2, 12),
    st.integers(1, 60),
    st.sampled_from(["fixed", "pool"]),
)
def test_generated_recordings(
    seed: int, markets: int, runners: int, updates: int, engine: str
) -> None:
    translation = Translation("run", Rules(engine="pool" if engine == "pool" else "fixed"))
    lines = recording(seed, markets, runners, updates)
    operations = [op for message in read_lines(lines) for op in translation.apply(message)]
    _check(operations + translation.finish())
    assert not translation.skipped
    assert len(translation.markets) == markets
    if engine == "pool":
        assert not any(isinstance(operation, o.Prices) for operation in operations)


@pytest.mark.parametrize("known", RECORDED, ids=lambda known: known.name)
def test_recorded_markets(known: Recorded) -> None:
    translation, operations = _translate(recorded(known.name))
    _check(operations)
    results = {op.market_id: op for op in operations if isinstance(op, o.Result)}
    assert len(results) == len(translation.markets) == known.markets
    for market_id, winners in known.winners.items():
        assert results[market_id].winners == winners
    if not known.winners:
        assert all(result.void and result.reason for result in results.values())


def test_the_handicap_markets_of_a_recording_keep_all_their_selections() -> None:
    _, operations = _translate(recorded("1.242971311"))
    sizes = Counter(
        (op.market.market_type, len(op.market.selections), op.market.ladder)
        for op in operations
        if isinstance(op, o.MarketOpened)
    )
    assert sizes == {("MATCH_ODDS", 3, "CLASSIC"): 140, ("ASIAN_HANDICAP", 66, "FINEST"): 60}


def test_in_play_comes_with_its_bet_delay() -> None:
    _, operations = _translate(recorded("1.200806927"))
    changes = [op for op in operations if isinstance(op, o.MarketStatus)]
    assert [(op.status, op.in_play) for op in changes] == [
        ("SUSPENDED", False),
        ("OPEN", True),
        ("SUSPENDED", True),
        ("CLOSED", True),
    ]
    assert all(op.bet_delay_ms == 5_000 for op in changes if op.in_play)


RUNNERS = (RunnerDefinition(1, name="One"), RunnerDefinition(2), RunnerDefinition(3))


def _definition(status: str = "OPEN", **changed: object) -> Definition:
    plain = Definition(
        eventId="9",
        eventTypeId="7",
        marketTime="2022-04-19T18:26:00.000Z",
        status=status,
        numberOfWinners=1,
        runners=RUNNERS,
        venue="Dunmere",
    )
    return msgspec.structs.replace(plain, **changed)


def _statuses(*statuses: str) -> tuple[RunnerDefinition, ...]:
    return tuple(
        msgspec.structs.replace(runner, status=status)
        for runner, status in zip(RUNNERS, statuses, strict=True)
    )


def _apply(
    translation: Translation, pt: int, definition: Definition | None, *rc: RunnerChange
) -> list[o.Operation]:
    return translation.apply(StreamMessage(pt=pt, mc=[MarketChange("1.5", definition, list(rc))]))


def test_a_race_of_a_meeting_is_an_event_with_its_time() -> None:
    translation = Translation("run", names=Names({"1.5": "Dunmere 19th Apr"}))
    event, market = _apply(translation, 10, _definition())
    assert isinstance(event, o.EventOpened)
    assert isinstance(market, o.MarketOpened)
    assert (event.event_id, event.name) == ("run-9-1826", "18:26 Dunmere 19th Apr")
    assert event.start_ms == 1_650_392_760_000
    assert [s.name for s in market.market.selections] == ["One", "Runner 2", "Runner 3"]


def test_prices_come_before_a_reopening_and_after_a_suspension() -> None:
    translation = Translation("run")
    _apply(translation, 10, _definition(), RunnerChange(1, atb=[[3.0, 2.0]]))
    suspended = _apply(
        translation, 20, _definition("SUSPENDED"), RunnerChange(1, ltp=9.0, atb=[[3.0, 0.0]])
    )
    reopened = _apply(translation, 30, _definition(), RunnerChange(1, atb=[[4.0, 2.0]]))
    assert [type(op) for op in suspended] == [o.MarketStatus, o.Prices]
    assert [type(op) for op in reopened] == [o.Prices, o.MarketStatus]


def test_an_empty_book_takes_no_price_away() -> None:
    translation = Translation("run")
    _apply(translation, 10, _definition(), RunnerChange(1, atb=[[3.0, 2.0]]))
    assert _apply(translation, 20, None, RunnerChange(1, atb=[[3.0, 0.0]])) == []


def test_a_removed_runner_is_withdrawn_once_and_has_no_price_again() -> None:
    translation = Translation("run")
    _apply(translation, 10, _definition(), RunnerChange(1, atb=[[3.0, 2.0]]))
    gone = _definition(runners=_statuses("REMOVED", "ACTIVE", "ACTIVE"))
    [removed] = _apply(translation, 20, gone)
    assert isinstance(removed, o.SelectionRemoved)
    assert removed.selection_id == 1
    assert _apply(translation, 30, gone, RunnerChange(1, atb=[[5.0, 2.0]])) == []


@pytest.mark.parametrize(
    ("statuses", "places", "winners", "void"),
    [
        (("WINNER", "LOSER", "LOSER"), 1, (1,), False),
        (("WINNER", "WINNER", "LOSER"), 1, (1, 2), False),  # a dead heat
        (("LOSER", "PLACED", "WINNER"), 2, (3, 2), False),
        (("LOSER", "PLACED", "WINNER"), 1, (3,), False),
        (("LOSER", "LOSER", "LOSER"), 1, (), True),
        (("REMOVED", "REMOVED", "REMOVED"), 1, (), True),
    ],
)
def test_results(
    statuses: tuple[str, ...], places: int, winners: tuple[int, ...], void: bool
) -> None:
    translation = Translation("run")
    _apply(translation, 10, _definition(numberOfWinners=places))
    closed = _definition("CLOSED", numberOfWinners=places, runners=_statuses(*statuses))
    *_, result = _apply(translation, 20, closed)
    assert isinstance(result, o.Result)
    assert (result.winners, result.void) == (winners, void)


def test_closed_without_a_result_waits_for_it() -> None:
    translation = Translation("run")
    _apply(translation, 10, _definition())
    [closed] = _apply(translation, 20, _definition("CLOSED"))
    assert isinstance(closed, o.MarketStatus)
    assert translation.finish(leave=True) == []
    [void] = translation.finish()
    assert isinstance(void, o.Result)
    assert void.void


def test_time_never_runs_backwards() -> None:
    translation = Translation("run")
    _apply(translation, 50, _definition())
    [suspended] = _apply(translation, 40, _definition("SUSPENDED"))
    assert suspended.at_ms == 50


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        (_definition(runners=()), "no runners"),
        (_definition("CLOSED"), "closed before"),
        (_definition(runners=tuple(RunnerDefinition(n) for n in range(257))), "257 runners"),
        (_definition(eventId="x" * 200), "longer than"),
    ],
)
def test_markets_that_cannot_be_played_are_named(definition: Definition, reason: str) -> None:
    translation = Translation("run")
    assert _apply(translation, 10, definition) == []
    assert reason in translation.skipped["1.5"]
    assert _apply(translation, 20, None, RunnerChange(1, ltp=2.0)) == []
