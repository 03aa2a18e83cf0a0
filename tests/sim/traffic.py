"""What operator and bettors of a simulation send: races that open, move, run, and have a result."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from pipelines.channels import odds_out
from pipelines.shard.bettor import bettor_key
from pipelines.topics import BETS, EVENTS, partition_of
from tests.sim.edge import SimulatedEdge
from tests.sim.kafka import SimulatedKafka
from tests.sim.requests import (
    ENGINES,
    LADDER,
    SELECTIONS,
    STAKES_MINOR,
    bet_on,
    change_of,
    market_of,
)

BETTORS = 12
POISON = (
    b"",
    b"\xff\xfe",
    b"{",
    b"[1,2]",
    b'{"type":"bet"}',
    b"x" * 300_000,
    b'{"v":9,"type":"bet"}',
)


@dataclass
class Race:
    """What the operator knows of one event."""

    event_id: str
    engine: str
    odds: list[int]
    status: str = "OPEN"
    version: int = 1
    settled: bool = False
    bets: list[tuple[str, str]] = field(default_factory=list)


class Traffic:
    """Writes records of `events` and `bets`; everything drawn from one generator."""

    def __init__(
        self,
        kafka: SimulatedKafka,
        edge: SimulatedEdge,
        partitions: int,
        generator: random.Random,
        trace: Callable[[str], None],
    ) -> None:
        self._kafka = kafka
        self._edge = edge
        self._partitions = partitions
        self._random = generator
        self._trace = trace
        self.races: list[Race] = []
        #: Each readable bet that was sent: (event, bettor, bet id).
        self.sent: set[tuple[str, str, str]] = set()
        #: Each request about one: (event, bettor, bet id, id of the bet in its place).
        self.changes: set[tuple[str, str, str, str]] = set()
        self._sent_values: list[tuple[str, str, dict[str, Any]]] = []
        self.poison = 0
        self._counter = 0

    def operate(self) -> None:
        """Open a race, or let one go on."""
        if self._random.random() < 0.15:
            self._fund()
            return
        going = [race for race in self.races if not race.settled]
        if len(going) < 3:
            self._open()
            return
        race = self._random.choice(going)
        step = self._random.randrange(14)
        if step >= 12:
            self._move(race)
        if step < 6 and race.engine == "fixed":
            self._prices(race)
        elif step < 8:
            self._status(race, self._random.choice(["SUSPENDED", "OPEN"]))
        elif step < 9:
            delay = {"in_play": True, "bet_delay_ms": self._random.choice([0, 500, 3_000])}
            self._send(race, "market_status", status="OPEN", **delay)
            race.status = "OPEN"
        elif step < 10:
            removed = self._random.randint(1, SELECTIONS)
            self._send(race, "selection_removed", selection_id=removed)
        elif step < 11:
            self.finish(race)
        else:
            self._risk(race)

    def _risk(self, race: Race) -> None:
        """Set limits, pull a lever, or say a word on the bets that were sent last."""
        chance = self._random
        client = f"bettor-{chance.randrange(BETTORS)}"
        what = chance.choice(["risk_set", "risk_lever", "risk_lever", "word", "word"])
        if what == "risk_set":
            limit = chance.choice([0, 20_000, 200_000])
            limits = {"event_loss_limit_minor": limit, "bettor_stake_max_minor": limit}
            slow = {"name": "slow", "stake_factor_e4": 5_000, "delay_ms": 700}
            classes: dict[str, Any] = {"classes": [slow], "bettors": [[client, "slow"]]}
            timeout = {"referral_timeout_ms": chance.choice([1_000, 5_000])}
            self._send(race, what, market_id=None, **limits, **classes, **timeout)
        elif what == "risk_lever":
            action = chance.choice(["refer", "refer", "limit", "reject", "accept", "none"])
            who = chance.choice(["", client])
            self._send(race, what, client_id=who, action=action, stake_max_minor=2_000)
        else:
            mine = [one for one in self._sent_values if one[0] == race.event_id]
            for _, bettor, value in mine[-4:]:
                bet = {"client_id": bettor, "bet_id": value["bet_id"]}
                self._send(race, "referral_decided", accept=chance.random() < 0.6, **bet)

    def _move(self, race: Race) -> None:
        """Send a race's market to another shard, or fetch it."""
        if self._random.random() < 0.6:
            other = self._random.randrange(self._partitions)
            self._send(race, "event_isolated", market_id=None, partitions=[other])
        else:
            self._send(race, "event_rejoined", market_id=None)

    def finish_all(self) -> None:
        """Bring every race to its end."""
        for race in self.races:
            if not race.settled:
                self.finish(race)

    def finish(self, race: Race) -> None:
        """Close a race and name its winner, or void it; now and then take the result back."""
        self._status(race, "CLOSED")
        self._send(race, "result", winners=[self._random.randint(1, SELECTIONS)])
        if self._random.random() < 0.2:
            self._send(race, "result_rolled_back")
            self._send(race, "result", winners=[self._random.randint(1, SELECTIONS)])
        race.settled = True

    def _open(self) -> None:
        self._counter += 1
        engine = self._random.choice(ENGINES)
        odds = [self._random.choice(LADDER) for _ in range(SELECTIONS)]
        race = Race(f"race-{self._counter}", engine, odds)
        self.races.append(race)
        start_ms = self._kafka.time.now_ms + self._random.randint(0, 20_000)
        self._send(race, "event_opened", name=race.event_id, start_ms=start_ms, market_id=None)
        market = market_of(self._random, engine, odds)
        self._send(race, "market_opened", market=market, market_id=None)

    def _fund(self) -> None:
        """Open a bettor's account, or let money come or go; the operator repeats itself."""
        client = f"bettor-{self._random.randrange(BETTORS)}"
        reference = f"ref-{self._random.randrange(40)}"
        amount = self._random.choice([500, 5_000, 50_000])
        money = {"reference": reference, "amount_minor": amount}
        kind = self._random.choice(["account_set", "deposit", "deposit", "withdrawal"])
        value = {"type": kind, "client_id": client} | (money if kind != "account_set" else {})
        key = bettor_key(client).encode()
        partition = partition_of(key, self._partitions)
        self._kafka.send(EVENTS, partition, key, msgspec.json.encode(value))
        self._trace(f"events {client} {kind}")

    def _prices(self, race: Race) -> None:
        selection = self._random.randrange(SELECTIONS)
        race.odds[selection] = self._random.choice(LADDER)
        prices = [{"selection_id": selection + 1, "odds_e4": race.odds[selection]}]
        self._send(race, "prices", prices=prices)

    def _status(self, race: Race, status: str) -> None:
        race.status = status
        self._send(race, "market_status", status=status)

    def _send(self, race: Race, kind: str, market_id: str | None = "win", **fields: Any) -> None:
        value = {"type": kind, "event_id": race.event_id, **fields}
        if market_id is not None:
            value["market_id"] = market_id
        encoded = msgspec.json.encode(value)
        key = race.event_id.encode()
        partition = partition_of(key, self._partitions)
        # A feed that got no answer sends again.
        for _ in range(2 if self._random.random() < 0.05 else 1):
            self._kafka.send(EVENTS, partition, key, encoded)
        self._trace(f"events {race.event_id} {kind}")

    def bet(self) -> None:
        """Send a bet, one that was sent before, or nonsense."""
        if not self.races:
            return
        drawn = self._random.random()
        if drawn < 0.05:
            self._poison()
        elif drawn < 0.15 and self._sent_values:
            event, client, value = self._random.choice(self._sent_values)
            self._bet_record(event, client, value)
        elif drawn < 0.3 and len(self.races) > 1:
            self._coupon()
        elif drawn < 0.42 and self._sent_values:
            self._change()
        else:
            self._fresh()

    def _coupon(self) -> None:
        races = self._random.sample(self.races[-6:], min(len(self.races[-6:]), 3))
        self._counter += 1
        client = f"bettor-{self._random.randrange(BETTORS)}"
        legs = []
        for race in races:
            selection = self._random.randint(1, SELECTIONS)
            odds_e4 = race.odds[selection - 1]
            seen = self._edge.messages(odds_out(race.event_id))
            image: Any = seen[-1].data if seen else {"version": 1}
            legs.append(
                {
                    "event_id": race.event_id,
                    "market_id": "win",
                    "selection_id": selection,
                    "odds_e4": odds_e4,
                    "price_policy": "any",
                    "market_version": image["version"],
                }
            )
        value = {
            "type": "coupon",
            "bet_id": f"c{self._counter}",
            "bet_type": self._random.choice(["ACCUMULATOR", "TRIXIE", "DOUBLE"]),
            "unit_stake_minor": self._random.choice(STAKES_MINOR[:5]),
            "legs": legs,
        }
        key = bettor_key(client)
        self.sent.add((key, client, str(value["bet_id"])))
        self._sent_values.append((key, client, value))
        self._bet_record(key, client, value)

    def _fresh(self) -> None:
        race = self._random.choice(self.races[-6:])
        client = f"bettor-{self._random.randrange(BETTORS)}"
        self._counter += 1
        seen = self._edge.messages(odds_out(race.event_id))
        # What a page would show just now, or a little before.
        image: Any = self._random.choice(seen[-3:]).data if seen else None
        selection = self._random.randint(1, SELECTIONS)
        value = {
            "type": "bet",
            "bet_id": f"b{self._counter}",
            "event_id": race.event_id,
            "market_id": "win",
            **bet_on(self._random, race.engine, selection, image),
        }
        self.sent.add((race.event_id, client, str(value["bet_id"])))
        self._sent_values.append((race.event_id, client, value))
        self._bet_record(race.event_id, client, value)

    def _change(self) -> None:
        """Ask for something about a bet that was sent: cancel, replace, update, cash out."""
        event, client, value = self._random.choice(self._sent_values[-20:])
        if value["type"] != "bet":
            return
        self._counter += 1
        change = change_of(self._random, value["bet_id"], f"b{self._counter}")
        change |= {"event_id": event, "market_id": "win"}
        self.changes.add((event, client, change["bet_id"], str(change.get("new_bet_id", ""))))
        self._bet_record(event, client, change)

    def _bet_record(self, event: str, client: str, value: dict[str, Any]) -> None:
        key = event.encode()
        encoded = msgspec.json.encode(value)
        partition = partition_of(key, self._partitions)
        if self._random.random() < 0.5:
            self._kafka.send(BETS, partition, key, encoded, client)
        else:
            message = {"id": value["bet_id"], "clientId": client, "data": encoded.decode()}
            envelope = {"source": "channel.message", "messages": [message]}
            self._kafka.send(BETS, partition, key, msgspec.json.encode(envelope))
        self._trace(f"bets {event} {client} {value['bet_id']}")

    def _poison(self) -> None:
        key = self._random.choice([None, b"", b"race-1", b"\xff"])
        topic = self._random.choice([BETS, EVENTS])
        partition = self._random.randrange(self._partitions)
        self._kafka.send(topic, partition, key, self._random.choice(POISON))
        self.poison += 1
        self._trace(f"poison in {topic}/{partition}")
