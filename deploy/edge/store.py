"""SQLite under persisted channels: what a namespace says to keep is there after a restart.

Writes of one round of the event loop are committed together at its end, and answers wait for that:
what was acknowledged survives a kill of the process (not of the machine).
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from deploy.edge.bounds import (
    DEVICE_TOKEN_TTL_MS,
    HISTORY_BYTES_MAX,
    HISTORY_ENTRIES_MAX,
    IDEMPOTENCY_WINDOW_MS,
    PERSISTED_MS,
)
from deploy.edge.channel import Channel
from deploy.edge.checkpoints import Checkpoints
from deploy.edge.message_log import Kept, MessageLog
from deploy.edge.refusals import INTERNAL, refused
from deploy.edge.revocations import Revocations
from deploy.edge.stats import Stats
from deploy.edge.store_layout import open_file
from deploy.edge.wire import Annotation, Message

__all__ = ["SqliteStore"]

logger = logging.getLogger(__name__)

MESSAGES, VERSION, ANNOTATION = 0, 1, 2
ROW_BYTES: Final = 64  # of an entry beside its body, roughly
UPKEEP_BYTES: Final = 65_536  # that a round of upkeep writes, roughly
SLICE_BYTES: Final = 524_288  # that deleting a slice writes: about every second of its pages
FORGET_PAUSE_S: Final = 0.05

_messages = msgspec.msgpack.Decoder(list[Message])
_message = msgspec.msgpack.Decoder(Message)
_annotation = msgspec.msgpack.Decoder(Annotation)
_figures = msgspec.msgpack.Decoder(dict[str, float])


class SqliteStore:
    """Port `Store` on one file; used from the event loop's thread."""

    def __init__(self, file: Path, loop: asyncio.AbstractEventLoop, app_id: str) -> None:
        """Open the file, and forget apps of former sandboxes."""
        self._database = open_file(file, app_id)
        self._log = MessageLog(self._database)
        self._checkpoints = Checkpoints(file, loop, self._commit)
        self._loop = loop
        self._waiting: list[tuple[int, Kept]] = []
        self._then: list[Callable[[], None]] = []
        self._timer: asyncio.Handle | None = None
        self._forgetting: asyncio.Handle | None = None

    def has(self, app_id: str, name: str) -> bool:
        """Return whether anything is kept of a channel."""
        found = self._database.execute(
            "SELECT 1 FROM channel WHERE app = ? AND name = ?", (app_id, name)
        )
        return found.fetchone() is not None

    def revive(self, app_id: str, channel: Channel, now_ms: int) -> None:
        """Fill a new channel with what is kept of it, and keep what it gets from now on."""
        found = self._database.execute(
            "SELECT number, series FROM channel WHERE app = ? AND name = ?", (app_id, channel.name)
        ).fetchone()
        if found is None:
            number = self._log.add_channel(app_id, channel.name, channel.serials.series)
        else:
            self._commit()  # it may have been in use a moment ago
            number, channel.serials.series = found
            self._fill(number, channel, now_ms)
        channel.keeper = _Keeper(self, number)

    def _fill(self, number: int, channel: Channel, now_ms: int) -> None:
        versions: dict[str, list[Message]] = {}
        for serial, kind, at_ms, body in self._concerning(number, channel.retention_ms, now_ms):
            if kind == MESSAGES:
                channel.restore(serial, at_ms, _messages.decode(body) if body else [])
            elif kind == VERSION:
                made = _message.decode(body)
                versions.setdefault(made.serial or "", []).append(made)
                channel.restore(serial, at_ms, [])
            else:
                channel.annotations.add(_annotation.decode(body))
                channel.restore(serial, at_ms, [])
        for message_serial, changed in versions.items():
            original = channel.history.find(message_serial)
            if original is not None:
                channel.versions.put([original, *changed])

    def _concerning(self, number: int, retention_ms: int, now_ms: int) -> list[Kept]:
        """Return what a history has room for, oldest first, after the newest place before it.

        Changes and annotations of messages that are not in the history concern nobody.
        """
        since_ms = now_ms - max(retention_ms, IDEMPOTENCY_WINDOW_MS)
        found: list[Kept] = []
        count = size = 0
        for kept in self._log.newest_first(number):
            if kept.kind == MESSAGES:
                count += 1
                size += len(kept.body)
            # Encoded, a message may take more than history counts, but not twice as much.
            is_over = count > HISTORY_ENTRIES_MAX or size > 2 * HISTORY_BYTES_MAX
            if is_over or kept.at_ms < since_ms:
                # A client that asks for what came after an older place is told of the gap.
                found.append(Kept(kept.serial, MESSAGES, kept.at_ms, b""))
                break
            found.append(kept)
        found.reverse()
        return found

    def keep(self, number: int, kept: Kept) -> None:
        """Write an entry of a channel at the end of this round of the event loop."""
        self._waiting.append((number, kept))
        if self._timer is None:
            self._timer = self._loop.call_soon(self._end_round)

    def when_kept(self, call: Callable[[], None]) -> None:
        """Call once the entries so far are written; at once where none wait."""
        if self._waiting:
            self._then.append(call)
        else:
            call()

    def _end_round(self) -> None:
        self._timer = None
        if not self._checkpoints.is_holding:  # which commits as soon as it ends
            self._commit()

    def _commit(self) -> None:
        try:
            self._write()
        finally:
            calls, self._then = self._then, []
            for call in calls:
                call()

    def _write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        given, self._waiting = self._waiting, []
        if not given:
            return
        try:
            self._log.append(given)
        except sqlite3.Error:
            logger.exception("the history could not be written rows=%d", len(given))
        self._checkpoints.written(sum(ROW_BYTES + len(kept.body) for _, kept in given))

    def load_stats(self, app_id: str, stats: Stats) -> None:
        """Give an app the figures that it had."""
        rows = self._database.execute("SELECT name, body FROM minute WHERE app = ?", (app_id,))
        stats.restore({name: _figures.decode(body) for name, body in rows})

    def save_stats(self, app_id: str, stats: Stats) -> None:
        """Keep an app's newest figures."""
        rows = [
            (app_id, name, msgspec.msgpack.encode(entries))
            for name, entries in stats.export_changed().items()
        ]
        try:
            with self._database:
                self._database.executemany("INSERT OR REPLACE INTO minute VALUES (?, ?, ?)", rows)
        except sqlite3.Error:
            logger.exception("the statistics could not be written")

    def load_revocations(self, app_id: str, revocations: Revocations) -> None:
        """Refuse the tokens that were revoked in a former life."""
        rows = self._database.execute(
            "SELECT kind, value, before_ms, applies_ms FROM revoked WHERE app = ?", (app_id,)
        )
        for row in rows:
            revocations.revoke(*row)

    def save_revocations(self, app_id: str, revocations: Revocations) -> None:
        """Keep what is revoked, before whoever revoked it is answered. Raises EdgeError."""
        rows = [(app_id, *target, *times) for target, times in revocations.export().items()]
        try:
            with self._database:
                self._database.executemany(
                    "INSERT OR REPLACE INTO revoked VALUES (?, ?, ?, ?, ?)", rows
                )
        except sqlite3.Error as error:
            logger.exception("revocations could not be written")
            raise refused(INTERNAL, "the revocation could not be written") from error

    def forget(self, now_ms: int) -> None:
        """Delete what is older than a namespace keeps, or can concern no living token.

        What is old is deleted in slices, with room between them for what else the loop has to do.
        """
        with self._database:
            old_ms = now_ms - DEVICE_TOKEN_TTL_MS
            self._database.execute("DELETE FROM revoked WHERE before_ms < ?", (old_ms,))
        self._log.note()
        self._checkpoints.written(UPKEEP_BYTES)
        if self._forgetting is None:
            self._forget_slice(now_ms - PERSISTED_MS)

    def _forget_slice(self, before_ms: int) -> None:
        self._forgetting = None
        try:
            is_more = self._log.forget(before_ms)
        except sqlite3.Error:
            logger.exception("old history could not be deleted")
            return
        if is_more:
            self._checkpoints.written(SLICE_BYTES)
            self._forgetting = self._loop.call_later(FORGET_PAUSE_S, self._forget_slice, before_ms)

    def close(self) -> None:
        """Write what waits, and close the file."""
        self._checkpoints.close()
        if self._forgetting is not None:
            self._forgetting.cancel()
        self._commit()
        try:
            while not self._log.is_noted:
                self._log.note()
        except sqlite3.Error:
            logger.exception("the next opening looks for the newest entries itself")
        self._database.close()


class _Keeper:
    """Port `Keeper` of one channel."""

    def __init__(self, store: SqliteStore, number: int) -> None:
        self._store = store
        self._number = number

    def messages(self, channel: str, serial: str, at_ms: int, kept: list[Message]) -> None:
        self._keep(serial, MESSAGES, at_ms, msgspec.msgpack.encode(kept))

    def version(self, channel: str, serial: str, at_ms: int, made: Message) -> None:
        self._keep(serial, VERSION, at_ms, msgspec.msgpack.encode(made))

    def annotation(self, channel: str, serial: str, at_ms: int, note: Annotation) -> None:
        self._keep(serial, ANNOTATION, at_ms, msgspec.msgpack.encode(note))

    def when_kept(self, call: Callable[[], None]) -> None:
        self._store.when_kept(call)

    def _keep(self, serial: str, kind: int, at_ms: int, body: bytes) -> None:
        self._store.keep(self._number, Kept(serial, kind, at_ms, body))
