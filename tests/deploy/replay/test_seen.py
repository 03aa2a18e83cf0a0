"""What a bettor has seen: newest first, in order, and whether it is what the feed says."""

import asyncio
from typing import Any

import msgspec
import pytest

from deploy.replay.seen import Seen, shows
from pipelines.betfair.market_cache import Handicapped
from pipelines.betfair.opening import Translated
from pipelines.messages.images import OddsImage, SelectionImage

IMAGE = OddsImage(
    event_id="e",
    event_seq=4,
    event_name="Event",
    market_id="m",
    seq=3,
    version=2,
    market_type="WIN",
    name="Win",
    engine="fixed",
    status="OPEN",
    in_play=False,
    bet_delay_ms=0,
    start_ms=0,
    at_ms=100,
    staked_minor=0,
    settlement=0,
    selections=(SelectionImage(1, "One", "ACTIVE", 30_000, 0),),
)


def _data(**changed: Any) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(IMAGE, **changed))
    return data


def _market(**changed: Any) -> Translated:
    values: dict[str, Any] = {
        "event_id": "e",
        "market_id": "m",
        "engine": "fixed",
        "ladder": "CLASSIC",
        "ids": {Handicapped(1, 0.0): 1},
        "places": 1,
        "status": "OPEN",
        "in_play": False,
        "bet_delay_ms": 0,
        "odds": {1: 30_000},
        "version": 2,
        "at_ms": 100,
    }
    return Translated(**(values | changed))


def test_what_is_not_newer_is_dropped() -> None:
    async def run() -> None:
        seen = Seen()
        assert seen.odds(_data()) == IMAGE
        assert seen.odds(_data()) is None
        assert seen.odds(_data(seq=2)) is None
        assert seen.odds({"event_id": "e"}) is None
        assert (seen.images_count, seen.stale_count, seen.unreadable_count) == (1, 2, 1)
        seen.forget("e")
        assert seen.images == {}

    asyncio.run(run())


def test_waiting_ends_with_the_change_or_in_time() -> None:
    async def run() -> None:
        seen = Seen()
        asyncio.get_running_loop().call_later(0.01, seen.odds, _data())
        assert await seen.until(lambda: bool(seen.images), 5.0)
        assert not await seen.until(lambda: False, 0.01)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("market", "expected"),
    [
        ({}, True),
        ({"version": 1}, True),  # a later version shows the earlier change too
        ({"version": 3}, False),
        ({"odds": {1: 31_000}}, False),
        ({"at_ms": 101}, False),  # odds went up and down again: this image is the old one
        ({"status": "SUSPENDED"}, False),
        ({"in_play": True}, False),
        ({"settled": True}, False),
        ({"engine": "pool", "odds": {1: 0}}, True),
    ],
)
def test_shows(market: dict[str, Any], expected: bool) -> None:
    assert shows(IMAGE, _market(**market)) is expected


def test_a_settled_market_shows_as_settled() -> None:
    image = msgspec.structs.replace(IMAGE, status="SETTLED", version=5)
    assert shows(image, _market(settled=True, version=5, status="CLOSED"))
    assert not shows(None, _market())
