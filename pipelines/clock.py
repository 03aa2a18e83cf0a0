"""The system's clock, behind the port `Clock`."""

import time

__all__ = ["SystemClock"]


class SystemClock:
    """Wall time and waiting as the machine has them."""

    def time_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
