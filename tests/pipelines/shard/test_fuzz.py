"""Any bytes at all: no exception, at least one entry a record, and the journal folds."""

import random

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.messages import entries as e
from pipelines.ports import Record
from pipelines.topics import BETS, EVENTS
from tests.pipelines.shard.desk import EVENT, MARKET, Desk, bet, fixed_market, pool_market

MUTATIONS = 20_000
EXAMPLES = 150
WORTHS: list[object] = [
    None, True, 0, -1, 1, 1.5, 10**30, 2**53 + 1, 2**63, -(2**63), "", "x", "1", "x" * 300,
    [], {}, [1], {"a": 1}, float("nan"), float("inf"), b"\x00",
]  # fmt: skip


def valid() -> list[tuple[str, dict[str, object]]]:
    """One good message of each kind, in an order that lets all of them be done."""
    where: dict[str, object] = {"event_id": EVENT, "market_id": MARKET}
    cancel: dict[str, object] = {"type": "cancel", "bet_id": "b1", **where}
    message = {"id": "m", "clientId": "ann", "data": msgspec.json.encode(bet("b2")).decode()}
    kinds: list[tuple[str, dict[str, object]]] = [
        ("prices", {"prices": [[1, 30_500], [2, 0]]}),
        ("market_status", {"in_play": True, "bet_delay_ms": 100}),
        ("selection_removed", {"selection_id": 4}),
        ("bets_voided", {"from_ms": 1}),
        ("market_status", {"status": "SUSPENDED", "reason": "goal"}),
        ("result", {"winners": [1, 2]}),
        ("result_rolled_back", {}),
    ]
    return [
        (EVENTS, {"type": "event_opened", "event_id": EVENT, "clock": "feed", "at_ms": 5}),
        (EVENTS, {"type": "market_opened", "event_id": EVENT, "market": fixed_market()}),
        (EVENTS, {"type": "market_opened", "event_id": EVENT, "market": pool_market()}),
        (BETS, bet()),
        (BETS, {"source": "channel.message", "messages": [message]}),
        (BETS, cancel),
        *((EVENTS, {"type": kind, **where, **fields}) for kind, fields in kinds),
    ]


VALID = valid()


class Fed(Desk):
    """A desk that counts on every record leaving something."""

    def feed(self, topic: str, key: bytes | None, value: bytes | None, client_id: str) -> None:
        offset = self.offsets[topic]
        self.offsets[topic] = offset + 1
        before = self.state.shard_seq
        self.engine.process(Record(topic, 0, offset, self.now_ms, key, value, client_id))
        assert self.state.shard_seq > before, (topic, key, value)


def opened(number: int) -> Fed:
    desk = Fed()
    desk.open((fixed_market, pool_market)[number % 2](in_play=number % 3 == 0, bet_delay_ms=50))
    return desk


def mutated(value: object, chance: random.Random) -> object:
    """The value with some part of it removed, doubled or replaced."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        name = chance.choice(list(value))
        roll = chance.random()
        if roll < 0.15:
            return {k: v for k, v in value.items() if k != name}
        if roll < 0.25:
            return {**value, "extra": chance.choice(WORTHS)}
        return {**value, name: mutated(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.6:
        index = chance.randrange(len(value))
        return [*value[:index], mutated(value[index], chance), *value[index + 1 :], value[0]]
    return chance.choice(WORTHS)


def encoded(value: object, chance: random.Random) -> bytes:
    if chance.random() < 0.5:
        return msgspec.msgpack.encode(value) if fits(value) else msgspec.json.encode(value)
    return msgspec.json.encode(value)


def fits(value: object) -> bool:
    """Whether MessagePack has integers as large as those inside."""
    if isinstance(value, dict | list):
        return all(fits(v) for v in (value.values() if isinstance(value, dict) else value))
    return not isinstance(value, int) or -(2**63) <= value < 2**64


def broken(body: bytes, chance: random.Random) -> bytes:
    """The bytes with some of them flipped, cut, doubled or put in."""
    for _ in range(chance.randrange(3)):
        at = chance.randrange(len(body) + 1)
        roll = chance.random()
        if roll < 0.4 and at < len(body):
            body = body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
        elif roll < 0.6:
            body = body[:at]
        elif roll < 0.8:
            body = body[:at] + chance.randbytes(3) + body[at:]
        else:
            body = body[:at] + body[at // 2 :]
        if not body:
            break
    return body


def test_mutations_of_good_messages() -> None:
    chance = random.Random(20_260)
    done: set[type] = set()
    for round_number in range(20):
        desk = opened(round_number)
        for _ in range(MUTATIONS // 20):
            topic, value = chance.choice(VALID)
            changed: object = value
            for _ in range(chance.randrange(3)):
                changed = mutated(changed, chance)
            if "bet_id" in value and isinstance(changed, dict) and chance.random() < 0.7:
                changed = {**changed, "bet_id": f"b{chance.randrange(200)}"}
            body = encoded(changed, chance)
            if chance.random() < 0.2:
                body = broken(body, chance)
            if chance.random() < 0.05:
                topic = EVENTS if topic == BETS else BETS
            key = chance.choice([EVENT.encode()] * 9 + [b"other", None, b"\xff"])
            desk.now_ms += chance.randrange(-50, 100)
            desk.feed(topic, key, body, chance.choice(["ann", "bob", ""]))
            if chance.random() < 0.1:
                desk.tick(desk.now_ms)
            if chance.random() < 0.2:
                done.update(type(entry) for entry in desk.drain())
        done.update(type(entry) for entry in desk.drain())
        desk.check()
    # The mutations are not all of one kind: they reach nearly every decision there is.
    assert len(done) >= 18, {kind.__name__ for kind in done}
    assert {e.BetSettled, e.BetUnsettled, e.BetConfirmed, e.RecordDeadLettered} <= done


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(
    records=st.lists(
        st.tuples(
            st.sampled_from([BETS, EVENTS]),
            st.sampled_from([EVENT.encode(), b"other", b"", None]) | st.binary(max_size=8),
            st.none() | st.binary(max_size=64) | st.sampled_from([b"{", b"\x80", b"[]", b"\xc0"]),
            st.sampled_from(["", "ann"]),
        ),
        max_size=8,
    )
)
def test_any_bytes(records: list[tuple[str, bytes | None, bytes | None, str]]) -> None:
    desk = opened(len(records))
    for record in records:
        desk.feed(*record)
    desk.drain()
    desk.check()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.too_slow])
@given(
    which=st.integers(0, len(VALID) - 1),
    changes=st.dictionaries(
        st.sampled_from(sorted({name for _, value in VALID for name in value})), anything
    ),
    engine=st.integers(0, 5),
)
def test_any_values_in_known_fields(which: int, changes: dict[str, object], engine: int) -> None:
    desk = opened(engine)
    topic, value = VALID[which]
    desk.feed(topic, EVENT.encode(), msgspec.json.encode({**value, **changes}), "ann")
    desk.drain()
    desk.check()
