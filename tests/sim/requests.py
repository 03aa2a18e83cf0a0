"""What a market of each engine looks like, and what its bettors ask for."""

import random
from collections.abc import Sequence
from typing import Any

SELECTIONS = 5
LADDER = (15_000, 18_000, 20_000, 25_000, 30_000, 34_000, 40_000, 50_000, 80_000)
STAKES_MINOR = (1, 100, 100, 2_500, 2_500, 10_000, 10**13)
ENGINES = ("pool", "fixed", "exchange", "lmsr")

#: Orders meet at these, so that many of them match.
ORDER_ODDS = (25_000, 30_000, 34_000)


def market_of(draw: random.Random, engine: str, odds: Sequence[int]) -> dict[str, Any]:
    """Return the definition of a market; `odds` is what a fixed one opens with."""
    selections: list[dict[str, Any]] = [{"selection_id": n + 1} for n in range(SELECTIONS)]
    market: dict[str, Any] = {"market_id": "win", "engine": engine, "selections": selections}
    if engine == "fixed":
        for selection, odds_e4 in zip(selections, odds, strict=True):
            selection["odds_e4"] = odds_e4
    elif engine == "lmsr":
        market["lmsr"] = draw.choice([{"liquidity_minor": 20_000}, {"max_loss_minor": 50_000}])
    elif engine == "exchange":
        market["market_base_rate_e4"] = draw.choice([0, 500])
        market["cross_matching"] = draw.random() < 0.3
        market["bsp_market"] = draw.random() < 0.3
        market["self_match"] = draw.choice(["CANCEL_RESTING", "CANCEL_INCOMING", "ALLOW"])
    market["accounts"] = engine != "exchange" and draw.random() < 0.4
    return market


def bet_on(
    draw: random.Random, engine: str, selection_id: int, image: dict[str, Any] | None
) -> dict[str, Any]:
    """Return the engine's own part of a bet: what a page would send that shows this image."""
    fields: dict[str, Any] = {
        "selection_id": selection_id,
        "stake_minor": draw.choice(STAKES_MINOR),
        "price_policy": draw.choice(["exact", "better", "any"]),
    }
    if image is not None:
        fields["market_version"] = image["version"]
        if engine in ("fixed", "lmsr"):
            fields["odds_e4"] = image["selections"][selection_id - 1]["odds_e4"]
    if engine == "lmsr":
        fields["tolerance_e4"] = draw.choice([0, 2_000])
    if engine == "exchange":
        fields |= _order(draw)
    return fields


def _order(draw: random.Random) -> dict[str, Any]:
    order: dict[str, Any] = {
        "side": draw.choice(["BACK", "LAY"]),
        "odds_e4": draw.choice(ORDER_ODDS),
        "price_policy": "exact",
        "persistence": draw.choice(["LAPSE", "PERSIST", "MARKET_ON_CLOSE"]),
    }
    kind = draw.random()
    if kind < 0.1:
        order["time_in_force"] = "FILL_OR_KILL"
    elif kind < 0.2:
        order["order_type"] = draw.choice(["LIMIT_ON_CLOSE", "MARKET_ON_CLOSE"])
    return order


def change_of(draw: random.Random, bet_id: str, fresh_id: str) -> dict[str, Any]:
    """Return a request about a bet that was sent before."""
    kind = draw.choice(["cancel", "cancel", "replace", "replace", "update", "cash_out"])
    change: dict[str, Any] = {"type": kind, "bet_id": bet_id}
    if kind == "cancel":
        change["size_reduction_minor"] = draw.choice([0, 0, 50])
    elif kind == "replace":
        change |= {"new_bet_id": fresh_id, "odds_e4": draw.choice(ORDER_ODDS)}
    elif kind == "update":
        change["persistence"] = draw.choice(["LAPSE", "PERSIST"])
    else:
        change["amount_minor"] = draw.choice([0, 0, 1])
    return change
