"""Which prices an exchange market trades at: Betfair's ladders, or bands of the market's own."""

from functools import lru_cache

from pipelines.books.ladder import LADDERS, Ladder
from pipelines.limits import LADDER_PRICES_MAX, ODDS_MAX_E4, ODDS_ONE
from pipelines.messages.operations import Market

__all__ = ["bands_problem", "ladder_of"]


def ladder_of(market: Market) -> Ladder:
    """Return the ladder of a market; one of its own must have passed `bands_problem`."""
    if market.ladder == "CUSTOM":
        return _custom(market.ladder_bands)
    return LADDERS[market.ladder]


def bands_problem(market: Market) -> str:
    """Say what is wrong with a market's own bands, "" where nothing is."""
    bands = market.ladder_bands
    if market.ladder != "CUSTOM":
        return "bands are for the ladder CUSTOM" if bands else ""
    if not bands:
        return "the ladder CUSTOM needs bands"
    last, count = ODDS_ONE, 0
    for up_to_e4, step_e4 in bands:
        if up_to_e4 <= last or step_e4 < 1 or up_to_e4 > ODDS_MAX_E4:
            return "bands must rise, by steps of at least 0.0001, to at most 1000"
        if (up_to_e4 - last) % step_e4:
            return f"the band up to {up_to_e4} is no whole number of steps"
        count += (up_to_e4 - last) // step_e4
        last = up_to_e4
    return f"more than {LADDER_PRICES_MAX} prices" if count > LADDER_PRICES_MAX else ""


@lru_cache(maxsize=256)
def _custom(bands: tuple[tuple[int, int], ...]) -> Ladder:
    prices: list[int] = []
    last = ODDS_ONE
    for up_to_e4, step_e4 in bands:
        prices.extend(range(last + step_e4, up_to_e4 + 1, step_e4))
        last = up_to_e4
    return Ladder("CUSTOM", tuple(prices))
