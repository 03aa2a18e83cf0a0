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

from deploy.edge.bounds import DEVICE_TOKEN_TTL_MS, PERSISTED_MS
from deploy.edge.channel import Channel
from deploy.edge.refusals import INTERNAL, refused
from deploy.edge.revocations import Revocations
from deploy.edge.stats import Stats
from deploy.edge.wire import Annotation, Message

__all__ = ["SqliteStore"]

logger = logging.getLogger(__name__)

MESSAGES, VERSION, ANNOTATION = 0, 1, 2
TABLES: Final = """
CREATE TABLE IF NOT EXISTS channel (
  app TEXT, name TEXT, series TEXT NOT NULL, PRIMARY KEY (app, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (
  app TEXT, channel TEXT, serial TEXT, kind INTEGER, at_ms INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (app, channel, serial, kind)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS kept_at ON kept (at_ms);
CREATE TABLE IF NOT EXISTS revoked (
  app TEXT, kind TEXT, value TEXT, before_ms INTEGER NOT NULL, applies_ms INTEGER NOT NULL,
  PRIMARY KEY (app, kind, value)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS minute (
  app TEXT, name TEXT, body BLOB NOT NULL, PRIMARY KEY (app, name)
) WITHOUT ROWID;
"""

Row = tuple[str, str, str, int, int, bytes]

_messages = msgspec.msgpack.Decoder(list[Message])
_message = msgspec.msgpack.Decoder(Message)
_annotation = msgspec.msgpack.Decoder(Annotation)
_figures = msgspec.msgpack.Decoder(dict[str, float])


class SqliteStore:
    """Port `Store` on one file; used from the event loop's thread."""

    def __init__(self, file: Path, loop: asyncio.AbstractEventLoop, app_id: str) -> None:
        """Open the file, and forget apps of former sandboxes."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(file)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=NORMAL")
        self._database.executescript(TABLES)
        with self._database:
            self._database.execute("DELETE FROM kept WHERE app != ?", (app_id,))
            self._database.execute("DELETE FROM channel WHERE app != ?", (app_id,))
            self._database.execute("DELETE FROM minute WHERE app != ?", (app_id,))
            self._database.execute("DELETE FROM revoked WHERE app != ?", (app_id,))
        self._loop = loop
        self._waiting: list[Row] = []
        self._then: list[Callable[[], None]] = []
        self._timer: asyncio.Handle | None = None

    def has(self, app_id: str, name: str) -> bool:
        """Return whether anything is kept of a channel."""
        found = self._database.execute(
            "SELECT 1 FROM channel WHERE app = ? AND name = ?", (app_id, name)
        )
        return found.fetchone() is not None

    def revive(self, app_id: str, channel: Channel) -> None:
        """Fill a new channel with what is kept of it, and keep what it gets from now on."""
        self._commit()
        key = (app_id, channel.name)
        found = self._database.execute(
            "SELECT series FROM channel WHERE app = ? AND name = ?", key
        ).fetchone()
        if found is None:
            with self._database:
                self._database.execute(
                    "INSERT INTO channel VALUES (?, ?, ?)", (*key, channel.serials.series)
                )
        else:
            channel.serials.series = found[0]
            self._fill(app_id, channel)
        channel.keeper = _Keeper(self, app_id)

    def _fill(self, app_id: str, channel: Channel) -> None:
        rows = self._database.execute(
            "SELECT serial, kind, at_ms, body FROM kept WHERE app = ? AND channel = ?"
            " ORDER BY serial, kind",
            (app_id, channel.name),
        )
        versions: dict[str, list[Message]] = {}
        for serial, kind, at_ms, body in rows:
            if kind == MESSAGES:
                channel.restore(serial, at_ms, _messages.decode(body))
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

    def keep(self, row: Row) -> None:
        """Write one row at the end of this round of the event loop."""
        self._waiting.append(row)
        if self._timer is None:
            self._timer = self._loop.call_soon(self._commit)

    def when_kept(self, call: Callable[[], None]) -> None:
        """Call once the rows so far are written; at once where none wait."""
        if self._waiting:
            self._then.append(call)
        else:
            call()

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
        rows, self._waiting = self._waiting, []
        if not rows:
            return
        try:
            with self._database:
                self._database.executemany(
                    "INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?, ?, ?)", rows
                )
        except sqlite3.Error:
            logger.exception("the history could not be written rows=%d", len(rows))

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
        """Delete what is older than a namespace keeps, or can concern no living token."""
        with self._database:
            old_ms = now_ms - DEVICE_TOKEN_TTL_MS
            self._database.execute("DELETE FROM revoked WHERE before_ms < ?", (old_ms,))
            self._database.execute("DELETE FROM kept WHERE at_ms < ?", (now_ms - PERSISTED_MS,))

    def close(self) -> None:
        """Write what waits, and close the file."""
        self._commit()
        self._database.close()


class _Keeper:
    """Port `Keeper` of one app's channels."""

    def __init__(self, store: SqliteStore, app_id: str) -> None:
        self._store = store
        self._app_id = app_id

    def messages(self, channel: str, serial: str, at_ms: int, kept: list[Message]) -> None:
        self._keep(channel, serial, MESSAGES, at_ms, msgspec.msgpack.encode(kept))

    def version(self, channel: str, serial: str, at_ms: int, made: Message) -> None:
        self._keep(channel, serial, VERSION, at_ms, msgspec.msgpack.encode(made))

    def annotation(self, channel: str, serial: str, at_ms: int, note: Annotation) -> None:
        self._keep(channel, serial, ANNOTATION, at_ms, msgspec.msgpack.encode(note))

    def when_kept(self, call: Callable[[], None]) -> None:
        self._store.when_kept(call)

    def _keep(self, channel: str, serial: str, kind: int, at_ms: int, body: bytes) -> None:
        self._store.keep((self._app_id, channel, serial, kind, at_ms, body))
