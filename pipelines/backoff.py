"""How long the publisher and the notifier wait after the edge or a shard refused them.

Exponential with full jitter between a floor and a bound; the randomness is injected, so that a
simulation repeats. A wait that the other side asked for is honoured, up to a bound.
"""

from collections.abc import Callable
from typing import Final

__all__ = ["Backoff"]

DOUBLINGS_MAX: Final = 16
ASKED_WAIT_S_MAX: Final = 60.0


class Backoff:
    """Counts failures in a row and says when the next attempt may be made (monotonic seconds)."""

    def __init__(
        self, randomness: Callable[[], float], first_s: float = 0.05, longest_s: float = 5.0
    ) -> None:
        self._randomness = randomness
        self._first_s = first_s
        self._longest_s = longest_s
        self.failures = 0
        self._ready_at_s = 0.0

    def failed(self, now_s: float, asked_s: float = 0.0) -> float:
        """Note a failure; return the wait in seconds, at least what the other side asked for."""
        exponent = min(self.failures, DOUBLINGS_MAX)
        self.failures += 1
        bound_s = min(self._first_s * float(1 << exponent), self._longest_s)
        # Half of the wait is fixed: pure jitter would let some attempts follow at once.
        wait_s = bound_s * (0.5 + 0.5 * self._randomness())
        wait_s = max(wait_s, min(asked_s, ASKED_WAIT_S_MAX))
        self._ready_at_s = now_s + wait_s
        return wait_s

    def succeeded(self) -> None:
        """Forget the failures."""
        self.failures = 0
        self._ready_at_s = 0.0

    def wait_s(self, now_s: float) -> float:
        """Seconds until the next attempt may be made; 0 when it may be made now."""
        return max(0.0, self._ready_at_s - now_s)
