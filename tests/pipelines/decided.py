"""Published examples as an outside checker tries them: lines in, what `overround decide` prints."""

import json
from typing import Any

from pipelines.dry_run import DryRun

EVENT = "e"
MARKET = "m"

Line = dict[str, Any]


class Decided:
    """One dry run; `printed` is all that it printed so far."""

    def __init__(self) -> None:
        self.run = DryRun()
        self.printed: list[Line] = []
        self.now_ms = 1_000
        self._events: set[str] = set()

    def _line(self, topic: str, key: str, client_id: str, value: Line) -> list[Line]:
        self.now_ms += 1
        line = {"topic": topic, "key": key, "timestamp_ms": self.now_ms, "value": value}
        line |= {"client_id": client_id} if client_id else {}
        found = self.run.line(json.dumps(line).encode())
        self.printed += found
        return found

    def operate(self, kind: str, event: str = EVENT, **fields: Any) -> list[Line]:
        value = {"type": kind, "event_id": event, "market_id": MARKET, **fields}
        return self._line("events", event, "", value)

    def open(self, selections: Any, event: str = EVENT, **market: Any) -> "Decided":
        """Open an event with a market: a list of odds of selections from 1, or their number."""
        if isinstance(selections, int):
            selections = [{"selection_id": s} for s in range(1, selections + 1)]
        else:
            numbered = enumerate(selections, 1)
            selections = [
                odds if isinstance(odds, dict) else {"selection_id": s, "odds_e4": odds}
                for s, odds in numbered
            ]
        self._line("events", event, "", {"type": "event_opened", "event_id": event})
        opened = {"market_id": MARKET, "selections": selections, **market}
        value = {"type": "market_opened", "event_id": event, "market": opened}
        found = self._line("events", event, "", value)
        assert found[0]["type"] == "market_was_opened", found
        return self

    def bet(
        self, bet_id: str, selection: int, stake: int, odds: int = 0, who: str = "ann", **more: Any
    ) -> Line:
        """Place one bet; return its answer."""
        event = more.pop("event", EVENT)
        value = {
            "type": "bet", "bet_id": bet_id, "event_id": event, "market_id": MARKET,
            "selection_id": selection, "stake_minor": stake, "odds_e4": odds,
            "market_version": self.version(event), **more,
        }  # fmt: skip
        return self._line("bets", event, who, value)[0]

    def ask(self, kind: str, bet_id: str, who: str = "ann", **more: Any) -> list[Line]:
        """Send a request about a bet."""
        value = {"type": kind, "bet_id": bet_id, "event_id": EVENT, "market_id": MARKET, **more}
        return self._line("bets", EVENT, who, value)

    def coupon(self, bet_type: str, legs: list[tuple[str, int, int]], unit: int, **m: Any) -> str:
        """Place a multiple on (event, selection, odds); return the code of a refusal."""
        asked = [
            {"event_id": event, "market_id": MARKET, "selection_id": s, "odds_e4": odds,
             "market_version": self.version(event)}
            for event, s, odds in legs
        ]  # fmt: skip
        policy = m.pop("price_policy", "exact")
        asked = [one | {"price_policy": policy} for one in asked]
        value = {
            "type": "coupon", "bet_id": "c", "bet_type": bet_type, "legs": asked,
            "unit_stake_minor": unit, **m,
        }  # fmt: skip
        found = self._line("bets", "bettor/ann", "ann", value)
        refused = [x["code"] for x in found if x["type"] in ("coupon_rejected", "coupon_declined")]
        assert refused or any(one["type"] == "coupon_accepted" for one in found), found
        return str(refused[0]) if refused else ""

    def tick(self, now_ms: int) -> list[Line]:
        self.now_ms = now_ms
        found = self.run.line(json.dumps({"tick": now_ms}).encode())
        self.printed += found
        return found

    def version(self, event: str = EVENT) -> int:
        images = [x for x in self.printed if x["topic"] == "odds" and x["event_id"] == event]
        return int(images[-1]["version"]) if images else 0

    def image(self, event: str = EVENT) -> dict[int, Line]:
        """Return the selections of the newest odds image, by id."""
        images = [x for x in self.printed if x["topic"] == "odds" and x["event_id"] == event]
        return {one["selection_id"]: one for one in images[-1]["selections"]}

    def odds(self) -> list[int]:
        return [one["odds_e4"] for one in self.image().values()]

    def result(self, event: str = EVENT, **result: Any) -> list[Line]:
        """Close the market and give its result; return what is printed for that."""
        self.operate("market_status", event, status="SUSPENDED")
        found = self.operate("result", event, **result)
        assert any(one["type"] == "market_settled" for one in found), found
        return found

    def paid(self, event: str = EVENT, **result: Any) -> dict[str, int]:
        """Return the payouts of a result by bet."""
        found = self.result(event, **result)
        return {x["bet_id"]: x["payout_minor"] for x in found if x["type"] == "bet_settled"}


def entries(lines: list[Line], kind: str) -> list[Line]:
    """Return the printed entries of a type."""
    return [one for one in lines if one["type"] == kind]
