"""What simulated bettors decide: pure, from a seed and what they see, the same at any speed.

Some take the offer at once, some hesitate and send later what they saw before, a few ask for more
than they may stake: so answers of every kind come about.
"""

from collections.abc import Sequence
from random import Random
from typing import Final, NamedTuple

from pipelines.messages.images import OddsImage, SelectionImage
from pipelines.messages.requests import PRICE_POLICIES, BetRequest, PricePolicy

__all__ = ["Wish", "bet_request", "participants", "takes_part", "wishes"]

STAKES_MINOR: Final = (100, 200, 500, 500, 1_000, 1_000, 2_500, 5_000, 10_000)
ABOVE_LIMIT_MINOR: Final = 150_000
WISHES_MAX: Final = 3
MILLION: Final = 1_000_000


class Wish(NamedTuple):
    """A bet that a bettor wants, at the odds that they see now."""

    bettor: int
    selection_id: int
    odds_e4: int
    market_version: int
    stake_minor: int
    price_policy: PricePolicy
    tolerance_e4: int
    hesitates: bool


def participants(seed: int, event_id: str, bettors: int, each: int) -> tuple[int, ...]:
    """Return which bettors follow an event: `each` of them, or all where there are no more."""
    if each >= bettors:
        return tuple(range(bettors))
    rng = _rng(seed, "event", event_id)
    first = int(rng.random() * bettors)
    return tuple(sorted((first + n) % bettors for n in range(each)))


def takes_part(seed: int, market_id: str, moment: int, chance_millionths: int) -> bool:
    """Return whether somebody bets at this moment of a market, its n-th change."""
    return _rng(seed, market_id, moment).random() * MILLION < chance_millionths


def wishes(seed: int, moment: int, image: OddsImage, bettors: Sequence[int]) -> list[Wish]:
    """Return the bets that one of the bettors wants on a market, as they see it."""
    offered = [s for s in image.selections if _can_bet(image, s)]
    if image.status != "OPEN" or not offered or not bettors:
        return []
    rng = _rng(seed, image.market_id, moment, "wishes")
    bettor = bettors[int(rng.random() * len(bettors))]
    return [
        _wish(rng, bettor, offered[int(rng.random() * len(offered))], image)
        for _ in range(1 + int(rng.random() * WISHES_MAX))
    ]


def bet_request(wish: Wish, image: OddsImage, bet_id: str) -> BetRequest:
    """Return the bet as it goes over the wire."""
    return BetRequest(
        bet_id=bet_id,
        event_id=image.event_id,
        market_id=image.market_id,
        selection_id=wish.selection_id,
        stake_minor=wish.stake_minor,
        odds_e4=wish.odds_e4,
        price_policy=wish.price_policy,
        tolerance_e4=wish.tolerance_e4,
        market_version=wish.market_version,
    )


def _wish(rng: Random, bettor: int, selection: SelectionImage, image: OddsImage) -> Wish:
    pool = image.engine == "pool"
    stake_minor = STAKES_MINOR[int(rng.random() * len(STAKES_MINOR))]
    if rng.random() < 0.02:
        stake_minor = ABOVE_LIMIT_MINOR
    # Most want the odds that they saw, or better ones.
    policy: PricePolicy = "better"
    if rng.random() < 0.5:
        policy = PRICE_POLICIES[int(rng.random() * len(PRICE_POLICIES))]
    tolerance_e4 = 0 if pool or rng.random() < 0.8 else selection.odds_e4 // 50
    return Wish(
        bettor,
        selection.selection_id,
        0 if pool else selection.odds_e4,
        image.version,
        stake_minor,
        "any" if pool else policy,
        tolerance_e4,
        rng.random() < 0.2,
    )


def _can_bet(image: OddsImage, selection: SelectionImage) -> bool:
    return selection.status == "ACTIVE" and (image.engine == "pool" or selection.odds_e4 > 0)


def _rng(*parts: object) -> Random:
    return Random(":".join(map(str, parts)))  # noqa: S311 - simulated, no secret
