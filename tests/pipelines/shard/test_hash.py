"""The state hash: equal for equal states, different for any difference that decisions could see."""

import copy
from typing import Any

import msgspec
import pytest

from pipelines.messages.operations import ResultRolledBack
from pipelines.messages.risk_operations import RiskSet
from pipelines.shard.fold import fold
from pipelines.shard.hash import state_hash
from pipelines.shard.risk_state import EventRisk
from pipelines.shard.state import Bet, EventState, MarketState, Settling, ShardState
from pipelines.shard.timers import Timers
from tests.pipelines.shard.desk import EVENT, MARKET, START_MS, Desk, fixed_market, pool_market

#: Known from the markets' definitions, which are hashed.
DERIVED = {"stake_min_minor", "stake_max_minor", "account_markets"}
#: Hashed by their parts, which have tests of their own.
PARTS = {"events", "markets", "bets", "book", "definition"}


def busy() -> ShardState:
    """A shard in which nearly everything is there."""
    desk = Desk()
    desk.bet("early", event_id="unknown")
    desk.open(fixed_market(in_play=True, bet_delay_ms=1_000), start_ms=START_MS + 9_000)
    desk.operate("market_opened", market=pool_market(market_id="1.2"))
    desk.bet("b1")
    desk.bet("b2", "bob", selection_id=2, odds_e4=40_000)
    desk.tick(START_MS + 1_000)
    desk.bet("waits")
    desk.bet("refused", stake_minor=0)
    desk.bet("pool", market_id="1.2", odds_e4=0)
    return fold(0, desk.journal)


def other(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, tuple):
        return (*value, (7, 7))
    if isinstance(value, Timers):
        value.add((1, 1, "start", "x", "", ""))
        return value
    if isinstance(value, list):
        return [*value, ResultRolledBack("race", "1.1")]
    if value is None:
        return Settling("settle", 3, "")
    assert isinstance(value, dict)
    if value and isinstance(next(iter(value.values())), Bet):
        return {}
    return {**value, ("x", "y"): 5} if value else {"x": None}


def fields(of: type[msgspec.Struct]) -> list[str]:
    return [name for name in of.__struct_fields__ if name not in DERIVED | PARTS]


def changed(state: ShardState, target: Any, name: str) -> bool:
    if name == "risk":
        before = state_hash(state)
        target.risk = EventRisk(RiskSet(EVENT))
        return state_hash(state) != before
    before = state_hash(state)
    setattr(target, name, other(getattr(target, name)))
    return state_hash(state) != before


def test_equal_states_have_equal_hashes() -> None:
    assert state_hash(busy()) == state_hash(busy())
    assert state_hash(copy.deepcopy(busy())) == state_hash(busy())


@pytest.mark.parametrize("name", fields(ShardState))
def test_the_shard(name: str) -> None:
    state = busy()
    assert changed(state, state, name)


@pytest.mark.parametrize("name", fields(EventState))
def test_the_event(name: str) -> None:
    state = busy()
    assert changed(state, state.events[EVENT], name)


# `exchange` is the book again, which `test_the_book` and the hash of orders cover.
@pytest.mark.parametrize("name", [name for name in fields(MarketState) if name != "exchange"])
def test_the_market(name: str) -> None:
    state = busy()
    assert changed(state, state.events[EVENT].markets[MARKET], name)


@pytest.mark.parametrize("name", fields(Settling))
def test_what_goes_through_a_markets_bets(name: str) -> None:
    state = busy()
    market = state.events[EVENT].markets[MARKET]
    market.settling = Settling("settle", 3, "")
    assert changed(state, market.settling, name)


@pytest.mark.parametrize("name", fields(Bet))
@pytest.mark.parametrize("where", ["bets", "refusals", "orphans"])
def test_the_bet(where: str, name: str) -> None:
    state = busy()
    holder = state if where == "orphans" else state.events[EVENT]
    bet = next(iter(getattr(holder, where).values()))
    assert changed(state, bet, name)


@pytest.mark.parametrize("market_id", [MARKET, "1.2"])
def test_the_book(market_id: str) -> None:
    state = busy()
    book = state.events[EVENT].markets[market_id].book
    before = state_hash(state)
    book.take(2, 1, 40_000)
    taken = state_hash(state)
    book.remove(3)
    assert len({before, taken, state_hash(state)}) == 3


def test_the_order_in_which_bets_are_settled() -> None:
    state = busy()
    before = state_hash(state)
    state.events[EVENT].markets[MARKET].bets.reverse()
    assert state_hash(state) != before
