"""Simulated time: it moves only when the simulation says so, and a node's wall may be off."""

from collections.abc import Callable


class Time:
    """What o'clock it is in the simulation, in milliseconds."""

    def __init__(self, now_ms: int = 1_000_000) -> None:
        self.now_ms = now_ms


class SimulatedClock:
    """Port `Clock`; all clocks of a simulation share `Time`, each with the skew of its node."""

    def __init__(self, time: Time, skew_ms: Callable[[], int] = lambda: 0) -> None:
        self._time = time
        self._skew_ms = skew_ms

    def time_ms(self) -> int:
        return self._time.now_ms + self._skew_ms()

    def monotonic_s(self) -> float:
        return self._time.now_ms / 1_000

    def sleep(self, seconds: float) -> None:
        self._time.now_ms += max(0, round(seconds * 1_000))
