"""Seeded runs of the whole engine with faults; `make sim SEEDS=1-1000` runs more of them.

A failing seed prints how to run it again, and the trace of its shortest form.
"""

import os
from dataclasses import fields
from pathlib import Path

import pytest

from pipelines.notifier.sent_log import SentLog
from pipelines.ports import Positions, Publication
from tests.sim.edge import SimulatedEdge
from tests.sim.faults import Odds
from tests.sim.kafka import SimulatedKafka, SimulatedShardLog
from tests.sim.shrink import run_seed, shrunk
from tests.sim.verdict import check
from tests.sim.world import World

STEPS = 600


def _seeds() -> list[int]:
    first, _, last = os.environ.get("SEEDS", "1-100").partition("-")
    return list(range(int(first), int(last or first) + 1))


@pytest.mark.parametrize("seed", _seeds())
def test_nothing_is_lost_or_doubled(seed: int, tmp_path: Path) -> None:
    failure = run_seed(seed, STEPS, Odds())
    if failure is None:
        return
    short = shrunk(failure)
    trace = Path(os.environ.get("SIM_TRACES", str(tmp_path))) / f"seed-{seed}.trace"
    trace.write_text("\n".join(failure.lines))
    print(short.told())
    print(f"the whole trace: {trace}")
    raise failure.error


def test_a_failing_seed_is_made_short(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(self: SimulatedEdge, publication: Publication) -> None:
        self.channels[publication.channel].append(publication)

    monkeypatch.setattr(SimulatedEdge, "_take", take)  # it forgets the ids of what it was sent
    failure = next(f for f in (run_seed(n, STEPS, Odds()) for n in range(1, 60)) if f is not None)
    short = shrunk(failure)
    assert short.steps < STEPS
    assert len(short.lines) < len(failure.lines)
    kinds = {one.name for one in fields(Odds) if getattr(short.odds, one.name)}
    assert kinds < {one.name for one in fields(Odds)}, "some faults have nothing to do with it"
    again = run_seed(short.seed, short.steps, short.odds)
    assert again is not None
    assert again.lines == short.lines
    assert f"make sim SEEDS={short.seed}-{short.seed}" in short.told()


def test_a_seed_gives_the_same_trace_again() -> None:
    digests = []
    for _ in range(2):
        world = World(7)
        world.run(STEPS)
        digests.append(world.digest())
    assert digests[0] == digests[1]


def test_without_faults_nothing_is_repeated() -> None:
    none = Odds(0, 0, 0, 0, 0, 0, 0, 0)
    world = World(3, none)
    world.run(STEPS)
    check(world)
    assert not [line for line in world.lines if "fault" in line]
    assert world.traffic.sent
    assert len({push.collapse_key for push in world.edge.pushes}) > 3


def _failures(seeds: int) -> int:
    failed = 0
    for seed in range(1, seeds + 1):
        world = World(seed)
        try:
            world.run(STEPS)
            check(world)
        except AssertionError:
            failed += 1
    return failed


def test_a_kafka_that_does_not_fence_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimulatedKafka, "check", lambda self, transactional_id, epoch: None)
    assert _failures(30)


def test_a_shard_that_reads_an_input_twice_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    real = SimulatedShardLog.assign

    def assign(self: SimulatedShardLog, positions: Positions) -> None:
        real(self, positions._replace(bets=max(0, positions.bets - 1)))

    monkeypatch.setattr(SimulatedShardLog, "assign", assign)
    assert _failures(5) == 5


def test_an_edge_that_forgets_ids_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(self: SimulatedEdge, publication: Publication) -> None:
        self.channels[publication.channel].append(publication)

    monkeypatch.setattr(SimulatedEdge, "_take", take)
    assert _failures(20)


def test_a_notifier_without_memory_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SentLog, "sent", lambda self, notice: False)
    assert _failures(60)
