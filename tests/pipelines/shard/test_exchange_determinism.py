"""Exchange markets decide the same however the input is cut, and the audit holds on them.

The inputs are those of the random lives of `tests/differential/exchange.py`.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec
import pytest

from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe
from pipelines.ports import Record
from pipelines.shard.engine import Engine
from pipelines.shard.hash import state_hash
from pipelines.shard.state import ShardState
from pipelines.topics import ODDS
from tests.differential.exchange import ExchangeLife
from tests.pipelines.audit.topics import Topics, decide, failing
from tests.pipelines.shard.exchange_desk import ExchangeDesk

LIVES = range(24)
replace = msgspec.structs.replace


class Paced(ExchangeDesk):
    """Time passes from record to record."""

    def send(
        self, topic: str, key: bytes | None, value: bytes | None, client_id: str = ""
    ) -> list[e.Entry]:
        self.now_ms += 1
        return super().send(topic, key, value, client_id)


@cache
def life(number: int) -> tuple[Record, ...]:
    """The records of one random life."""
    desk = Paced()
    ExchangeLife(number, desk).run()
    return tuple(one for one in desk.sent if isinstance(one, Record))


def run(records: tuple[Record, ...], size: int) -> tuple[list[bytes], dict[bytes, bytes], str]:
    """Journal, last image of each market and state hash, in transactions of so many records."""
    state = ShardState(0)
    engine = Engine(state)
    journal: list[bytes] = []
    images: dict[bytes, bytes] = {}
    for start in range(0, len(records), size):
        for record in records[start : start + size]:
            engine.process(record)
        for topic, key, value in engine.drain().outputs:
            if topic == ODDS:
                images[key] = value
            else:
                journal.append(value)
    return journal, images, state_hash(state)


@pytest.mark.parametrize("number", LIVES)
def test_batches_make_no_difference(number: int) -> None:
    records = life(number)
    one = run(records, 1)
    assert one == run(records, 3) == run(records, 1_000)
    assert len(one[0]) > len(records)


def topics_of(number: int, size: int = 4) -> Topics:
    records = life(number)
    return decide([list(records[i : i + size]) for i in range(0, len(records), size)])


@pytest.mark.parametrize("number", LIVES)
def test_the_audit_holds(number: int) -> None:
    report = topics_of(number).audit(complete=True)
    assert report.holds, report
    assert dict(next(c for c in report.checks if c.name == "money").compared)["markets settled"]


Corruption = tuple[type[e.EntryBase], Callable[[Any], Any]]
CORRUPTIONS: dict[str, Corruption] = {
    "fill": (oe.BetMatched, lambda x: replace(x, size_minor=x.size_minor + 1)),
    "price": (oe.BetMatched, lambda x: replace(x, odds_e4=x.odds_e4 + 10_000)),
    "payout": (e.BetSettled, lambda x: replace(x, payout_minor=x.payout_minor + 1)),
    "commission": (
        oe.CommissionCharged,
        lambda x: replace(x, commission_minor=x.commission_minor + 1),
    ),
    "lapse": (oe.OrderLapsed, lambda x: replace(x, size_minor=x.size_minor + 1)),
}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_the_audit_finds(name: str) -> None:
    kind, corrupt = CORRUPTIONS[name]
    found = by_money = 0
    for number in LIVES:
        topics = topics_of(number)
        try:
            index = topics.index(kind)
        except IndexError:
            continue
        topics.change(index, corrupt)
        checks = failing(topics.audit())
        assert checks, f"life {number}"
        by_money += "money" in checks  # where nothing was paid at that price, only the state tells
        found += 1
    assert by_money > found // 2
