"""Which snapshot is written when, and what becomes of one that fails."""

import threading
from collections.abc import Callable

from pipelines.errors import BrokerError, StackError
from pipelines.metrics import SnapshotMetrics, render
from pipelines.snapshot_keeper import RETRY_S, Kept, SnapshotKeeper

EVERY = 100


class Desk:
    """Kafka as the keeper sees it, a clock, and what is written."""

    def __init__(self, *ends: int) -> None:
        self.ends = list(ends)
        self.newest: dict[int, Kept] = {}
        self.now_s = 1_000.0
        self.fails: set[int] = set()
        self.away = False
        self.metrics = SnapshotMetrics()
        self.stop = threading.Event()
        self.keeper = SnapshotKeeper(len(ends), EVERY, self, self.write, self, self.metrics)

    def journal_end(self, partition: int) -> int:
        if self.away:
            raise BrokerError("Kafka is away")
        return self.ends[partition]

    def kept(self, partition: int) -> Kept | None:
        return self.newest.get(partition)

    def close(self) -> None:
        self.away = True

    def write(self, partition: int, heartbeat: Callable[[], bool]) -> None:
        if partition in self.fails or not heartbeat():
            raise StackError(f"snapshot of partition {partition} failed")
        self.newest[partition] = Kept(self.ends[partition], self.time_ms())

    def time_ms(self) -> int:
        return int(1_000 * self.now_s)

    def monotonic_s(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def step(self) -> bool:
        return self.keeper.step(self.stop)

    def shown(self) -> str:
        return render(self.metrics.registry).decode()


def test_the_partition_farthest_behind_comes_first_and_none_before_it_is_due() -> None:
    desk = Desk(EVERY - 1, EVERY, 3 * EVERY)
    assert desk.step()
    assert set(desk.newest) == {2}
    assert desk.step()
    assert set(desk.newest) == {1, 2}
    assert not desk.step()
    desk.ends[2] += EVERY
    desk.ends[0] += 1
    assert desk.step()
    assert desk.step()
    assert desk.newest[2].journal_next == 4 * EVERY
    assert desk.newest[0].journal_next == EVERY
    assert desk.keeper.status()["snapshots"] == 4


def test_one_that_fails_lets_others_by_and_is_tried_again_later() -> None:
    desk = Desk(EVERY, 2 * EVERY)
    desk.fails.add(1)
    assert not desk.step()
    assert desk.keeper.status()["last_error"] == "snapshot of partition 1 failed"
    assert desk.step()
    assert set(desk.newest) == {0}
    assert not desk.step(), "it was tried a moment ago"
    desk.fails.clear()
    desk.sleep(RETRY_S)
    assert desk.step()
    assert set(desk.newest) == {0, 1}
    assert desk.keeper.status()["last_error"] == ""
    shown = desk.shown()
    assert 'overround_snapshot_writes_total{outcome="failed",partition="1"} 1.0' in shown
    assert 'overround_snapshot_writes_total{outcome="written",partition="1"} 1.0' in shown


def test_kafka_may_be_away_and_a_write_may_be_asked_to_stop() -> None:
    desk = Desk(EVERY)
    desk.away = True
    assert not desk.step()
    assert desk.keeper.status()["last_error"] == "Kafka is away"
    desk.away = False
    desk.stop.set()
    assert not desk.step()
    assert not desk.newest
    desk.keeper.run_until(desk.stop)
    assert desk.away, "it has let go of Kafka"


def test_age_and_distance_are_shown_by_partition() -> None:
    desk = Desk(EVERY, 0)
    assert 'age_seconds{partition="0"}' not in desk.shown()
    desk.step()
    desk.ends[0] += 7
    desk.sleep(60)
    desk.step()
    shown = desk.shown()
    assert 'overround_snapshot_behind_records{partition="0"} 7.0' in shown
    assert 'overround_snapshot_age_seconds{partition="0"} 60.0' in shown
    assert 'overround_snapshot_behind_records{partition="1"} 0.0' in shown
    assert 'overround_snapshot_age_seconds{partition="1"}' not in shown, "there is none"
