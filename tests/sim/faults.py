"""What goes wrong and when, all from one seed; every fault is written to the trace."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from pipelines.errors import BrokerError, OverroundError


class Crashed(OverroundError):
    """The process of an actor has died at this point."""


@dataclass(frozen=True)
class Odds:
    """How often, in ten-thousandths, each kind of fault happens where it can."""

    crash: int = 100
    broker_error: int = 100
    answer_lost: int = 100
    edge_refuses: int = 150
    edge_times_out_after: int = 100
    freeze: int = 400
    clock_jump: int = 20
    lost_bet_answer: int = 100


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
