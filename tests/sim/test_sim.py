"""Seeded runs of the whole engine with faults; `make sim SEEDS=1-1000` runs more of them.

A failing seed prints how to run it again, and the trace of its shortest form.
"""

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from pipelines.ports import Publication
from tests.sim.edge import Heard, SimulatedEdge
from tests.sim.faults import Odds
from tests.sim.shrink import run_seed, shrunk
from tests.sim.verdict import check
from tests.sim.world import World

STEPS = 600
STEPS_TO_SHORTEN = 150


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
    def take(self: SimulatedEdge, publication: Publication, is_late: bool) -> None:
        self.heard[publication.channel].append(Heard(publication, is_late))

    monkeypatch.setattr(SimulatedEdge, "_take", take)  # it forgets the ids of what it was sent
    runs = (run_seed(seed, STEPS_TO_SHORTEN, Odds()) for seed in range(1, 60))
    failure = next(found for found in runs if found is not None)
    short = shrunk(failure)
    assert short.steps < STEPS_TO_SHORTEN
    assert len(short.lines) < len(failure.lines)
    kinds = {one.name for one in fields(Odds) if getattr(short.odds, one.name)}
    assert kinds < {one.name for one in fields(Odds)}, "some faults have nothing to do with it"
    again = run_seed(short.seed, short.steps, short.odds)
    assert again is not None
    assert again.lines == short.lines
    assert f"make sim SEEDS={short.seed}-{short.seed}" in short.told()


DIGESTS = """
from tests.sim.world import World
for seed in {seeds}:
    world = World(seed)
    world.run({steps})
    print(world.digest())
"""


def test_a_seed_gives_the_same_trace_again() -> None:
    seeds, digests = (7, 11), []
    for seed in seeds:
        world = World(seed)
        world.run(STEPS)
        digests.append(world.digest())
    program = DIGESTS.format(seeds=seeds, steps=STEPS)
    for hash_seed in ("1", "2"):  # the order of sets is another in each
        environment = os.environ | {"PYTHONHASHSEED": hash_seed}
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, env=environment
        )
        assert done.stdout.split() == digests, done.stderr


def test_without_faults_nothing_is_repeated() -> None:
    world = World(3, Odds.none())
    world.run(STEPS, check)
    assert not [line for line in world.lines if " fault " in line]
    assert world.traffic.sent
    assert len({push.collapse_key for push in world.edge.pushes}) > 3
