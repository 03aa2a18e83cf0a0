"""Simulated time: it moves only when the simulation says so, and an actor's wall may be off."""


class SimulatedClock:
    """Port `Clock`; all clocks of a simulation share `Time`, each with its own skew."""

    def __init__(self, time: "Time", skew_ms: int = 0) -> None:
        self._time = time
        self.skew_ms = skew_ms

    def time_ms(self) -> int:
        return self._time.now_ms + self.skew_ms

    def monotonic_s(self) -> float:
        return self._time.now_ms / 1_000

    def sleep(self, seconds: float) -> None:
        self._time.now_ms += max(0, round(seconds * 1_000))


class Time:
    """What o'clock it is in the simulation, in milliseconds."""

    def __init__(self, now_ms: int = 1_000_000) -> None:
        self.now_ms = now_ms
