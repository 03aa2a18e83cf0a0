"""Speed and memory of the pure core: decode, decide, evolve, encode, in one process.

    python -m tests.bench.core [--bets N] [--events N] [--batch N]

Prints bets a second of one core over all of it, the odds images of each transaction included (CPU
time, so that neighbours do not count), and the memory of a shard with so many open bets.
No Kafka, no Ray.
"""

import argparse
import gc
import os
import platform
import time
import tracemalloc

import msgspec

from pipelines.collector import tune_collector
from pipelines.ports import Record
from pipelines.shard.engine import Engine
from pipelines.shard.state import ShardState
from pipelines.topics import BETS, EVENTS

AT_MS = 1_700_000_000_000


def operations(events: int, engine: str) -> list[Record]:
    """Records that open so many events with one market of eight selections each."""
    records = []
    for number in range(events):
        event_id = f"event-{number:05d}"
        odds = 50_000 if engine == "fixed" else 0
        selections = [{"selection_id": s, "name": f"Runner {s}", "odds_e4": odds} for s in range(8)]
        market = {"market_id": f"1.{number:09d}", "engine": engine, "selections": selections}
        if engine == "lmsr":
            market["lmsr"] = {"liquidity_minor": 1_000_000}
        for value in (
            {"type": "event_opened", "event_id": event_id, "name": f"Race {number}"},
            {"type": "market_opened", "event_id": event_id, "market": market},
        ):
            body = msgspec.json.encode(value)
            records.append(Record(EVENTS, 0, len(records), AT_MS, event_id.encode(), body))
    return records


def limits(events: int, first: int) -> list[Record]:
    """Records of limits, too high to be met, of each event and of the shard."""
    most = 10**15
    values = [
        (event_id, {"type": "risk_set", "event_id": event_id, "event_loss_limit_minor": most})
        for event_id in (f"event-{number:05d}" for number in range(events))
    ]
    whole = {"loss_limit_minor": most, "bettor_stake_max_minor": most}
    values.append(("shard/0", {"type": "shard_risk_set", "partition": 0, **whole}))
    return [
        Record(EVENTS, 0, first + number, AT_MS, key.encode(), msgspec.json.encode(value))
        for number, (key, value) in enumerate(values)
    ]


def bets(count: int, events: int, engine: str) -> list[Record]:
    """Records of bets as a gateway writes them: plain JSON, the bettor in the header."""
    records = []
    for number in range(count):
        event = number * 7919 % events
        event_id = f"event-{event:05d}"
        body = msgspec.json.encode(
            {
                "v": 1,
                "type": "bet",
                "bet_id": f"{number:08x}-bench",
                "event_id": event_id,
                "market_id": f"1.{event:09d}",
                "selection_id": number % 8,
                "stake_minor": 100 + number % 900,
                "odds_e4": 0 if engine == "pool" else 50_000,
                "price_policy": "any" if engine == "lmsr" else "exact",
                "market_version": 1,
            }
        )
        client_id = f"bettor-{number % 5000}"
        records.append(
            Record(BETS, 0, number, AT_MS + number // 1000, event_id.encode(), body, client_id)
        )
    return records


def run(
    count: int, events: int, engine: str, batch: int, limited: bool = False
) -> tuple[float, float, int]:
    """Return bets a second, seconds spent draining, and journal bytes a bet."""
    core = Engine(ShardState(0))
    opening = operations(events, engine)
    opening += limits(events, len(opening)) if limited else []
    for record in opening:
        core.process(record)
    core.drain()
    records = bets(count, events, engine)
    tune_collector()
    written = 0
    draining_s = 0.0
    began_s = time.process_time()
    for start in range(0, count, batch):
        for record in records[start : start + batch]:
            core.process(record)
        drain_began_s = time.process_time()
        drained = core.drain()
        draining_s += time.process_time() - drain_began_s
        written += sum(len(value) for topic, _, value in drained.outputs if topic == "journal")
    elapsed_s = time.process_time() - began_s
    assert core.state.shard_seq == len(opening) + count, "every bet leaves one entry"
    return count / elapsed_s, draining_s / elapsed_s, written // count


def memory_bytes(count: int, events: int, engine: str) -> int:
    """Return what the state of so many open bets takes, measured by allocation."""
    core = Engine(ShardState(0))
    for record in operations(events, engine):
        core.process(record)
    core.drain()
    records = bets(count, events, engine)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for start in range(0, count, 1_000):
        for record in records[start : start + 1_000]:
            core.process(record)
        core.drain()
    gc.collect()
    after = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return after - before


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bets", type=int, default=200_000)
    parser.add_argument("--events", type=int, default=200)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--open-bets", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(
        f"core: {arguments.bets} bets, {arguments.events} events, {arguments.batch} a transaction, "
        f"Python {platform.python_version()}, {os.cpu_count()} cores, best of {arguments.rounds}"
    )
    for engine, limited in (("pool", False), ("fixed", False), ("lmsr", False), ("fixed", True)):
        rounds = [
            run(arguments.bets, arguments.events, engine, arguments.batch, limited)
            for _ in range(arguments.rounds)
        ]
        rate, share, width = max(rounds)
        name = f"{engine}, limits" if limited else engine
        print(
            f"  {name:13}  {rate:10,.0f} bets/s  {1e6 / rate:5.2f} us a bet, "
            f"{share:4.0%} of it encoding, {width} journal bytes a bet"
        )
    taken = memory_bytes(arguments.open_bets, arguments.events, "pool")
    print(
        f"  memory of {arguments.open_bets:,} open bets: {taken / 2**20:.1f} MiB, "
        f"{taken / arguments.open_bets:.0f} bytes a bet"
    )


if __name__ == "__main__":
    main()
