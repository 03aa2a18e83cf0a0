"""A market that changes its shard is followed: what it comes with, and whether it comes at all."""

import pytest

from pipelines.audit.moves import FirstsOfMarket, Luggage, Moves
from pipelines.audit.tally import Place, Tally
from pipelines.messages.isolation_entries import MarketArrived, MarketHandedOver

PLACE = Place("journal", 1, 7)
HANDED = MarketHandedOver("derby", 10, "win", 5, "derby/win", "aa")


def followed() -> tuple[Tally, Moves]:
    tally = Tally("transfers", "")
    moves = Moves(tally)
    moves.left(PLACE, HANDED, Luggage(FirstsOfMarket({}, {}, {}), None, "aa", 10))
    return tally, moves


def test_a_market_arrives_once_as_it_was_handed_over() -> None:
    tally, moves = followed()
    entry = MarketArrived("derby", 11, "win", 6, "aa")
    assert moves.is_there(entry)
    assert moves.arrived(PLACE, entry, True) is not None
    moves.finish(True)
    assert not tally.check().failures
    assert not moves.is_there(entry)
    assert moves.arrived(PLACE, entry, True) is None
    assert tally.check().failures == 1


@pytest.mark.parametrize(
    "entry",
    [
        MarketArrived("derby", 11, "win", 6, "bb"),
        MarketArrived("derby", 10, "win", 6, "aa"),
    ],
    ids=["another state", "an older number"],
)
def test_what_arrives_otherwise_is_found(entry: MarketArrived) -> None:
    tally, moves = followed()
    moves.arrived(PLACE, entry, True)
    assert tally.check().failures == 1


def test_a_market_that_never_arrives_is_found_once_all_is_said() -> None:
    tally, moves = followed()
    moves.finish(False)
    assert not tally.check().failures
    moves.finish(True)
    assert tally.check().failures == 1
