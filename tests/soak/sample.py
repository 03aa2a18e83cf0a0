"""What each process of a running system uses, read from outside."""

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil

from deploy.figures import Look, compare, look
from tests.chaos.conftest import PARTITIONS
from tests.soak.flow import flow_of
from tests.system.conftest import Running

#: Words of a command line, and what the process is called in tables.
ROLES = (
    ("kafka.Kafka", "Kafka"),
    ("-m deploy.edge", "edge"),
    ("deploy.replay.simulator", "simulator"),
    ("ray::BookShard", "shard"),
    ("ray::Publisher", "publisher"),
    ("ray::Notifier", "notifier"),
    ("ray::Supervisor", "supervisor"),
    ("ray::Metrics", "metrics"),
    ("ray::Snapshots", "snapshots"),
    ("ray::_write", "snapshot being written"),
    ("gcs_server", "Ray gcs"),
    ("raylet", "Ray raylet"),
    ("dashboard", "Ray dashboard"),
    ("-m deploy.cli", "overround run"),
)
MIB = 2**20


@dataclass(frozen=True)
class Usage:
    """Of one process, or the sum of several of a role."""

    memory_mib: float = 0.0
    descriptors: int = 0
    threads: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            self.memory_mib + other.memory_mib,
            self.descriptors + other.descriptors,
            self.threads + other.threads,
        )


@dataclass(frozen=True)
class Sample:
    """Everything at one moment; rates and latencies are those since the sample before."""

    at_s: float
    usage: dict[str, Usage]
    bets_per_second: float | None
    p50_ms: float | None
    p99_ms: float | None
    bets_waiting: float


def usage_of(pid: int) -> dict[str, Usage]:
    """Usage of a process and all below it, by role; memory is what no other process shares."""
    found: dict[str, Usage] = defaultdict(Usage)
    mine = psutil.Process(pid)
    for process in [mine, *mine.children(recursive=True)]:
        try:
            line = " ".join(process.cmdline())
            role = next((name for words, name in ROLES if words in line), None)
            if role is None:
                continue
            memory = process.memory_full_info().uss / MIB
            found[role] += Usage(memory, process.num_fds(), process.num_threads())
        except psutil.Error:
            continue  # it ended meanwhile
    return dict(found)


@dataclass
class Sampler:
    """Takes samples of a system, one after another."""

    running: Running
    began_s: float = field(default_factory=time.monotonic)
    samples: list[Sample] = field(default_factory=list)
    each: Callable[[Sample], None] = lambda sample: None  #: called with every sample
    _before: Look | None = None

    def take(self) -> Sample:
        """Add a sample of now."""
        now_s = time.monotonic()
        port = self.running.environment["OVERROUND_METRICS_PORT"]
        seen = look(f"http://127.0.0.1:{port}/metrics", now_s)
        figures = compare(self._before, seen) if self._before and seen else None
        self._before = seen or self._before
        sample = Sample(
            now_s - self.began_s,
            usage_of(self.running.process.pid),
            figures.bets_per_second if figures else None,
            figures.p50_ms if figures else None,
            figures.p99_ms if figures else None,
            flow_of(self.running, PARTITIONS).waiting,
        )
        self.samples.append(sample)
        self.each(sample)
        return sample

    def every(self, interval_s: float, until_s: float) -> None:
        """Take samples until so many seconds after the beginning."""
        while time.monotonic() - self.began_s < until_s:
            self.take()
            time.sleep(interval_s)
