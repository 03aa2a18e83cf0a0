"""A busy process in a quota gets about its share, and the group is gone afterwards."""

import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.soak.quota import NoQuotaError, Quota, limits

CPUS = 0.2
LOOK_S = 1.5


@pytest.fixture
def busy() -> Iterator[int]:
    """A child that only counts."""
    child = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield child.pid
    finally:
        child.kill()
        child.wait()


def used_cpus(pid: int) -> float:
    """Processors that it uses now."""

    def used_s() -> float:
        times = psutil.Process(pid).cpu_times()
        return float(times.user + times.system)

    before_s, began_s = used_s(), time.monotonic()
    time.sleep(LOOK_S)
    return (used_s() - before_s) / (time.monotonic() - began_s)


def fail_within(quota: Quota, pid: int) -> None:
    """Hold a process in a block that fails."""
    with quota:
        quota.hold([pid])
        raise ZeroDivisionError


def test_a_busy_process_gets_about_its_share(busy: int) -> None:
    try:
        with Quota(CPUS) as quota:
            quota.hold([busy])
            assert quota.held() == [busy]
            # Where many others run it gets less, but never more.
            assert CPUS / 20 < used_cpus(busy) < CPUS * 1.5
            quota.release()
            assert quota.held() == []
            assert psutil.pid_exists(busy)
            quota.hold([busy])
            assert used_cpus(busy) < CPUS * 1.5
    except NoQuotaError as error:
        pytest.skip(str(error))


def test_the_group_goes_when_the_block_fails(busy: int) -> None:
    try:
        quota = Quota(CPUS)
        with pytest.raises(ZeroDivisionError):
            fail_within(quota, busy)
    except NoQuotaError as error:
        pytest.skip(str(error))
    assert psutil.pid_exists(busy)
    with pytest.raises(FileNotFoundError):
        quota.held()


def test_a_share_is_written_as_each_version_wants_it() -> None:
    assert limits(0.12, False) == {"cpu.cfs_period_us": "10000", "cpu.cfs_quota_us": "1200"}
    assert limits(0.12, True) == {"cpu.max": "1200 10000"}
    assert limits(2.0, True) == {"cpu.max": "20000 10000"}
    assert limits(0.05, False) == {"cpu.cfs_period_us": "20000", "cpu.cfs_quota_us": "1000"}
