"""Several shards that send each other transfers: as a cluster would be, without Kafka.

Transfers wait in a queue for each partition until they are delivered, so that a test decides how
late they are. After every record the journal is folded again where asked, and must give the state.
"""

from collections import deque
from typing import Any

import msgspec

from pipelines.messages import entries as e
from pipelines.messages.apart import apart
from pipelines.ports import Record
from pipelines.shard.bettor import BettorState, bettor_key
from pipelines.shard.engine import Engine
from pipelines.shard.fold import fold
from pipelines.shard.hash import state_hash
from pipelines.shard.state import Bet, MarketState, ShardState
from pipelines.topics import BETS, EVENTS, JOURNAL, TRANSFERS, partition_of

START_MS = 1_700_000_000_000
_record = msgspec.msgpack.Decoder(e.JournalRecord).decode


class Town:
    """Shards by partition; `entries` are all that any of them decided, in order."""

    def __init__(self, partitions: int = 3, lanes: int = 1) -> None:
        self.partitions = partitions
        self.now_ms = START_MS
        self.engines = [Engine(ShardState(p), partitions, lanes) for p in range(partitions)]
        self.journals: list[list[bytes]] = [[] for _ in range(partitions)]
        self.waiting: list[deque[tuple[bytes, bytes]]] = [deque() for _ in range(partitions)]
        self.last: dict[int, tuple[bytes, bytes]] = {}
        self.entries: list[e.Entry] = []
        self._offsets: dict[tuple[str, int], int] = {}

    def bet(self, client: str, event: str, bet_id: str, **fields: Any) -> list[e.Entry]:
        value = {"type": "bet", "bet_id": bet_id, "event_id": event, "market_id": "m", **fields}
        return self._send(BETS, event, value, client)

    def request(self, key: str, client: str, value: object) -> list[e.Entry]:
        """Send any request of a bettor."""
        return self._send(BETS, key, value, client)

    def coupon(self, client: str, bet_id: str, legs: list[Any], **fields: Any) -> list[e.Entry]:
        value = {"type": "coupon", "bet_id": bet_id, "legs": legs, **fields}
        return self._send(BETS, bettor_key(client), value, client)

    def operate(self, key: str, kind: str, **fields: Any) -> list[e.Entry]:
        return self._send(EVENTS, key, {"type": kind, **fields})

    def deposit(self, client: str, amount_minor: int, reference: str = "d1") -> list[e.Entry]:
        key = bettor_key(client)
        return self.operate(
            key, "deposit", client_id=client, reference=reference, amount_minor=amount_minor
        )

    def open(self, event: str, odds_e4: int = 30_000, **market: Any) -> None:
        """Open an event with a market `m` of two selections at these odds."""
        self.operate(event, "event_opened", event_id=event)
        selections = [{"selection_id": s, "odds_e4": odds_e4} for s in (1, 2)]
        definition = {"market_id": "m", "selections": selections, **market}
        self.operate(event, "market_opened", event_id=event, market=definition)

    def result(self, event: str, *winners: int, **fields: Any) -> None:
        self.operate(event, "market_status", event_id=event, market_id="m", status="CLOSED")
        self.operate(
            event, "result", event_id=event, market_id="m", winners=list(winners), **fields
        )

    def roll_back(self, event: str) -> None:
        self.operate(event, "result_rolled_back", event_id=event, market_id="m")

    def bettor(self, client: str) -> BettorState:
        key = bettor_key(client)
        return self.engines[self._home(key)].state.bettors[key]

    def market(self, event: str) -> MarketState:
        return self.engines[self._home(event)].state.events[event].markets["m"]

    def the_bet(self, event: str, client: str, bet_id: str) -> Bet:
        return self.engines[self._home(event)].state.events[event].bets[(client, bet_id)]

    def deliver(self, partition: int) -> bool:
        """Hand the next transfer to a shard; return whether there was one."""
        if not self.waiting[partition]:
            return False
        key, value = self.waiting[partition].popleft()
        self.last[partition] = (key, value)
        self._process(TRANSFERS, partition, key, value)
        return True

    def repeat_last(self, partition: int) -> None:
        """Hand a shard once more what it was handed last."""
        if partition in self.last:
            self._process(TRANSFERS, partition, *self.last[partition])

    def deliver_all(self) -> None:
        while sum(map(self.deliver, range(self.partitions))):
            pass

    def wait(self, milliseconds: int) -> None:
        """Let time pass everywhere."""
        self.now_ms += milliseconds
        for partition, engine in enumerate(self.engines):
            engine.tick(self.now_ms)
            self._drain(partition)

    def check_folds(self) -> None:
        for partition, engine in enumerate(self.engines):
            folded = fold(partition, self.journals[partition])
            assert state_hash(folded) == state_hash(engine.state)

    def _home(self, key: str) -> int:
        return partition_of(key.encode(), self.partitions)

    def _send(self, topic: str, key: str, value: object, client: str = "") -> list[e.Entry]:
        return self._process(
            topic, self._home(key), key.encode(), msgspec.json.encode(value), client
        )

    def _process(
        self, topic: str, partition: int, key: bytes, value: bytes, client: str = ""
    ) -> list[e.Entry]:
        offset = self._offsets.get((topic, partition), 0)
        self._offsets[topic, partition] = offset + 1
        record = Record(topic, partition, offset, self.now_ms, key, value, client)
        self.engines[partition].process(record)
        return self._drain(partition)

    def _drain(self, partition: int) -> list[e.Entry]:
        found: list[e.Entry] = []
        for topic, key, value in self.engines[partition].drain().outputs:
            if topic == JOURNAL:
                self.journals[partition].append(value)
                found += apart(_record(value).entry)
            elif topic == TRANSFERS:
                self.waiting[partition_of(key, self.partitions)].append((key, value))
        self.entries += found
        return found
