"""How much faster a hot event goes when its markets are in other shards.

    python -m tests.bench.isolate [--bets N]

The engine alone, with the bytes of its journal, transfers and odds, without Kafka. Each shard's CPU
time counts, as if it had a core of its own: the slowest of them is how fast the event is. Home
decides its share of the markets, and reads all other records to send them on.
"""

import argparse
import time
from collections import deque

import msgspec

from pipelines.ports import Record
from pipelines.shard.engine import Engine
from pipelines.shard.state import ACCEPTED, ShardState
from pipelines.topics import BETS, EVENTS, TRANSFERS, partition_of

EVENT = "derby"
MARKETS = 8
TRANSACTION = 200
START_MS = 1_700_000_000_000


class Shards:
    """Shards whose transfers reach each other at once; seconds of each are counted."""

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.engines = [Engine(ShardState(p), partitions) for p in range(partitions)]
        self.seconds = [0.0] * partitions
        self._offsets: dict[tuple[str, int], int] = {}
        self._waiting: deque[tuple[int, bytes, bytes]] = deque()

    @property
    def home(self) -> int:
        return partition_of(EVENT.encode(), self.partitions)

    def records(self, topic: str, values: list[tuple[bytes, str]]) -> None:
        """Let home take records in transactions, and the others what it sends on."""
        for first in range(0, len(values), TRANSACTION):
            batch = values[first : first + TRANSACTION]
            self._take(self.home, [self._record(topic, self.home, v, c) for v, c in batch])
            while self._waiting:
                by_partition: dict[int, list[Record]] = {}
                while self._waiting:
                    partition, key, value = self._waiting.popleft()
                    record = self._record(TRANSFERS, partition, value, "", key)
                    by_partition.setdefault(partition, []).append(record)
                for partition, found in by_partition.items():
                    self._take(partition, found)

    def _record(
        self, topic: str, partition: int, value: bytes, client: str, key: bytes = EVENT.encode()
    ) -> Record:
        offset = self._offsets.get((topic, partition), 0)
        self._offsets[topic, partition] = offset + 1
        return Record(topic, partition, offset, START_MS, key, value, client)

    def _take(self, partition: int, records: list[Record]) -> None:
        engine = self.engines[partition]
        began_s = time.process_time()
        for record in records:
            engine.process(record)
        outputs = engine.drain().outputs
        self.seconds[partition] += time.process_time() - began_s
        for topic, key, value in outputs:
            if topic == TRANSFERS:
                self._waiting.append((partition_of(key, self.partitions), key, value))


def opened(engine: str, partitions: int) -> Shards:
    shards = Shards(partitions)
    odds = {"odds_e4": 30_000} if engine == "fixed" else {}
    rules = {"lmsr": {"liquidity_minor": 1_000_000}} if engine == "lmsr" else {}
    says: list[dict[str, object]] = [{"type": "event_opened", "event_id": EVENT}]
    for number in range(MARKETS):
        selections = [{"selection_id": s, **odds} for s in range(1, 9)]
        market = {"market_id": f"m{number}", "engine": engine, "selections": selections, **rules}
        says.append({"type": "market_opened", "event_id": EVENT, "market": market})
    shards.records(EVENTS, [(msgspec.json.encode(one), "") for one in says])
    return shards


def bets(engine: str, count: int) -> list[tuple[bytes, str]]:
    found = []
    for number in range(count):
        value = {
            "type": "bet",
            "bet_id": f"bet-{number}",
            "event_id": EVENT,
            "market_id": f"m{number % MARKETS}",
            "selection_id": number % 7 + 1,
            "stake_minor": 100 + number % 50,
            "odds_e4": 0 if engine == "pool" else (30_000, 31_000, 29_000)[number % 3],
            "price_policy": "any" if engine in ("fixed", "lmsr") else "exact",
            "market_version": 1,
        }
        if engine == "exchange":
            value |= {"odds_e4": (30_000, 30_500, 29_500)[number // 8 % 3]}
            value |= {"side": ("BACK", "LAY")[number // 8 % 2], "price_policy": "exact"}
        found.append((msgspec.json.encode(value), f"client-{number % 977}"))
    return found


def measure(engine: str, count: int, guests: int) -> tuple[float, list[float]]:
    """Return bets a second of the event, and each shard's seconds; no guest: home alone."""
    shards = opened(engine, guests + 1)
    if guests:
        spread = list(range(guests + 1))  # home keeps its share
        isolated = {"type": "event_isolated", "event_id": EVENT, "partitions": spread}
        shards.records(EVENTS, [(msgspec.json.encode(isolated), "")])
    shards.seconds = [0.0] * (guests + 1)
    shards.records(BETS, bets(engine, count))
    taken = sum(
        bet.status == ACCEPTED
        for one in shards.engines
        for event in one.state.events.values()
        for bet in event.bets.values()
    )
    assert taken > count // 4, f"only {taken} of {count} bets were taken"
    return count / max(shards.seconds), shards.seconds


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--bets", type=int, default=40_000)
    count = parser.parse_args().bets
    print(f"{count:,} bets on {MARKETS} markets of one event; bets/s, and times home alone")
    for engine in ("fixed", "pool", "lmsr", "exchange"):
        alone, _ = measure(engine, count, 0)
        words = [f"home alone {alone:,.0f}"]
        for guests in (1, 2, 3):
            rate, _ = measure(engine, count, guests)
            words.append(f"{guests} more {rate:,.0f} ({rate / alone:.2f})")
        print(f"{engine:9}", "; ".join(words), flush=True)


if __name__ == "__main__":
    main()
