"""Journals to restore from, of bets that the engine itself decided."""

import msgspec
from confluent_kafka import Producer

from pipelines.ports import Record
from pipelines.shard.engine import Engine
from pipelines.shard.state import ShardState
from pipelines.topics import EVENTS, JOURNAL
from tests.bench.core import bets, operations
from tests.bench.pipeline import fresh

EVENTS_OPEN = 200
SETTLED, OPEN = b"event-", b"later-"  # what the ids of their events begin with
LATER_MS = 1_800_000_000_000
FORGOTTEN_MS = 400 * 24 * 3_600_000


def write_journal(bootstrap: str, count: int, settled: int = 0) -> None:
    """Fill a fresh journal with so many accepted bets, decided by the engine itself.

    Before them `settled` bets, whose events have had their results and are forgotten.
    """
    fresh(bootstrap)
    core = Engine(ShardState(0))
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20})
    if settled:
        _open(core, SETTLED)
        _bet(core, producer, settled, SETTLED)
        for n in range(EVENTS_OPEN):
            where = {"event_id": f"event-{n:05d}", "market_id": f"1.{n:09d}"}
            for value in (
                {"type": "market_status", "status": "CLOSED"},
                {"type": "result", "winners": [1]},
            ):
                body = msgspec.json.encode(value | where)
                core.process(Record(EVENTS, 0, -1, LATER_MS, where["event_id"].encode(), body))
                _write(core, producer)
        core.tick(LATER_MS + FORGOTTEN_MS)
        _write(core, producer)
        assert not core.state.events, "all events are forgotten"
    _open(core, OPEN)
    _bet(core, producer, count, OPEN)
    assert producer.flush(60) == 0


def _named(record: Record, prefix: bytes) -> Record:
    """The record for an event of this name; its topic stays empty, to be read from its start."""
    key = (record.key or b"").replace(SETTLED, prefix)
    return record._replace(offset=-1, key=key, value=(record.value or b"").replace(SETTLED, prefix))


def _open(core: Engine, prefix: bytes) -> None:
    for record in operations(EVENTS_OPEN, "pool"):
        core.process(_named(record, prefix))


def _bet(core: Engine, producer: Producer, count: int, prefix: bytes) -> None:
    for start in range(0, count, 10_000):
        for record in bets(10_000, EVENTS_OPEN, "pool"):
            client_id = f"{record.client_id}-{start}"
            core.process(_named(record, prefix)._replace(client_id=client_id))
        _write(core, producer)


def _write(core: Engine, producer: Producer) -> None:
    for topic, key, value in core.drain().outputs:
        while topic == JOURNAL:
            try:
                producer.produce(topic, value, key, 0)
                break
            except BufferError:
                producer.poll(0.1)
