"""Random but reproducible input of a whole shard: several events, both clocks, good and bad."""

import random
from collections.abc import Callable

import msgspec

from pipelines.ports import Record
from pipelines.topics import BETS, EVENTS

WALL_MS = 1_700_000_000_000
FEED_MS = 1_600_000_000_000
LADDER = [15_000, 20_000, 29_800, 30_000, 30_500, 40_000]


class Traffic:
    """Makes records; `wall_step_ms` says how far apart they arrive, feed times do not follow it."""

    def __init__(
        self,
        seed: int,
        wall_step_ms: Callable[[random.Random], int],
        feed: bool,
        risk: bool = False,
    ) -> None:
        self.risk = risk  # also what a risk desk sends, and bets to be taken in part
        self.chance = random.Random(seed)
        self.pace = random.Random(seed + 1)
        self.wall_step_ms = wall_step_ms
        self.wall_ms = WALL_MS
        self.feed_ms = FEED_MS
        self.clock = "feed" if feed else "wall"
        self.offsets = {BETS: 0, EVENTS: 0}
        self.bets: list[tuple[str, bytes, str]] = []

    def record(self, topic: str, key: str, value: bytes, client_id: str = "") -> Record:
        offset = self.offsets[topic]
        self.offsets[topic] += 1
        self.wall_ms += self.wall_step_ms(self.pace)
        return Record(topic, 0, offset, self.wall_ms, key.encode(), value, client_id)

    def operation(self, kind: str, event_id: str, **fields: object) -> Record:
        if self.clock == "feed":
            fields["at_ms"] = self.feed_ms
        value = {"type": kind, "event_id": event_id, **fields}
        return self.record(EVENTS, event_id, msgspec.json.encode(value))

    def opening(self, events: int) -> list[Record]:
        """Each event has a fixed book and a pool, in-play with a bet delay."""
        records = []
        for number in range(events):
            event_id = f"event-{number}"
            start_ms = (FEED_MS if self.clock == "feed" else WALL_MS) + 5_000 * number
            records.append(
                self.operation("event_opened", event_id, clock=self.clock, start_ms=start_ms)
            )
            for market_id, engine, odds in (("1.1", "fixed", 30_000), ("1.2", "pool", 0)):
                market = {
                    "market_id": market_id,
                    "engine": engine,
                    "selections": [{"selection_id": s, "odds_e4": odds} for s in range(3)],
                    "in_play": True,
                    "bet_delay_ms": 1_000 * (number % 3),
                    "takeout_e4": 1_000,
                }
                records.append(self.operation("market_opened", event_id, market=market))
        return records

    def middle(self, count: int, events: int) -> list[Record]:
        """Bets, price moves, suspensions, repeats, results and rollbacks."""
        return [self._one(f"event-{self.chance.randrange(events)}") for _ in range(count)]

    def _one(self, event_id: str) -> Record:
        chance = self.chance
        self.feed_ms += chance.randrange(200)
        market_id = chance.choice(["1.1", "1.2"])
        roll = chance.random()
        if roll < 0.70:
            return self._bet(event_id, market_id)
        if roll < 0.75 and self.bets:
            key, value, client_id = chance.choice(self.bets)
            return self.record(BETS, key, value, client_id)
        if roll < 0.78:
            return self.record(chance.choice([BETS, EVENTS]), event_id, b"nonsense", "ann")
        if roll < 0.88:
            prices = [[s, chance.choice(LADDER)] for s in range(3)]
            return self.operation("prices", event_id, market_id="1.1", prices=prices)
        if self.risk and roll < 0.92:
            return self._risk(event_id, market_id)
        if roll < 0.96:
            status = chance.choice(["OPEN", "OPEN", "SUSPENDED"])
            return self.operation("market_status", event_id, market_id=market_id, status=status)
        if roll < 0.98:
            winners = [chance.randrange(3)]
            return self.operation("result", event_id, market_id=market_id, winners=winners)
        return self.operation("result_rolled_back", event_id, market_id=market_id)

    def _risk(self, event_id: str, market_id: str) -> Record:
        """Limits, levers, and words on bets whether or not they are referred."""
        chance = self.chance
        bettor = f"bettor-{chance.randrange(7)}"
        kinds = ["risk_set", "risk_lever", "risk_lever", "referral_decided", "shard_risk_set"]
        what = chance.choice(kinds if self.clock == "wall" else kinds[:-1])
        if what == "shard_risk_set":
            limit = chance.choice([0, 5_000, 50_000])
            value = {"type": what, "partition": 0, "loss_limit_minor": limit}
            return self.record(EVENTS, "shard/0", msgspec.json.encode(value))
        if what == "risk_set":
            limit = chance.choice([0, 3_000, 30_000])
            limits = {"event_loss_limit_minor": limit, "bettor_stake_max_minor": limit}
            quick = {"name": "quick", "late_loss_max_e4": 5_000}
            classes: dict[str, object] = {"classes": [quick], "bettors": [[bettor, "quick"]]}
            return self.operation(what, event_id, referral_timeout_ms=1_500, **limits, **classes)
        if what == "risk_lever":
            where = {"market_id": chance.choice(["", market_id])}
            action = chance.choice(["refer", "refer", "limit", "reject", "accept", "none"])
            who = chance.choice(["", bettor])
            return self.operation(
                what, event_id, **where, client_id=who, action=action, stake_max_minor=300
            )
        mine = [one for one in self.bets[-20:] if one[0] == event_id]
        _, value, client = chance.choice(mine) if mine else ("", b'{"bet_id":"none"}', "ann")
        word = {"bet_id": msgspec.json.decode(value)["bet_id"], "client_id": client}
        accept, stake = chance.random() < 0.7, chance.choice([0, 0, 100])
        return self.operation(
            what, event_id, market_id=market_id, accept=accept, stake_minor=stake, **word
        )

    def _bet(self, event_id: str, market_id: str) -> Record:
        chance = self.chance
        client_id = f"bettor-{chance.randrange(7)}"
        value = msgspec.json.encode(
            {
                "type": "bet",
                "bet_id": f"b{len(self.bets)}",
                "event_id": event_id,
                "market_id": market_id,
                "selection_id": chance.randrange(3),
                "stake_minor": chance.randrange(1, 1_000),
                "odds_e4": chance.choice(LADDER) if market_id == "1.1" else 0,
                "price_policy": chance.choice(["any", "better", "exact"]),
                "market_version": chance.choice([0, 1, 1, 2, 3]) if market_id == "1.1" else 0,
                "accept_partial": self.risk and chance.random() < 0.3,
            }
        )
        self.bets.append((event_id, value, client_id))
        return self.record(BETS, event_id, value, client_id)
