"""Markets of a hot event go to other shards and come back while bets flow: nobody sees it."""

import random
from collections import Counter
from typing import Any

import msgspec
import pytest

from pipelines.messages import entries as e
from pipelines.messages import isolation_entries as ie
from pipelines.messages import order_entries as oe
from pipelines.shard.engine import Engine
from pipelines.shard.fold import fold
from pipelines.shard.hash import state_hash
from pipelines.topics import partition_of
from tests.pipelines.shard.town import Town

EVENT = "derby"
PARTITIONS = 4
HOME = partition_of(EVENT.encode(), PARTITIONS)
OTHER = (HOME + 1) % PARTITIONS
MARKETS = ("fixed", "pool", "exchange", "other")
SELECTIONS = (1, 2, 3)
CLIENTS = ("ann", "bob", "cid")


def opened(partitions: int = PARTITIONS, lanes: int = 1) -> Town:
    """An event with a market of each engine that bets and orders can be put on."""
    town = Town(partitions, lanes)
    town.operate(EVENT, "event_opened", event_id=EVENT, start_ms=town.now_ms + 5_000)
    for market_id in MARKETS:
        engine = market_id if market_id != "other" else "fixed"
        odds = {"odds_e4": 30_000} if engine == "fixed" else {}
        market = {
            "market_id": market_id,
            "engine": engine,
            "selections": [{"selection_id": s, **odds} for s in SELECTIONS],
        }
        town.operate(EVENT, "market_opened", event_id=EVENT, market=market)
    return town


def isolate(town: Town, *partitions: int, **fields: Any) -> list[e.Entry]:
    return town.operate(
        EVENT, "event_isolated", event_id=EVENT, partitions=list(partitions), **fields
    )


def rejoin(town: Town, **fields: Any) -> list[e.Entry]:
    return town.operate(EVENT, "event_rejoined", event_id=EVENT, **fields)


def bet(town: Town, client: str, bet_id: str, market_id: str, **fields: Any) -> list[e.Entry]:
    asked = {"selection_id": 1, "stake_minor": 100, "market_version": 1}
    asked |= {} if market_id == "pool" else {"odds_e4": 30_000}
    return town.bet(client, EVENT, bet_id, **asked | {"market_id": market_id} | fields)


def places(town: Town) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for partition, engine in enumerate(town.engines):
        event = engine.state.events.get(EVENT)
        for market_id in event.markets if event is not None else ():
            found.setdefault(market_id, []).append(partition)
    return found


def test_a_market_goes_to_another_shard_with_its_bets_and_comes_back() -> None:
    town = opened()
    bet(town, "ann", "b1", "fixed")
    isolate(town, OTHER)
    town.deliver_all()
    assert places(town) == {market_id: [OTHER] for market_id in MARKETS}
    guest = town.engines[OTHER].state.events[EVENT]
    assert guest.bets[("ann", "b1")] is guest.markets["fixed"].bets[0]
    sent = bet(town, "bob", "b2", "fixed")
    assert not [one for one in sent if isinstance(one, e.BetAccepted)]
    town.deliver_all()
    bet(town, "ann", "b1", "fixed")  # known before it left
    bet(town, "ann", "b1", "pool")  # another market: a conflict, answered by the first
    town.deliver_all()
    answers = [one for one in town.entries if isinstance(one, e.BetRepeated | e.BetConflict)]
    assert [type(one) for one in answers] == [e.BetRepeated, e.BetConflict]
    rejoin(town)
    waits = bet(town, "cid", "b3", "fixed")
    assert isinstance(waits[0], ie.RequestWaits)
    town.deliver_all()
    assert places(town) == {market_id: [HOME] for market_id in MARKETS}
    home = town.engines[HOME].state.events[EVENT]
    assert [b.bet_id for b in home.markets["fixed"].bets] == ["b1", "b2", "b3"]
    assert not home.away
    assert not home.routed
    town.check_folds()


def test_without_partitions_each_market_goes_where_its_key_lies() -> None:
    town = opened()
    isolate(town)
    town.deliver_all()
    for market_id, found in places(town).items():
        assert found == [partition_of(f"{EVENT}/{market_id}".encode(), PARTITIONS)]


def test_one_shard_alone_has_nobody_to_share_with() -> None:
    town = opened(1)
    (refused,) = isolate(town)
    assert isinstance(refused, e.OperationRefused)
    assert refused.code == "UNCHANGED"


def test_a_market_stays_where_its_publisher_and_its_notifier_see_it() -> None:
    town = opened(6, lanes=2)
    home = partition_of(EVENT.encode(), 6)
    isolate(town)
    town.deliver_all()
    where = {partition for found in places(town).values() for partition in found}
    assert {partition % 2 for partition in where} == {home % 2}
    assert len(where) > 1
    (refused,) = isolate(town, (home + 1) % 6)
    assert isinstance(refused, e.OperationRefused)
    assert refused.code == "INVALID_INPUT_DATA"
    assert str((home + 2) % 6) in refused.reason
    alone = opened(3, lanes=3)
    refusals = isolate(alone)
    assert {r.code for r in refusals if isinstance(r, e.OperationRefused)} == {"NOT_ISOLABLE"}


def test_what_cannot_leave_is_named() -> None:
    town = opened()
    town.operate(
        EVENT,
        "market_opened",
        event_id=EVENT,
        market={"market_id": "acc", "accounts": True, "selections": [{"selection_id": 1}]},
    )
    found = isolate(town, OTHER, markets=["acc", "no such", "pool"])
    refused = {one.market_id: one.code for one in found if isinstance(one, e.OperationRefused)}
    assert refused == {"acc": "NOT_ISOLABLE", "no such": "INVALID_MARKET_ID"}
    town.deliver_all()
    assert places(town)["pool"] == [OTHER]
    (refusal,) = isolate(town, 99)
    assert isinstance(refusal, e.OperationRefused)
    assert refusal.code == "INVALID_INPUT_DATA"
    (refusal,) = town.operate(EVENT, "risk_lever", event_id=EVENT, client_id="ann", action="reject")
    assert isinstance(refusal, e.OperationRefused)
    assert refusal.code == "NOT_ISOLABLE"


def test_a_large_market_goes_in_parts() -> None:
    town = opened()
    for number in range(4_000):
        bet(town, "ann", f"bet-number-{number}", "fixed")
    isolate(town, OTHER, markets=["fixed"])
    town.deliver_all()
    parts = [one for one in town.entries if isinstance(one, ie.MarketPartReceived)]
    assert len(parts) > 2
    assert len(town.engines[OTHER].state.events[EVENT].markets["fixed"].bets) == 4_000
    town.check_folds()


def test_the_event_is_forgotten_everywhere_once_all_its_markets_are_settled() -> None:
    town = opened()
    isolate(town, OTHER, markets=["fixed", "pool"])
    town.deliver_all()
    for market_id in MARKETS:
        operate(town, "market_status", market_id, status="CLOSED")
        operate(town, "result", market_id, winners=[1])
        town.deliver_all()
    town.wait(100)
    town.deliver_all()
    town.wait(25 * 3_600_000)
    town.deliver_all()
    assert all(EVENT not in engine.state.events for engine in town.engines)
    retired = [one for one in town.entries if isinstance(one, e.EventRetired)]
    assert len(retired) == 2
    town.check_folds()


def operate(town: Town, kind: str, market_id: str, **fields: Any) -> list[e.Entry]:
    return town.operate(EVENT, kind, event_id=EVENT, market_id=market_id, **fields)


class Script:
    """The same bets and results, drawn from a seed, sent with and without isolation."""

    def __init__(self, seed: int, steps: int) -> None:
        draw = random.Random(seed)
        self.steps: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.disturbances = random.Random(seed + 1)
        ids: list[tuple[str, str, str]] = []
        version = dict.fromkeys(MARKETS, 1)
        for number in range(steps):
            market_id, client = draw.choice(MARKETS), draw.choice(CLIENTS)
            kind = draw.random()
            if kind < 0.65 or not ids:
                fields: dict[str, Any] = {
                    "selection_id": draw.choice((*SELECTIONS, *SELECTIONS, 9))
                }
                fields["stake_minor"] = draw.choice((0, 100, 100, 250, 250, 10**13))
                fields["market_version"] = draw.choice((0, *[version[market_id]] * 4))
                if market_id == "exchange":
                    fields["side"] = draw.choice(("BACK", "LAY"))
                ids.append((client, f"b{number}", market_id))
                self.steps.append(("bet", (client, f"b{number}", market_id), fields))
            elif kind < 0.75:
                client, bet_id, at = draw.choice(ids)
                again = draw.choice((at, at, draw.choice(MARKETS)))
                self.steps.append(("bet", (client, bet_id, again), {}))
            elif kind < 0.8:
                client, bet_id, at = draw.choice(ids)
                self.steps.append(("ask", (client, bet_id, at, draw.choice(ASKS)), {}))
            elif kind < 0.83:
                status = draw.choice(("OPEN", "OPEN", "SUSPENDED"))
                version[market_id] += 1
                play = {"in_play": draw.random() < 0.6, "bet_delay_ms": draw.choice((0, 300))}
                self.steps.append(
                    ("operate", ("market_status", market_id), {"status": status} | play)
                )
            elif kind < 0.98:
                prices = [[draw.choice(SELECTIONS), draw.choice((20_000, 30_000, 40_000))]]
                self.steps.append(("operate", ("prices", market_id), {"prices": prices}))
            elif kind < 0.99:
                removed = {"selection_id": draw.choice(SELECTIONS)}
                self.steps.append(("operate", ("selection_removed", market_id), removed))
            else:
                self.steps.append(("operate", ("market_status", market_id), {"status": "CLOSED"}))
                won = {"winners": [draw.choice(SELECTIONS)]}
                self.steps.append(("operate", ("result", market_id), won))
                if draw.random() < 0.5:
                    self.steps.append(("operate", ("result_rolled_back", market_id), {}))
        for market_id in MARKETS:
            self.steps.append(("operate", ("market_status", market_id), {"status": "CLOSED"}))
            self.steps.append(("operate", ("result", market_id), {"winners": [1]}))

    def run(self, town: Town, disturb: bool) -> None:
        for kind, arguments, fields in self.steps:
            if disturb:
                self._disturb(town)
            if kind == "bet":
                bet(town, *arguments, **fields)
            elif kind == "ask":
                ask(town, *arguments)
            else:
                operate(town, *arguments, **fields)
            # Time stands still but for here, so that lateness alone cannot change a decision.
            if arguments[0] == "prices":
                town.deliver_all()
                town.wait(200)
        for _ in range(20):
            town.deliver_all()
            town.wait(200)

    def _disturb(self, town: Town) -> None:
        draw = self.disturbances
        event = draw.random()
        if event < 0.06:
            some = draw.sample(MARKETS, draw.randint(0, 2))
            isolate(town, *draw.sample(range(PARTITIONS), draw.randint(0, 2)), markets=some)
        elif event < 0.12:
            rejoin(town, markets=draw.sample(MARKETS, draw.randint(0, 2)))
        elif event < 0.16:
            crash(town, draw.randrange(PARTITIONS))
        for _ in range(draw.randint(0, 3)):
            town.deliver(draw.randrange(PARTITIONS))
        if draw.random() < 0.1:
            town.repeat_last(draw.randrange(PARTITIONS))


ASKS = ("cancel", "cash_out", "update", "replace")


def ask(town: Town, client: str, bet_id: str, market_id: str, kind: str) -> None:
    more: dict[str, Any] = {"update": {"persistence": "PERSIST"}}.get(kind, {})
    if kind == "replace":
        more = {"new_bet_id": bet_id + "r", "odds_e4": 40_000}
    town.request(
        EVENT,
        client,
        {"type": kind, "bet_id": bet_id, "event_id": EVENT, "market_id": market_id} | more,
    )


def crash(town: Town, partition: int) -> None:
    """A shard comes back from its journal."""
    before = state_hash(town.engines[partition].state)
    state = fold(partition, town.journals[partition])
    assert state_hash(state) == before
    town.engines[partition] = Engine(state, town.partitions)


_MOVES = (*ie.AnyIsolationEntry.__args__, e.EventIsStarting)  # type: ignore[attr-defined]


def answers(town: Town) -> dict[str, list[Any]]:
    """What was decided of each market, in order, without numbers."""
    found: dict[str, list[Any]] = {}
    for entry in town.entries:
        if entry.event_id != EVENT or isinstance(entry, _MOVES):
            continue
        if isinstance(entry, e.OperationRefused) and entry.operation in (
            "event_isolated",
            "event_rejoined",
        ):
            continue
        plain = msgspec.structs.replace(entry, event_seq=0, market_seq=0)
        found.setdefault(entry.market_id, []).append(plain)
    return found


def check_numbers(town: Town) -> None:
    """A market's numbers are dense over all shards, in the order in which it was in them."""
    numbers: dict[str, list[int]] = {}
    for entry in town.entries:
        if entry.event_id == EVENT and entry.market_seq:
            numbers.setdefault(entry.market_id, []).append(entry.market_seq)
    for market_id, found in numbers.items():
        assert found == list(range(1, len(found) + 1)), market_id


def check_answers(town: Town) -> None:
    firsts = Counter(
        (entry.client_id, entry.bet_id) for entry in town.entries if isinstance(entry, e.BetEntry)
    )
    assert set(firsts.values()) == {1}, [who for who, count in firsts.items() if count > 1]


@pytest.mark.parametrize("seed", range(100))
def test_with_and_without_isolation_the_same_is_decided(seed: int) -> None:
    steps = 150
    plain, moved = opened(), opened()
    Script(seed, steps).run(plain, disturb=False)
    Script(seed, steps).run(moved, disturb=True)
    handed = [one for one in moved.entries if isinstance(one, ie.MarketHandedOver)]
    assert handed
    check_answers(plain)
    check_answers(moved)
    check_numbers(moved)
    moved.check_folds()
    expected, found = answers(plain), answers(moved)
    assert found.keys() == expected.keys()
    for market_id in expected:
        assert found[market_id] == expected[market_id], market_id
    assert money(moved) == money(plain)


def test_the_scripts_lead_to_all_kinds_of_answers() -> None:
    town = opened()
    for seed in range(6):
        town = opened()
        Script(seed, 150).run(town, disturb=True)
        kinds = {type(one) for one in town.entries}
        if {oe.OrderPlaced, oe.BetMatched, e.BetConfirmed, e.BetSettled, ie.RequestTaken} <= kinds:
            return
    raise AssertionError("no script led to all of them")


def money(town: Town) -> Counter[tuple[str, str]]:
    paid: Counter[tuple[str, str]] = Counter()
    for entry in town.entries:
        if isinstance(entry, e.BetSettled):
            paid[entry.market_id, entry.client_id] += entry.payout_minor
        elif isinstance(entry, e.BetUnsettled):
            paid[entry.market_id, entry.client_id] -= entry.payout_minor
    return paid
