"""Percentiles of what bettors waited for. Holds the newest samples up to a bound."""

from collections import deque
from typing import Final

__all__ = ["Latencies"]

SAMPLES_MAX: Final = 20_000


class Latencies:
    """Samples in seconds, read in milliseconds."""

    def __init__(self, samples_max: int = SAMPLES_MAX) -> None:
        self._samples: deque[float] = deque(maxlen=samples_max)

    def add(self, seconds: float) -> None:
        """Count one sample."""
        self._samples.append(max(seconds, 0.0))

    def __len__(self) -> int:
        return len(self._samples)

    def percentile_ms(self, share: float) -> float | None:
        """Return the smallest sample that `share` of all do not exceed; None without samples."""
        if not self._samples:
            return None
        ordered = sorted(self._samples)
        rank = min(int(share * len(ordered)), len(ordered) - 1)
        return round(ordered[rank] * 1_000, 1)
