"""What goes wrong and when, all from one seed; every fault is written to the trace."""

import random
from collections.abc import Callable
from dataclasses import dataclass, fields

from pipelines.errors import BrokerError, OverroundError


class Crashed(OverroundError):
    """The process of an actor has died at this point."""


@dataclass(frozen=True)
class Odds:
    """How often, in ten-thousandths, each kind of fault happens where it can."""

    # Processes and nodes.
    crash: int = 60
    freeze: int = 500
    cut_off: int = 250
    node_dies: int = 120
    supervisor_dies: int = 150
    call_late: int = 300
    clock_jump: int = 100
    # Kafka.
    broker_error: int = 60
    answer_lost: int = 60
    commit_late: int = 60
    transaction_aborts: int = 100
    transaction_hangs: int = 50
    transaction_times_out: int = 200
    slow_markers: int = 200
    broker_away: int = 150
    broker_stops: int = 40
    disk_full: int = 120
    partition_slow: int = 150
    retention: int = 1_000
    snapshot_damaged: int = 1_000
    snapshot_lost: int = 300
    # Edge.
    edge_refuses: int = 150
    edge_times_out: int = 150
    edge_slow: int = 100

    @classmethod
    def none(cls) -> "Odds":
        """Nothing goes wrong."""
        return cls(**{one.name: 0 for one in fields(cls)})


class Faults:
    """Decides at each named point; `quiet` ends all faults, so that the system can come to rest."""

    def __init__(self, seed: int, odds: Odds, trace: Callable[[str], None]) -> None:
        self.random = random.Random(seed)
        self._odds = odds
        self._trace = trace
        self.is_quiet = False

    def strikes(self, kind: str, where: str) -> bool:
        """Return whether this fault happens here; always asks the generator, for equal traces."""
        drawn = self.random.randrange(10_000) < int(getattr(self._odds, kind))
        if drawn and not self.is_quiet:
            self._trace(f"fault {kind} at {where}")
            return True
        return False

    def may_crash(self, where: str) -> None:
        """Raise Crashed, now and then."""
        if self.strikes("crash", where):
            raise Crashed(where)

    def may_fail(self, where: str) -> None:
        """Raise BrokerError, now and then."""
        if self.strikes("broker_error", where):
            raise BrokerError(f"simulated: {where}")
