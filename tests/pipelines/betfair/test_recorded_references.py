"""Published numbers of recorded markets: traded volume, statuses, winners, starting prices.

An exchange market with the recorded selections settles to the recorded winners, whose matched
prices are those that were traded.
"""

import random

import msgspec
import pytest

from pipelines.betfair.recording import read_messages
from pipelines.betfair.stream import Definition
from pipelines.messages import entries as e
from pipelines.shard.order import Order
from tests.pipelines.betfair.recordings import recorded
from tests.pipelines.shard.desk import MARKET
from tests.pipelines.shard.exchange_desk import ExchangeDesk

Traded = dict[int, dict[float, float]]  # selection id -> price -> size


def played(name: str) -> tuple[list[Definition], Traded, float]:
    """Return the definitions, what was traded at most at each price, and in all."""
    definitions: list[Definition] = []
    traded: Traded = {}
    most: Traded = {}
    volume = 0.0
    for message in read_messages(recorded(name)):
        for market in message.mc:
            definition = market.marketDefinition
            if isinstance(definition, Definition):
                definitions.append(definition)
            if market.img:
                traded.clear()
            for runner in market.rc:
                prices = traded.setdefault(runner.id, {})
                prices.update((level[0], level[1]) for level in runner.trd)
            if total(traded) >= volume:
                volume, most = total(traded), {s: dict(prices) for s, prices in traded.items()}
    return definitions, most, volume


def total(traded: Traded) -> float:
    return round(sum(size for prices in traded.values() for size in prices.values()), 2)


@pytest.mark.parametrize(
    ("name", "volume"), [("1.200806927", 456_503.62), ("1.197931750", 25_102.51),
                         ("1.197931751", 4_317.13)]
)  # fmt: skip
def test_flumine_traded_volume(name: str, volume: float) -> None:
    assert played(name)[2] == pytest.approx(volume, abs=0.005)


def test_flumine_1_200806927_definitions_and_winner() -> None:
    definitions, _, _ = played("1.200806927")
    assert len(definitions) == 8
    assert [r.id for r in definitions[-1].runners if r.status == "WINNER"] == [228749]
    assert definitions[-1].status == "CLOSED"


def test_greyhound_pair_winners_and_starting_prices() -> None:
    win = played("1.197931750")[0][-1]
    place = played("1.197931751")[0][-1]
    assert {r.id: r.bsp for r in win.runners if r.status == "WINNER"} == {37947503: 25.0}
    found = {r.id: r.bsp for r in place.runners if r.status == "WINNER"}
    assert found == {37947503: 5.6, 39823721: 1.28}


@pytest.mark.parametrize("name", ["1.197931750", "1.197931751"])
def test_orders_at_recorded_prices_settle_to_the_recorded_winners(name: str) -> None:
    definitions, traded, _ = played(name)
    last = definitions[-1]
    winners = [r.id for r in last.runners if r.status == "WINNER"]
    runners = [{"selection_id": r.id} for r in last.runners if r.status != "REMOVED"]
    desk = ExchangeDesk()
    market: dict[str, object] = {"market_id": MARKET, "engine": "exchange", "selections": runners}
    rules: dict[str, object] = {"number_of_winners": len(winners), "market_base_rate_e4": 500}
    desk.open(market | rules)
    chance = random.Random(name)
    offered = [r["selection_id"] for r in runners if traded.get(r["selection_id"])]
    for number in range(400):
        selection = chance.choice(offered)
        price = chance.choice(sorted(traded[selection]))
        odds_e4 = round(price * 10_000)
        side = chance.choice(["BACK", "LAY"])
        desk.order(f"o{number}", side, odds_e4, chance.randrange(1, 900), selection=selection)
    desk.check()
    entries = desk.settle(*winners)
    desk.check()
    results = [one for one in entries if isinstance(one, e.BetSettled)]
    assert len(results) > 100
    for one in results:
        order = desk.of(one.bet_id, one.client_id)
        assert isinstance(order, Order)
        assert {odds for odds, _, _ in order.fills} <= {
            round(price * 10_000) for price in traded[order.selection_id]
        }
        wins = (order.selection_id in winners) != order.lay
        assert one.result == ("win" if wins else "loss"), msgspec.to_builtins(order)
    assert desk.market().escrow_minor == 0
