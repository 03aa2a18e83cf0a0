"""Publishers and notifiers by partition: nothing lost or doubled as their number changes."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import ray
from confluent_kafka import Producer

from actors import launch, publisher
from actors.options import NAMESPACE, fan_out_kind
from deploy.audit import run_audit
from pipelines.errors import StackError
from pipelines.kafka.shard_log import CLIENT_ID_HEADER
from pipelines.metrics import CountedPublisher
from pipelines.settings import Settings
from pipelines.topics import BETS, EVENTS, PARTITIONER
from tests.edge_process import RunningEdge, running_edge

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(400)]

PARTITIONS = 4
RACES = [f"race-{n}" for n in range(12)]
WAIT_S = 60.0


@pytest.fixture
def edge(free_ports: Callable[[int], list[int]], tmp_path: Path) -> Iterator[RunningEdge]:
    with running_edge(free_ports(1)[0], tmp_path, "--history-seconds", "600") as running:
        yield running


class Desk:
    """Sends operations and bets, and waits for what they lead to."""

    def __init__(self, settings: Settings) -> None:
        self.sent = 0
        self._producer = Producer(
            {
                "bootstrap.servers": settings.kafka_bootstrap_servers,
                "partitioner": PARTITIONER,
                "enable.idempotence": True,
            }
        )

    def operate(self, event: str, kind: str, **fields: Any) -> None:
        value = {"type": kind, "event_id": event, **fields}
        self._producer.produce(EVENTS, msgspec.json.encode(value), event.encode())
        self._producer.flush(30)

    def open_races(self) -> None:
        for race in RACES:
            self.operate(race, "event_opened", name=race)
            market = {"market_id": "win", "engine": "pool",
                      "selections": [{"selection_id": 1}, {"selection_id": 2}]}  # fmt: skip
            self.operate(race, "market_opened", market=market)
        wait_for(lambda: statuses("shard", "markets") == len(RACES))

    def bet(self, count: int) -> None:
        for _ in range(count):
            event = RACES[self.sent % len(RACES)]
            bet = {"type": "bet", "bet_id": f"b{self.sent}", "event_id": event, "market_id": "win",
                   "selection_id": 1 + self.sent % 2, "stake_minor": 100}  # fmt: skip
            headers = {CLIENT_ID_HEADER: b"bettor-%d" % (self.sent % 5)}
            self._producer.produce(BETS, msgspec.json.encode(bet), event.encode(), headers=headers)
            self.sent += 1
        assert self._producer.flush(30) == 0

    def answered(self) -> int:
        return statuses("shard", "bets_next")


def actors(kind: str) -> dict[str, dict[str, Any]]:
    """Name to health of those of a kind."""
    return {
        a["name"]: a["health"] or {"status": {}}
        for a in launch.overview()["actors"]
        if kind in (fan_out_kind(a["name"]), a["name"].partition("-")[0])
    }


def statuses(kind: str, name: str) -> int:
    return sum(int(health["status"].get(name, 0)) for health in actors(kind).values())


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, launch.overview()
        time.sleep(0.2)


def partitions_of(publisher: dict[str, Any]) -> set[int]:
    return {int(where.rpartition("/")[2]) for where in publisher["status"].get("positions", {})}


def is_drained(kind: str) -> bool:
    """Whether all of a kind have done all that they have seen, on every partition."""
    found = actors(kind).values()
    covered = [partition for one in found for partition in partitions_of(one)]
    # A transaction's marker is the last offset of each partition, and nobody reads it.
    return sorted(covered) == list(range(PARTITIONS)) and all(
        lag <= 1 for one in found for lag in one["status"].get("lag", {0: 9}).values()
    )


def lose_supervisor() -> None:
    """Kill the supervisor's process; Ray makes it anew, and it looks for everybody."""
    pid = launch.overview()["supervisor"]["pid"]
    os.kill(pid, signal.SIGKILL)

    def is_back() -> bool:
        try:
            found = launch.overview()
        except StackError:
            return False
        actors = found["actors"]
        return found["supervisor"]["pid"] != pid and actors and all(a["health"] for a in actors)

    wait_for(is_back)


def receipts(edge: RunningEdge, bettor: int) -> list[str]:
    """Bet ids of the accepted bets that a bettor was told of, oldest first."""
    path = f"/channels/outbound:bets:bettor-{bettor}/messages?direction=forwards&limit=1000"
    auth = (edge.key.partition(":")[0], edge.key.partition(":")[2])
    answer = httpx.get(edge.url + path, auth=auth, trust_env=False)
    return [
        msgspec.json.decode(message["data"])["bet_id"]
        for message in answer.raise_for_status().json()
        if message["name"] == "accepted"
    ]


def test_each_takes_its_partitions_and_their_number_may_change(
    start_cast: Callable[..., Settings], edge: RunningEdge
) -> None:
    settings = start_cast(
        PARTITIONS, ably_url=edge.url, ably_api_key=edge.key, publishers=2, notifiers=2
    )
    desk = Desk(settings)
    desk.open_races()
    desk.bet(300)
    first = actors("publisher")
    assert set(first) == {"publisher-1-of-2", "publisher-2-of-2"}
    os.kill(first["publisher-2-of-2"]["pid"], signal.SIGKILL)
    desk.bet(300)
    wait_for(lambda: desk.answered() == desk.sent and is_drained("publisher"))
    assert partitions_of(actors("publisher")["publisher-2-of-2"]) == {1, 3}

    pids = {name: health["pid"] for name, health in actors("shard").items()}
    more = replace(settings, publishers=3, notifiers=1)
    desk.bet(300)
    launch.fan_out(3, 1)
    desk.bet(300)
    assert set(actors("publisher")) == {f"publisher-{n}-of-3" for n in (1, 2, 3)}
    assert set(actors("notifier")) == {"notifier"}
    lose_supervisor()
    desk.bet(300)
    wait_for(lambda: desk.answered() == desk.sent and is_drained("publisher"))
    assert set(actors("publisher")) == {f"publisher-{n}-of-3" for n in (1, 2, 3)}
    assert launch.overview()["supervisor"]["publishers"] == 3
    assert pids == {name: health["pid"] for name, health in actors("shard").items()}
    wait_for(lambda: {h["status"].get("lanes") for h in actors("shard").values()} == {3})

    # What a publisher says of its lag is as of its last fetch.
    wait_for(lambda: sum(len(receipts(edge, n)) for n in range(5)) >= desk.sent)
    for bettor in range(5):
        told = receipts(edge, bettor)
        assert sorted(told) == sorted(f"b{n}" for n in range(bettor, desk.sent, 5))
    report = run_audit(more, edge=True, complete=True, ask=launch.state_hashes)
    assert report.holds, report


def test_the_number_stays_while_an_event_is_isolated(start_cast: Callable[..., Settings]) -> None:
    settings = start_cast(PARTITIONS)
    desk = Desk(settings)
    desk.operate("derby", "event_opened")
    for number in range(8):
        market = {"market_id": f"m{number}", "selections": [{"selection_id": 1, "odds_e4": 20_000}]}
        desk.operate("derby", "market_opened", market=market)
    wait_for(lambda: statuses("shard", "markets") == 8)
    desk.operate("derby", "event_isolated")
    wait_for(lambda: statuses("shard", "markets_away") > 0)
    assert set(launched := actors("publisher")) == {"publisher"}
    with pytest.raises(StackError, match="overround rejoin"):
        launch.fan_out(2, 0)
    assert actors("publisher")["publisher"]["pid"] == launched["publisher"]["pid"]
    with pytest.raises(StackError, match="at most one a partition"):
        launch.fan_out(0, PARTITIONS + 1)
    desk.operate("derby", "event_rejoined")
    wait_for(lambda: statuses("shard", "markets_away") == 0)
    launch.up(replace(settings, publishers=2))
    assert set(actors("publisher")) == {"publisher-1-of-2", "publisher-2-of-2"}

    # Lanes are two now, and a shard that has restarted keeps to them.
    home = next(h for h in actors("shard").values() if h["status"].get("events"))
    os.kill(home["pid"], signal.SIGKILL)
    wait_for(lambda: statuses("shard", "markets") == 8)
    desk.operate("derby", "event_isolated")
    wait_for(lambda: statuses("shard", "markets_away") > 0)
    found = [h["status"] for h in actors("shard").values()]
    holders = {status["partition"] for status in found if status.get("markets")}
    assert len({partition % 2 for partition in holders}) == 1


def test_a_publisher_that_was_asked_to_end_and_is_wanted_runs_again(
    start_cast: Callable[..., Settings],
) -> None:
    start_cast(1)
    asked = ray.get_actor("publisher", namespace=NAMESPACE)
    assert ray.get(asked.stop.remote(10.0), timeout=20)
    wait_for(lambda: actors("publisher")["publisher"].get("state") == "running")


def test_a_newer_publisher_has_the_one_before_end(
    start_cast: Callable[..., Settings], edge: RunningEdge
) -> None:
    """As where Ray has lost sight of a process that lives on: here the newer one is in this."""
    settings = start_cast(PARTITIONS, ably_url=edge.url, ably_api_key=edge.key)
    desk = Desk(settings)
    desk.open_races()
    desk.bet(300)
    newer = publisher._loop(settings, tuple(range(PARTITIONS)), CountedPublisher("newer"))
    stop = threading.Event()
    thread = threading.Thread(target=newer.run_until, args=(stop,))
    thread.start()
    try:
        wait_for(lambda: actors("publisher")["publisher"].get("state") == "fenced")
        assert "newer process" in str(actors("publisher")["publisher"].get("error"))
        desk.bet(300)
        wait_for(lambda: sum(len(receipts(edge, n)) for n in range(5)) == desk.sent)
        report = run_audit(settings, edge=True, complete=True, ask=launch.state_hashes)
        assert report.holds, report
    finally:
        stop.set()
        thread.join(WAIT_S)
    assert not thread.is_alive()
