"""The table of an event's bets: a mapping from (client id, bet id), in the order of arrival."""

import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.shard.bet_table import BetTable
from pipelines.shard.freeze import load
from pipelines.shard.state import ACCEPTED, Bet

STEPS = st.lists(st.tuples(st.booleans(), st.sampled_from("abc"), st.sampled_from("xyz")))


def bet(client_id: str, bet_id: str, number: int = 0) -> Bet:
    return Bet(client_id, bet_id, "m", number, 100, 0, "exact", 0, 1, ACCEPTED, 0, 0)


@given(STEPS)
def test_it_is_the_dict_that_it_stands_for(steps: list[tuple[bool, str, str]]) -> None:
    table, expected = BetTable(), dict[tuple[str, str], Bet]()
    for number, (adding, client_id, bet_id) in enumerate(steps):
        key = (client_id, bet_id)
        if adding:
            expected[key] = bet(*key, number)
            table.add(expected[key])
        elif key in expected:
            del expected[key]
            del table[key]
        else:
            with pytest.raises(KeyError):
                del table[key]
        assert list(table.items()) == list(expected.items())
        assert list(table.values()) == list(expected.values())
        assert len(table) == len(expected)
        for one in ((c, b) for c in "abc" for b in "xyz"):
            assert table.get(one) is expected.get(one)
            assert (one in table) == (one in expected)


def test_it_comes_back_from_a_snapshot() -> None:
    table = BetTable()
    table.add(bet("ann", "b1"))
    table.add(bet("bob", "b1"))
    back: Any = load(pickle.dumps(table, 5))
    assert back["bob", "b1"] == bet("bob", "b1")
    assert list(back.items()) == list(table.items())
    with pytest.raises(KeyError):
        back["ann", "b2"]
