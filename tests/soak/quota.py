"""A share of the processors for some processes: a cgroup of their own with a CFS quota.

Both kinds of cgroups are understood. Of version 1 the group is made below the one that this process
is in; of version 2 below the nearest one above that hands the processor on, since a group that
holds processes may not limit groups below itself.
"""

import math
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

ROOT_VERSION_1 = Path("/sys/fs/cgroup/cpu")
ROOT_VERSION_2 = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
PROCESSES = "cgroup.procs"
PERIOD_US = 10_000  # short, so that who has used its share waits for milliseconds only
QUOTA_US_MIN = 1_000  # the kernel takes no less
EMPTYING_TRIES = 100


class NoQuotaError(Exception):
    """No cgroup can be made here; the words say why."""


class Quota:
    """Those given to `hold` have `cpus` processors together, to `release` or the end of the block.

    Making it and entering the block raise NoQuotaError.
    """

    def __init__(self, cpus: float) -> None:
        self._cpus = cpus
        self._home, parent, self._is_version_2 = _groups()
        self._group = parent / f"overround-{os.getpid()}"

    def __enter__(self) -> "Quota":
        try:
            self._group.mkdir(exist_ok=True)
            for name, value in limits(self._cpus, self._is_version_2).items():
                (self._group / name).write_text(value)
        except OSError as error:
            self._remove()
            raise NoQuotaError(f"no share of the processors in {self._group}: {error}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._remove()

    def hold(self, pids: Iterable[int]) -> None:
        """Take processes in with all their threads; those that are in already stay."""
        for pid in pids:
            _move(pid, self._group)

    def held(self) -> list[int]:
        """Return the processes that share it now."""
        return [int(pid) for pid in (self._group / PROCESSES).read_text().split()]

    def release(self) -> None:
        """Give all its processes back; they compete again as if there were no group."""
        for _ in range(EMPTYING_TRIES):  # a process may start another one meanwhile
            pids = self.held()
            if not pids:
                return
            for pid in pids:
                _move(pid, self._home)

    def _remove(self) -> None:
        """End the group; one that holds any process cannot be removed."""
        if self._group.exists():
            self.release()
            self._group.rmdir()


def limits(cpus: float, is_version_2: bool) -> dict[str, str]:
    """Return what to write into which files of a group, in this order."""
    period_us = max(PERIOD_US, math.ceil(QUOTA_US_MIN / cpus))
    quota_us = max(QUOTA_US_MIN, round(cpus * period_us))
    if is_version_2:
        return {"cpu.max": f"{quota_us} {period_us}"}
    return {"cpu.cfs_period_us": str(period_us), "cpu.cfs_quota_us": str(quota_us)}


def _groups() -> tuple[Path, Path, bool]:
    """Return this process's group, the one to make another below, and whether it is version 2."""
    if not OWN_GROUPS.is_file():
        raise NoQuotaError("no cgroup has a share of the processors: this is not Linux")
    own = dict(line.split(":", 2)[1:] for line in OWN_GROUPS.read_text().splitlines())
    for controllers, path in own.items():
        if "cpu" in controllers.split(",") and ROOT_VERSION_1.is_dir():
            home = _below(ROOT_VERSION_1, path)
            return home, home, False
    if not (ROOT_VERSION_2 / "cgroup.controllers").is_file():
        raise NoQuotaError("no cgroup has a share of the processors: none is mounted")
    home = _below(ROOT_VERSION_2, own.get("", "/"))
    for group in (home, *home.parents):
        control = group / "cgroup.subtree_control"
        if control.is_file() and "cpu" in control.read_text().split():
            return home, group, True
    raise NoQuotaError(f"no cgroup above {home} hands the processor on to groups below it")


def _below(root: Path, path: str) -> Path:
    """The group of a path; in a container the root that is mounted may be the group itself."""
    group = root / path.lstrip("/")
    return group if group.is_dir() else root


def _move(pid: int, group: Path) -> None:
    try:
        (group / PROCESSES).write_text(str(pid))
    except ProcessLookupError:
        return  # it ended meanwhile
