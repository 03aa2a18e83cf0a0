"""What publishers and notifiers share in `Host`: they take over from the one before, then run."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import ray

from actors.handover import Handover, end_holder
from pipelines.collector import tune_collector_of_clients
from pipelines.errors import BrokerError, FencedError
from pipelines.handover import take_over
from pipelines.kafka.reader import CommittedReader

__all__ = ["FanOutLoop"]

logger = logging.getLogger(__name__)

AGAIN_S: Final = 0.5


class Loop(Protocol):
    """What `pipelines.publisher.publisher` and `pipelines.notifier.notifier` run."""

    def run(self, stop: threading.Event) -> None: ...
    def status(self) -> dict[str, Any]: ...


class FanOutLoop:
    """A loop over the partitions that a reader reads with its group."""

    def __init__(
        self,
        reader: Callable[[str], CommittedReader],
        loop: Callable[[CommittedReader], Loop],
        closes: Sequence[Callable[[], None]],
        follow_lost: Callable[[Mapping[str, int]], None],
    ) -> None:
        """`reader`: made with the claim that it notes; `closes`: what else ends with the loop;
        `follow_lost`: is given the counts of records that were deleted unread, by topic."""
        self._handover = Handover(ray.util.get_node_ip_address())
        self._reader = reader(self._handover.claim)
        self._loop = loop(self._reader)
        self._closes = (self._reader.close, *closes)
        follow_lost(self._reader.lost)
        self._tried_s = time.monotonic()

    def run_until(self, stop: threading.Event) -> None:
        """Run until `stop` is set. Raises FencedError where a newer process has taken over."""
        tune_collector_of_clients()
        self._handover.on_asked(stop.set)
        is_newest = True
        try:
            is_newest = self._begin(stop)
            if is_newest:
                self._loop.run(stop)
        finally:
            for close in self._closes:
                close()
            self._handover.ended()
        if self._handover.asked or not is_newest:
            raise FencedError("a newer process shows what these partitions say")

    def _begin(self, stop: threading.Event) -> bool:
        """Wait for Kafka and take over; return whether nobody else has done so meanwhile."""
        said = ""
        while not stop.is_set():
            self._tried_s = time.monotonic()
            try:
                is_newest = take_over(self._reader, end_holder)
            except BrokerError as error:
                if error.message != said:
                    logger.warning("not begun yet: %s", error)
                said = error.message
                stop.wait(AGAIN_S)
            else:
                self._reader.assign()
                return is_newest
        return True

    def status(self) -> dict[str, object]:
        """Return the loop's own; waiting for Kafka counts as progress."""
        status = self._loop.status()
        progress_s = max(status["progress_monotonic_s"], self._tried_s)
        return status | {"progress_monotonic_s": progress_s, "lost": dict(self._reader.lost)}
