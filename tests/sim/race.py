"""An event of a simulation as its operator knows it, and what bettors say of orders there."""

import random
from dataclasses import dataclass, field
from typing import Any

__all__ = ["LADDER", "Race", "order_change", "order_terms"]

LADDER = (15_000, 18_000, 20_000, 25_000, 30_000, 34_000, 40_000, 50_000, 80_000)


@dataclass
class Race:
    """What the operator knows of one event."""

    event_id: str
    engine: str
    odds: list[int]
    status: str = "OPEN"
    version: int = 1
    settled: bool = False
    orders: list[tuple[str, str]] = field(default_factory=list)  # bettor and bet id


def order_terms(chance: random.Random) -> dict[str, Any]:
    """Return what an order says beside a bet."""
    kind: dict[str, Any] = {"persistence": chance.choice(["LAPSE", "LAPSE", "PERSIST"])}
    if chance.random() < 0.1:
        kind = {"order_type": "MARKET_ON_CLOSE"}
    odds = 0 if "order_type" in kind else chance.choice(LADDER[2:6])
    return {"side": chance.choice(["BACK", "LAY"]), "odds_e4": odds, **kind}


def order_change(chance: random.Random, event_id: str, bet_id: str, anew: str) -> dict[str, Any]:
    """Return a request to cancel or replace an order, or to cash it out."""
    kind = chance.choice(["cancel", "cancel", "replace", "cash_out"])
    value = {"type": kind, "event_id": event_id, "market_id": "win", "bet_id": bet_id}
    if kind == "replace":
        return value | {"new_bet_id": anew, "odds_e4": chance.choice(LADDER)}
    return value | ({"amount_minor": 1, "tolerance_minor": 1} if kind == "cash_out" else {})
