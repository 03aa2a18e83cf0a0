"""Places in a channel: texts that sort in channel order, rise always, and never repeat.

A serial is `<14 digits of milliseconds>-<3 digits>@<series>`; the series tells apart lives of a
channel of the same name.
"""

__all__ = ["Serials"]


class Serials:
    """The newest place of one channel, and the next."""

    def __init__(self, series: str) -> None:
        self.series = series
        self._last = (0, 0)

    def current(self) -> str:
        """Return the newest place."""
        return f"{self._last[0]:014d}-{self._last[1]:03d}@{self.series}"

    def next(self, now_ms: int) -> str:
        """Return the place after the newest one, also where the clock went back."""
        last_ms, counter = self._last
        if now_ms > last_ms:
            self._last = (now_ms, 0)
        elif counter < 999:
            self._last = (last_ms, counter + 1)
        else:
            self._last = (last_ms + 1, 0)
        return self.current()

    def restore(self, serial: str) -> None:
        """Go on after a place of a former life."""
        last_ms, _, counter = serial.partition("@")[0].partition("-")
        self._last = max(self._last, (int(last_ms), int(counter)))

    def is_of(self, serial: str) -> bool:
        """Return whether a place is of this life of the channel."""
        return serial.endswith(f"@{self.series}")
