"""What all actors that run a loop share: a thread from the constructor, health, and the end.

The constructor does nothing that can fail: an exception there during a restart would end the actor
for ever. The loop's adapters are made in its thread, with back-off. A loop that fails ends the
process, so that Ray starts it anew; a loop that was fenced ends only itself, because a restart
would take the partition back from its new owner and the two would fight.
"""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

import ray
from prometheus_client import CollectorRegistry

from pipelines.errors import FencedError, OverroundError
from pipelines.metrics import render

__all__ = ["Host", "Hosted"]

logger = logging.getLogger(__name__)

SWITCH_INTERVAL_S: Final = 0.0005  # lets queries in between the loop's bytecodes
FAILED_EXIT_CODE: Final = 70
BUILD_WAIT_FIRST_S: Final = 0.2
BUILD_WAIT_MAX_S: Final = 10.0
RENDER_INTERVAL_S: Final = 1.0
#: Ray restarts a process at once and for ever; a loop that fails at its start must not spin.
LIFE_S_MIN: Final = 3.0
#: What the loops call the monotonic time of their last step.
PROGRESS_NAMES: Final = ("last_progress_s", "progress_monotonic_s")


class Hosted(Protocol):
    """A loop as the actors host it."""

    def run_until(self, stop: threading.Event) -> None:
        """Run until `stop` is set. Raises what ends it."""

    def status(self) -> dict[str, object]:
        """Return plain values; `last_progress_s` is monotonic."""


class Host:
    """Runs one hosted loop for the life of the process."""

    def __init__(
        self,
        name: str,
        version: str,
        build: Callable[[], Hosted],
        registry: CollectorRegistry,
        log_level: str = "INFO",
    ) -> None:
        logging.basicConfig(
            level=log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s"
        )
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self.name = name
        self.version = version
        self.hosted: Hosted | None = None
        self._build = build
        self._registry = registry
        self._node_id = str(ray.get_runtime_context().get_node_id())
        self._state = "starting"
        self._error = ""
        self._rendered = (0.0, b"")
        self._began_s = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.hosted = self._built()
            if self.hosted is not None:
                self._state = "running"
                self.hosted.run_until(self._stop)
            self._state = "stopped"
        except FencedError as error:
            self._state, self._error = "fenced", error.message
            logger.error("fenced, this copy stops for good actor=%s: %s", self.name, error)
        except Exception as error:
            self._state, self._error = "failed", f"{type(error).__name__}: {error}"
            logger.exception("the loop failed, the process ends actor=%s", self.name)
            # Meanwhile `health` tells the supervisor what went wrong.
            time.sleep(max(0.0, LIFE_S_MIN - (time.monotonic() - self._began_s)))
            logging.shutdown()
            os._exit(FAILED_EXIT_CODE)

    def _built(self) -> Hosted | None:
        wait_s = BUILD_WAIT_FIRST_S
        while not self._stop.is_set():
            try:
                return self._build()
            except OverroundError as error:
                self._error = error.message
                logger.warning("not ready yet actor=%s: %s", self.name, error)
            self._stop.wait(wait_s)
            wait_s = min(2 * wait_s, BUILD_WAIT_MAX_S)
        return None

    def health(self) -> dict[str, object]:
        """Return state, progress and the loop's own status; never waits."""
        hosted = self.hosted
        status = hosted.status() if hosted is not None else {}
        progress_s = self._began_s
        for name in PROGRESS_NAMES:
            told_s = status.pop(name, progress_s)
            assert isinstance(told_s, float)
            progress_s = max(progress_s, told_s)
        return {
            "actor": self.name,
            "version": self.version,
            "pid": os.getpid(),
            "node_id": self._node_id,
            "state": self._state,
            "error": self._error,
            "idle_s": round(time.monotonic() - progress_s, 3),
            "up_s": round(time.monotonic() - self._began_s, 1),
            "status": status,
        }

    def metrics(self) -> bytes:
        """Return this actor's metrics as text, at most a second old."""
        now_s = time.monotonic()
        rendered_s, text = self._rendered
        if not text or now_s - rendered_s > RENDER_INTERVAL_S:
            text = render(self._registry)
            self._rendered = (now_s, text)
        return text

    def stop(self, timeout_s: float) -> bool:
        """End the loop between two transactions; return whether it ended in time."""
        self._stop.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()
