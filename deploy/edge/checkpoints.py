"""Checkpoints of the store's write-ahead log, made by a thread of their own.

A checkpoint waits for the disk, which held up the event loop while SQLite made it within a commit.
The log can begin anew only at a commit that finds all of it copied, so a first checkpoint copies
most of it beside commits that go on, and during a second, short one commits are held back. Of 3,000
commits of 100 rows the slowest hundredth took 14 to 16 ms before, and waits 4 to 5 ms so.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

__all__ = ["Checkpoints"]

logger = logging.getLogger(__name__)

CHECKPOINT_BYTES: Final = 8 * 1_048_576  # written since the last one
COMMIT_BYTES: Final = 8_192  # that a commit writes beside its rows: pages that it began or ended in
HELD_MAX_S: Final = 0.25  # after that, commits go on and the log grows until the next checkpoint


class Checkpoints:
    """Used from the event loop's thread; `go_on` is called when commits are held back no more."""

    def __init__(
        self, file: Path, loop: asyncio.AbstractEventLoop, go_on: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._go_on = go_on
        self._executor = ThreadPoolExecutor(1, "checkpoint")
        self._database = sqlite3.connect(file, check_same_thread=False)
        self._written_bytes = 0
        self._running: asyncio.Task[None] | None = None
        #: While true, what is not committed yet had better wait.
        self.is_holding = False

    def written(self, size: int) -> None:
        """Count what was committed, and begin a checkpoint when that is much."""
        self._written_bytes += COMMIT_BYTES + size
        if self._written_bytes >= CHECKPOINT_BYTES and self._running is None:
            self._written_bytes = 0
            self._running = self._loop.create_task(self._run())

    async def _run(self) -> None:
        try:
            await self._loop.run_in_executor(self._executor, self._copy)
            self.is_holding = True
            last_resort = self._loop.call_later(HELD_MAX_S, self._release)
            await self._loop.run_in_executor(self._executor, self._copy)
            last_resort.cancel()
        except sqlite3.Error:
            logger.exception("the history's log could not be copied; it is tried again")
        finally:
            self._running = None
            self._release()

    def _copy(self) -> None:
        self._database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _release(self) -> None:
        if self.is_holding:
            self.is_holding = False
            self._go_on()

    def close(self) -> None:
        """Wait for the one that is being made; what is held back is left to who closes."""
        self.is_holding = False
        if self._running is not None:
            self._running.cancel()
        self._executor.shutdown()
        self._database.close()
