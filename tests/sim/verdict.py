"""What must hold after a run: the product's own audit, and what bettors saw at the edge."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from pipelines.audit.partition import Audit, Sources, audit_partitions
from pipelines.channels import OUTBOUND_BETS, OUTBOUND_ODDS
from pipelines.messages.entries import JournalRecord
from pipelines.messages.images import OddsImage
from pipelines.ports import Record
from pipelines.shard.fold import fold
from pipelines.shard.hash import state_hash
from pipelines.standby import Standby
from pipelines.topics import BETS, DEAD_LETTERS, EVENTS, JOURNAL, ODDS, TRANSFERS
from tests.sim.clock import SimulatedClock
from tests.sim.edge import IDEMPOTENCY_MS, Heard
from tests.sim.logs import SimulatedSnapshots, SimulatedTail
from tests.sim.market_maker import sold_below_cost
from tests.sim.world import PARTITIONS, World

FIRST_ANSWERS = frozenset({"accepted", "rejected", "pending"})
CHANGE_ANSWERS = frozenset(
    {
        "cancelled",
        "cancel_rejected",
        "change_rejected",
        "updated",
        "cash_out_quoted",
        "cashed_out",
        "cash_out_rejected",
    }
)


def check(world: World) -> None:
    """Raise AssertionError with what does not hold; call it while the world still runs."""
    _each_partition_has_one_owner(world)
    _audit_holds(world)
    _market_makers_sold_at_cost(world)
    _snapshots_lead_to_the_same_state(world)
    _no_message_came_again_too_soon(world)
    _every_bet_was_answered(world)
    _odds_came_in_order_and_the_newest_at_last(world)
    _pushes_that_are_noted_are_not_repeated(world)


def _each_partition_has_one_owner(world: World) -> None:
    for partition in range(PARTITIONS):
        owners = world.owners(partition)
        assert len(owners) == 1, f"{len(owners)} copies own partition {partition}"
        assert owners[0].copy.loop.ready
        if world.settings.standbys:
            (other,) = (
                actor.process
                for actor in world.named(f"shard-{partition:03d}", f"standby-{partition:03d}")
                if actor.process is not owners[0]
            )
            state = other.copy._standby.state  # type: ignore[union-attr]
            assert (state.shard_seq, state_hash(state)) == owners[0].copy.loop.state_hash()


def _records(world: World, topic: str, partition: int) -> Iterator[Record]:
    for offset, stored in world.kafka.all_that_was(topic, partition):
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
        sources = Sources(
            partition,
            _records(world, JOURNAL, partition),
            _records(world, BETS, partition),
            _records(world, EVENTS, partition),
            _records(world, ODDS, partition),
            _records(world, DEAD_LETTERS, partition),
            _records(world, TRANSFERS, partition),
            hash_answer=world.owners(partition)[0].copy.loop.state_hash(),
        )
        all_sources.append(sources)
    audit_partitions(audit, all_sources, complete=True)
    audit.links.finish(complete=True)
    audit.moves.finish(complete=True)
    audit.channels.not_checked("checked by the simulation itself")
    report = audit.report()
    failed = [check for check in report.checks if check.failures]
    assert not failed, failed


def _market_makers_sold_at_cost(world: World) -> None:
    decode = msgspec.msgpack.Decoder(JournalRecord).decode
    records = [
        decode(record.value or b"")
        for partition in range(PARTITIONS)
        for record in _records(world, JOURNAL, partition)
    ]
    below_cost = sold_below_cost(records)
    assert not below_cost, below_cost


def _snapshots_lead_to_the_same_state(world: World) -> None:
    """Fold each journal from the newest snapshot, and whole: the states must be one."""
    for partition in range(PARTITIONS):
        store = SimulatedSnapshots(world.kafka, partition, world.faults)
        tail = SimulatedTail(world.kafka, partition, world.faults)
        found = Standby(partition, tail, SimulatedClock(world.time), store).finish()
        values = [record.value or b"" for record in _records(world, JOURNAL, partition)]
        whole = fold(partition, values)
        assert found.shard_seq == whole.shard_seq
        assert state_hash(found) == state_hash(whole), f"a snapshot of {partition} is wrong"


def _no_message_came_again_too_soon(world: World) -> None:
    for channel, heard in world.edge.heard.items():
        last_ms: dict[str, int] = {}
        for one in heard:
            id_, before_ms = one.publication.id, last_ms.get(one.publication.id)
            again = before_ms is not None and one.at_ms - before_ms < IDEMPOTENCY_MS
            assert not again, f"{id_} came again in {channel}"
            last_ms[id_] = one.at_ms


def _every_bet_was_answered(world: World) -> None:
    answered: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for channel, heard in world.edge.heard.items():
        if not channel.startswith(OUTBOUND_BETS):
            continue
        client = channel.removeprefix(OUTBOUND_BETS)
        # Of each bet in each shard: its market may change that, and then `event_seq` tells.
        newest: dict[tuple[str, str, str], int] = {}
        ids: set[str] = set()
        for publication, *_ in heard:
            if publication.id in ids:
                continue  # again, when the edge had forgotten it
            ids.add(publication.id)
            data: Any = publication.data
            event, shard = data["event_id"], publication.id.split(":")[2:]
            about = (event, data.get("bet_id", ""), str(shard))
            assert data["event_seq"] >= newest.get(about, 0), f"receipts out of order: {data}"
            newest[about] = data["event_seq"]
            answered[event, client, data.get("bet_id", "")].append(publication.name)
    for bet in world.traffic.sent:
        names = answered.get(bet, [])
        assert FIRST_ANSWERS & set(names), f"{bet} got no answer, only {names}"
        assert not {"accepted", "rejected"} <= set(names) or "pending" in names, (bet, names)
    for event, client, bet_id, new_bet_id in world.traffic.changes:
        names = answered.get((event, client, bet_id), [])
        # On an exchange a cash-out is an order on the other side.
        new_id = new_bet_id or f"{bet_id}/cash-out"
        new_names = answered.get((event, client, new_id), [])
        told = CHANGE_ANSWERS & set(names) or FIRST_ANSWERS & set(new_names)
        assert told, f"a change of {bet_id} got no answer: {names}"


def _odds_came_in_order_and_the_newest_at_last(world: World) -> None:
    committed: set[tuple[str, str, int]] = set()
    newest: dict[tuple[str, str], OddsImage] = {}
    for partition in range(PARTITIONS):
        for record in _records(world, ODDS, partition):
            image = msgspec.msgpack.decode(record.value or b"", type=OddsImage)
            before = newest.get((image.event_id, image.market_id))
            if before is None or image.seq > before.seq:  # a market may have been in both
                newest[image.event_id, image.market_id] = image
            committed.add((image.event_id, image.market_id, image.seq))
    for (event, market), image in newest.items():
        seen = _seen(world.edge.heard[OUTBOUND_ODDS + event], market)
        assert all((event, market, one.seq) in committed for one in seen), "odds nobody committed"
        _are_in_order(event, seen)
        # A reader drops what is not newer: what it shows last is the highest number.
        assert seen, f"no odds of {event} were published"
        assert max(one.seq for one in seen) == image.seq, f"newest odds of {event} are missing"


class _Seen(NamedTuple):
    """An image of a market as a subscriber heard of it; `shard` is empty at the event's home."""

    seq: int
    is_late: bool
    life: int
    shard: str


def _seen(heard: list[Heard], market: str) -> list[_Seen]:
    """Return the images of a market in the order in which they were first heard."""
    found: dict[int, _Seen] = {}
    for publication, is_late, life, _ in heard:
        data: Any = publication.data
        if data["market_id"] == market:
            shard = ":".join(publication.id.split(":")[2:])
            found.setdefault(data["seq"], _Seen(data["seq"], is_late, life, shard))
    return list(found.values())


def _are_in_order(event: str, seen: list[_Seen]) -> None:
    newest = _Seen(0, False, 0, "")
    for one in seen:
        if one.is_late:
            continue  # nobody can help it: the request came after its sender had given up
        # A publisher that is killed while it cannot read one of the two shards that a market was
        # in may show an older image once, see docs/guarantees.md.
        is_excused = one.life != newest.life and one.shard != newest.shard
        assert one.seq > newest.seq or is_excused, f"odds of {event} out of order: {seen}"
        newest = max(newest, one)


def _pushes_that_are_noted_are_not_repeated(world: World) -> None:
    assert not world.edge.repeated, f"pushed again though noted: {world.edge.repeated[:3]}"
    counts = Counter(
        (push.client_id, push.collapse_key, push.data.get("settlement"))
        for push in world.edge.pushes
    )
    repeats = sum(count - 1 for count in counts.values())
    faults = [line for line in world.lines if " fault " in line]
    assert not repeats or faults, f"{repeats} pushes were repeated without a fault"
