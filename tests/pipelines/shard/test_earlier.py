"""What an earlier program handed from shard to shard is read as this one would have it.

`tests/data/parcel-version-1.bin` was packed when orders and levels were other classes.
"""

from pathlib import Path

from pipelines.shard.bet_table import BetTable
from pipelines.shard.hash import state_hash
from pipelines.shard.image import image_bytes
from pipelines.shard.parcel import digest_of, packed, unpacked
from tests.pipelines.shard.desk import EVENT, MARKET
from tests.pipelines.shard.exchange_desk import ExchangeDesk, check_market, exchange_market

FILE = Path(__file__).parents[2] / "data" / "parcel-version-1.bin"


def busy() -> ExchangeDesk:
    """The market as it was when the file was written."""
    desk = ExchangeDesk()
    desk.open(exchange_market(bsp_market=True))
    desk.lay("a", 30_000, 10)
    desk.lay("b", 31_000, 10)
    desk.lay("c", 30_000, 7)
    desk.back("t", 30_500, 5)
    desk.back("u", 90_000, 50)
    desk.back("v", 50_000, 20)
    desk.back("w", 50_000, 20)
    desk.back("sp", 20_000, 20, order_type="LIMIT_ON_CLOSE")
    desk.change("cancel", "v")
    desk.change("update", "w", persistence="PERSIST")
    desk.change("replace", "u", new_bet_id="u2", odds_e4=80_000)
    desk.back("many", 20_000, 12)
    return desk


def arrived(data: bytes) -> ExchangeDesk:
    """The same desk with the market that was packed in place of its own."""
    desk = busy()
    parcel = unpacked([data], digest_of(data))
    event = desk.state.events[EVENT]
    event.markets[MARKET], event.bets = parcel.market, BetTable()
    for one in parcel.bets:
        event.bets.add(one)
    return desk


def test_a_market_that_an_earlier_program_handed_over_is_what_it_was() -> None:
    desk, found = busy(), arrived(FILE.read_bytes())
    assert found.hash() == desk.hash()
    check_market(found.market())
    event = found.state.events[EVENT]
    assert image_bytes(event, found.market()) == image_bytes(
        desk.state.events[EVENT], desk.market()
    )


def test_it_goes_on_like_one_that_never_moved() -> None:
    own = busy()
    data = packed(own.state, own.state.events[EVENT], own.market())
    for found in (arrived(FILE.read_bytes()), arrived(data)):
        desk = busy()
        for one in (desk, found):
            one.lay("late", 50_000, 30)
            one.change("cancel", "w")
            one.operate_market("market_status", in_play=True)
        assert state_hash(found.state) == state_hash(desk.state)
        assert found.images == desk.images
        check_market(found.market())
