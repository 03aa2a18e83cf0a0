"""Deltas fold to the image that Betfair means: sizes of 0 go, images replace, levels count."""

from pipelines.betfair.market_cache import Handicapped, MarketCache
from pipelines.betfair.stream import Definition, MarketChange, RunnerChange


def _cache(*changes: MarketChange) -> MarketCache:
    cache = MarketCache()
    for index, change in enumerate(changes):
        cache.apply(change, index)
    return cache


def test_a_size_of_zero_takes_a_level_away() -> None:
    cache = _cache(
        MarketChange("1.1", rc=[RunnerChange(7, atb=[[3.0, 10.0], [3.1, 5.0]], atl=[[3.2, 4.0]])]),
        MarketChange("1.1", rc=[RunnerChange(7, atb=[[3.1, 0.0]], ltp=3.15)]),
    )
    prices = cache.markets["1.1"].runners[Handicapped(7, 0.0)]
    assert (prices.best_back, prices.best_lay, prices.ltp) == (3.0, 3.2, 3.15)


def test_an_image_replaces_everything_but_the_definition() -> None:
    definition = Definition(eventId="5")
    cache = _cache(
        MarketChange("1.1", definition, [RunnerChange(7, atb=[[3.0, 10.0]])], img=True),
        MarketChange("1.1", rc=[RunnerChange(8, atb=[[2.0, 1.0]])], img=True),
    )
    image = cache.markets["1.1"]
    assert list(image.runners) == [Handicapped(8, 0.0)]
    assert image.definition is definition


def test_a_feed_of_best_offers_only_has_its_price_at_level_0() -> None:
    cache = _cache(
        MarketChange("1.1", rc=[RunnerChange(7, batb=[[0, 4.4, 9], [1, 4.3, 2]])]),
        MarketChange("1.1", rc=[RunnerChange(7, batb=[[0, 4.2, 3]], bdatl=[[0, 4.5, 1]])]),
    )
    prices = cache.markets["1.1"].runners[Handicapped(7, 0.0)]
    assert (prices.best_back, prices.best_lay) == (4.2, 4.5)
    cache.apply(MarketChange("1.1", rc=[RunnerChange(7, batb=[[0, 0, 0]])]), 3)
    assert prices.best_back is None


def test_a_team_is_one_runner_for_each_handicap() -> None:
    change = RunnerChange(7, hc=-0.5, ltp=2.0), RunnerChange(7, hc=0.5, ltp=1.8)
    cache = _cache(MarketChange("1.1", rc=list(change)))
    runners = cache.markets["1.1"].runners
    assert [runners[Handicapped(7, hc)].ltp for hc in (-0.5, 0.5)] == [2.0, 1.8]
