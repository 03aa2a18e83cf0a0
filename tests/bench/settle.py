"""Settling a large market: how long it takes, and what other markets' bets wait meanwhile.

    python -m tests.bench.settle [--bets N] [--rate N]

One process, no Kafka. Prints the CPU time in which a market of so many bets is settled and rolled
back, encoding included; then, played in real time against bets of another market that arrive at the
given rate, the wait from arrival to the end of their transaction.
"""

import argparse
import time

import msgspec

from pipelines.collector import tune_collector
from pipelines.ports import Record
from pipelines.shard.clock import next_due_ms
from pipelines.shard.engine import Engine
from pipelines.shard.state import ShardState
from pipelines.topics import EVENTS
from tests.bench.core import bets, operations

BATCH = 1_000
MARKET = "1.000000000"


def filled(count: int, engine: str) -> Engine:
    """An engine with two events; so many bets are on the first one's market."""
    core = Engine(ShardState(0))
    for record in operations(2, engine):
        core.process(record)
    core.drain()
    records = bets(count, 1, engine)
    for start in range(0, count, BATCH):
        for record in records[start : start + BATCH]:
            core.process(record)
        core.drain()
    return core


def operate(core: Engine, kind: str, at_ms: int, **fields: object) -> None:
    """Send an operation on the large market."""
    value = {"type": kind, "event_id": "event-00000", "market_id": MARKET, **fields}
    offset = core.state.events_next
    core.process(Record(EVENTS, 0, offset, at_ms, b"event-00000", msgspec.json.encode(value)))


def to_the_end(core: Engine) -> float:
    """Let chunks follow each other without pause; return the CPU seconds."""
    began_s = time.process_time()
    core.drain()
    while core.state.events["event-00000"].markets[MARKET].settling is not None:
        due = next_due_ms(core.state)
        assert due is not None
        core.tick(due)
        core.drain()
    return time.process_time() - began_s


def settle(count: int, engine: str) -> tuple[float, float]:
    """Return the CPU seconds of a settlement and of its rollback."""
    core = filled(count, engine)
    tune_collector()
    at_ms = core.state.now_ms + 1
    operate(core, "market_status", at_ms, status="SUSPENDED")
    core.drain()
    began_s = time.process_time()
    operate(core, "result", at_ms, winners=[3])
    first_s = time.process_time() - began_s
    settled_s = first_s + to_the_end(core)
    assert core.state.events["event-00000"].markets[MARKET].settled
    operate(core, "result_rolled_back", core.state.now_ms + 1)
    return settled_s, to_the_end(core)


def waits(count: int, engine: str, rate: int) -> tuple[list[float], float, float]:
    """Return sorted waits (s) of another market's bets, how long it took, and the longest chunk."""
    core = filled(count, engine)
    tune_collector()
    others = [
        r._replace(
            key=b"event-00001",
            value=(r.value or b"")
            .replace(b"event-00000", b"event-00001")
            .replace(b"1.000000000", b"1.000000001"),
        )
        for r in bets(rate * 60, 1, engine)
    ]
    base_ms = core.state.now_ms + 1
    operate(core, "market_status", base_ms, status="SUSPENDED")
    core.drain()
    began_s = time.perf_counter()
    market = core.state.events["event-00000"].markets[MARKET]
    operate(core, "result", base_ms, winners=[3])
    core.drain()
    longest_s = time.perf_counter() - began_s
    found: list[float] = []
    sent = 0
    offset = core.state.bets_next
    while not market.settled:
        step_s = time.perf_counter()
        now_s = step_s - began_s
        arrived = min(int(now_s * rate), sent + BATCH, len(others))
        for number in range(sent, arrived):
            at_ms = base_ms + int(number / rate * 1_000)
            core.process(others[number]._replace(offset=offset + number, timestamp_ms=at_ms))
        if arrived == sent:
            core.tick(base_ms + int(now_s * 1_000))
        core.drain()
        done_s = time.perf_counter() - began_s
        found += [done_s - number / rate for number in range(sent, arrived)]
        longest_s = max(longest_s, done_s - now_s)
        if arrived == sent:
            time.sleep(0.000_2)
        sent = arrived
    assert all(isinstance(b.odds_e4, int) for b in core.state.events["event-00001"].bets.values())
    assert len(core.state.events["event-00001"].bets) == sent, "each has its answer"
    return sorted(found), time.perf_counter() - began_s, longest_s


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--bets", type=int, default=1_000_000)
    parser.add_argument("--rate", type=int, default=5_000)
    arguments = parser.parse_args()
    count = arguments.bets
    print(f"settle: {count:,} bets of one market")
    for engine in ("pool", "fixed"):
        settled_s, back_s = settle(count, engine)
        print(
            f"  {engine:5}  settled in {settled_s:.2f} s, {count / settled_s:,.0f} bets/s; "
            f"rolled back in {back_s:.2f} s (CPU, chunks without pause)"
        )
    found, took_s, longest_s = waits(count, "fixed", arguments.rate)
    print(
        f"  meanwhile {arguments.rate:,} bets/s of another market,"
        f" {len(found):,} in {took_s:.1f} s: p50 {found[len(found) // 2] * 1e3:.1f} ms, p99"
        f" {found[len(found) * 99 // 100] * 1e3:.1f} ms, longest {found[-1] * 1e3:.1f} ms;"
        f" longest transaction {longest_s * 1e3:.1f} ms"
    )


if __name__ == "__main__":
    main()
