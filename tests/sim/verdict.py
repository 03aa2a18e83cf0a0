"""What must hold after a run: the product's own audit, and what bettors saw at the edge."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import msgspec

from pipelines.audit.partition import Audit, Sources, audit_partitions
from pipelines.channels import OUTBOUND_BETS, OUTBOUND_ODDS
from pipelines.messages.images import OddsImage
from pipelines.ports import Record
from pipelines.topics import BETS, DEAD_LETTERS, EVENTS, JOURNAL, ODDS, TRANSFERS
from tests.sim.world import PARTITIONS, World

FIRST_ANSWERS = frozenset({"accepted", "rejected", "pending"})


def check(world: World) -> None:
    """Raise AssertionError with what does not hold."""
    _audit_holds(world)
    _every_bet_was_answered(world)
    _odds_came_in_order_and_the_newest_at_last(world)
    _pushes_that_are_noted_are_not_repeated(world)


def _records(world: World, topic: str, partition: int) -> Iterator[Record]:
    for offset, stored in world.kafka.read(topic, partition, 0):
        yield Record(
            topic,
            partition,
            offset,
            stored.timestamp_ms,
            stored.key,
            stored.value,
            stored.client_id,
        )


def _audit_holds(world: World) -> None:
    audit, all_sources = Audit(), []
    for partition in range(PARTITIONS):
        loop = world.owners[partition]
        assert loop is not None, f"shard {partition} is not running at the end"
        sources = Sources(
            partition,
            _records(world, JOURNAL, partition),
            _records(world, BETS, partition),
            _records(world, EVENTS, partition),
            _records(world, ODDS, partition),
            _records(world, DEAD_LETTERS, partition),
            _records(world, TRANSFERS, partition),
            hash_answer=loop.state_hash(),
        )
        all_sources.append(sources)
    audit_partitions(audit, all_sources, complete=True)
    audit.links.finish(complete=True)
    audit.moves.finish(complete=True)
    audit.exposures.finish(complete=True)
    audit.channels.not_checked("checked by the simulation itself")
    report = audit.report()
    failed = [check for check in report.checks if check.failures]
    assert not failed, failed


def _every_bet_was_answered(world: World) -> None:
    answered: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for channel, publications in world.edge.channels.items():
        if not channel.startswith(OUTBOUND_BETS):
            continue
        client = channel.removeprefix(OUTBOUND_BETS)
        newest: dict[tuple[str, str], int] = {}  # of each bet: its market may change its shard
        for publication in publications:
            data: Any = publication.data
            event, about = data["event_id"], (data["event_id"], data.get("bet_id", ""))
            assert data["event_seq"] >= newest.get(about, 0), f"receipts out of order: {data}"
            newest[about] = data["event_seq"]
            answered[event, client, data.get("bet_id", "")].append(publication.name)
    for bet in world.traffic.sent:
        names = answered.get(bet, [])
        assert FIRST_ANSWERS & set(names), f"{bet} got no answer, only {names}"
        assert not {"accepted", "rejected"} <= set(names) or "pending" in names, (bet, names)


def _odds_came_in_order_and_the_newest_at_last(world: World) -> None:
    committed: set[tuple[str, str, int]] = set()
    newest: dict[tuple[str, str], OddsImage] = {}
    for partition in range(PARTITIONS):
        for _, stored in world.kafka.read(ODDS, partition, 0):
            image = msgspec.msgpack.decode(stored.value or b"", type=OddsImage)
            before = newest.get((image.event_id, image.market_id))
            if before is None or image.seq > before.seq:  # a market may have been in both
                newest[image.event_id, image.market_id] = image
            committed.add((image.event_id, image.market_id, image.seq))
    for (event, market), image in newest.items():
        seen = [
            publication.data["seq"]  # type: ignore[index]
            for publication in world.edge.channels[OUTBOUND_ODDS + event]
            if publication.data["market_id"] == market  # type: ignore[index]
        ]
        assert all((event, market, seq) in committed for seq in seen), "odds that nobody committed"
        fresh = [seq for at, seq in enumerate(seen) if seq not in seen[:at]]
        assert fresh == sorted(fresh), f"odds of {event} out of order: {seen}"
        assert seen, f"no odds of {event} were published"
        assert seen[-1] == image.seq or image.seq in seen, f"newest odds of {event} are missing"


def _pushes_that_are_noted_are_not_repeated(world: World) -> None:
    assert not world.edge.repeated, f"pushed again though noted: {world.edge.repeated[:3]}"
    counts = Counter(
        (push.client_id, push.collapse_key, push.data.get("settlement"))
        for push in world.edge.pushes
    )
    repeats = sum(count - 1 for count in counts.values())
    faults = [line for line in world.lines if " fault " in line]
    assert not repeats or faults, f"{repeats} pushes were repeated without a fault"
