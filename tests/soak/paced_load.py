"""A load whose rate can be changed while it runs."""

import time

from tests.cluster.load import Load


class PacedLoad(Load):
    """Bets at a rate that `pace` sets; none before."""

    def __init__(self, bootstrap: str, partitions: int, events: int) -> None:
        self._paced = (0.0, time.monotonic(), 0)
        super().__init__(bootstrap, partitions, events, 0)

    def pace(self, rate: float) -> None:
        """Send so many bets/s from now on; what was not reached before is not made up for."""
        self._paced = (rate, time.monotonic(), self.sent)

    def _run(self) -> None:
        while not self._stop.is_set():
            paced = rate, since_s, first = self._paced
            due = first + int((time.monotonic() - since_s) * rate)
            while self.sent < due and self._paced is paced:
                self.bet()
            self._producer.poll(0)
            time.sleep(0.002)
