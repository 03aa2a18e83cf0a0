"""Tables of the file under persisted channels, and how a file of the former layout becomes one."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["INSERT_ENTRY", "open_file"]

#: `entry` grows at its end alone. `before` is the entry before it of the same channel, 0 for none;
#: `channel.newest` is where that chain starts, as far as entries go that `noted` tells of.
TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS channel (
      number INTEGER PRIMARY KEY AUTOINCREMENT, app TEXT NOT NULL, name TEXT NOT NULL,
      series TEXT NOT NULL, newest INTEGER NOT NULL DEFAULT 0, UNIQUE (app, name)
    )""",
    """CREATE TABLE IF NOT EXISTS entry (
      id INTEGER PRIMARY KEY, channel INTEGER NOT NULL, before INTEGER NOT NULL,
      serial TEXT NOT NULL, kind INTEGER NOT NULL, at_ms INTEGER NOT NULL, body BLOB NOT NULL
    )""",
    "CREATE TABLE IF NOT EXISTS noted (one INTEGER PRIMARY KEY, entry INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO noted VALUES (1, 0)",
    """CREATE TABLE IF NOT EXISTS revoked (
      app TEXT, kind TEXT, value TEXT, before_ms INTEGER NOT NULL, applies_ms INTEGER NOT NULL,
      PRIMARY KEY (app, kind, value)
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS minute (
      app TEXT, name TEXT, body BLOB NOT NULL, PRIMARY KEY (app, name)
    ) WITHOUT ROWID""",
)
INSERT_ENTRY: Final = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)"
WAL_PAGES_MAX: Final = 16_384  # of 4 KiB; checkpoints of their own thread come long before


def open_file(file: Path, app_id: str) -> sqlite3.Connection:
    """Open or make the file in today's layout, without apps of former sandboxes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(file)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=NORMAL")
    database.execute(f"PRAGMA wal_autocheckpoint={WAL_PAGES_MAX}")
    # Distributions overwrite with zeros what is deleted: that is every page a second time.
    database.execute("PRAGMA secure_delete=FAST")
    with database:
        database.execute("BEGIN IMMEDIATE")
        is_former = _has_table(database, "kept")
        if is_former:
            database.execute("ALTER TABLE channel RENAME TO former_channel")
        for statement in TABLES:
            database.execute(statement)
        if is_former:
            _take_over(database)
        gone = database.execute("DELETE FROM channel WHERE app != ?", (app_id,)).rowcount
        if gone:
            database.execute("DELETE FROM entry WHERE channel NOT IN (SELECT number FROM channel)")
        database.execute("DELETE FROM minute WHERE app != ?", (app_id,))
        database.execute("DELETE FROM revoked WHERE app != ?", (app_id,))
    return database


def _has_table(database: sqlite3.Connection, name: str) -> bool:
    found = database.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)
    )
    return found.fetchone() is not None


def _take_over(database: sqlite3.Connection) -> None:
    """Move what the former layout kept, which was one table in order of channel and serial."""
    database.execute(
        "INSERT INTO channel (app, name, series) SELECT app, name, series FROM former_channel"
    )
    newest: dict[int, int] = {}

    def entries() -> Iterator[tuple[object, ...]]:
        # Serials begin with the time, so the oldest of all channels come first, as `forget` needs.
        found = database.execute(
            "SELECT number, serial, kind, at_ms, body FROM kept JOIN channel"
            " ON channel.app = kept.app AND channel.name = kept.channel ORDER BY serial, kind"
        )
        for entry, (number, *rest) in enumerate(found, 1):
            yield (entry, number, newest.get(number, 0), *rest)
            newest[number] = entry

    database.executemany(INSERT_ENTRY, entries())
    database.executemany(
        "UPDATE channel SET newest = ? WHERE number = ?",
        [(entry, number) for number, entry in newest.items()],
    )
    database.execute("UPDATE noted SET entry = ?", (max(newest.values(), default=0),))
    database.execute("DROP TABLE kept")
    database.execute("DROP TABLE former_channel")
