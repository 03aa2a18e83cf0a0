"""The disk of the broker's log runs full under load; when there is room again, the audit holds."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.conftest import IS_ALL, IS_LOADED, load_on
from tests.chaos.strikes import wait_for_bets
from tests.chaos.watch import audited, children, gap_after
from tests.system.conftest import Running, Start

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not IS_ALL, reason="make chaos does it"),
]

DISK_MIB = 1_024
FULL_S = 15.0
BLOCK = bytes(2**20)


@pytest.fixture
def disk(loaded_environment: dict[str, str]) -> Iterator[Path]:
    """A small disk of its own, where the broker is going to have its data."""
    folder = Path(loaded_environment["OVERROUND_DATA_DIR"]) / "kafka"
    folder.mkdir(parents=True)
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(folder)]
    done = subprocess.run(mounting, capture_output=True, text=True, timeout=10)
    if done.returncode != 0:
        pytest.skip(f"a disk of its own cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=10)


@pytest.fixture
def running(disk: Path, start: Start) -> Iterator[Running]:
    """The system; stopped before its disk is taken away."""
    made = start()
    made.wait_for("bets/s")
    yield made
    made.stop()


def fill(file: Path) -> int:
    """Write until there is no room left; return how many bytes that took."""
    with file.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(BLOCK)
        except OSError:
            return stream.tell()


def test_the_audit_holds_after_a_full_disk(
    running: Running, disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filler = disk / "filler"
    seen: list[bool] = []

    def strike(system: Running) -> None:
        before = children(system, "kafka.Kafka")
        until_s = time.monotonic() + FULL_S
        while time.monotonic() < until_s:
            # Filled again and again: the broker gives room back where it drops a segment.
            fill(filler if not filler.exists() else disk / f"filler-{time.monotonic_ns()}")
            time.sleep(0.5)
        seen.append(children(system, "kafka.Kafka") != before)
        for file in disk.glob("filler*"):
            os.unlink(file)

    with load_on(running):
        wait_for_bets(running)
        gap = gap_after(running, strike, IS_LOADED)
        report = audited(running)
    with capsys.disabled():
        ended = "it ended" if seen[0] else "it went on"
        print("\n" + report.line(f"the broker's disk full for {FULL_S:.0f} s ({ended})", gap))
    assert not report.failed
