"""A file that the former layout wrote is taken over at opening, with all that it keeps."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from deploy.edge.actions import AnnotationAction
from deploy.edge.bounds import PERSISTED_MS
from deploy.edge.channel import Channel
from deploy.edge.store import SqliteStore
from deploy.edge.wire import Annotation, Message

FORMER_TABLES = """
CREATE TABLE channel (
  app TEXT, name TEXT, series TEXT NOT NULL, PRIMARY KEY (app, name)
) WITHOUT ROWID;
CREATE TABLE kept (
  app TEXT, channel TEXT, serial TEXT, kind INTEGER, at_ms INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (app, channel, serial, kind)
) WITHOUT ROWID;
CREATE INDEX kept_at ON kept (at_ms);
CREATE TABLE revoked (
  app TEXT, kind TEXT, value TEXT, before_ms INTEGER NOT NULL, applies_ms INTEGER NOT NULL,
  PRIMARY KEY (app, kind, value)
) WITHOUT ROWID;
CREATE TABLE minute (
  app TEXT, name TEXT, body BLOB NOT NULL, PRIMARY KEY (app, name)
) WITHOUT ROWID;
"""
NOW_MS = PERSISTED_MS + 10_000


def serial(at_ms: int) -> str:
    return f"{at_ms:014d}-000@series"


def message(at_ms: int, data: str) -> Message:
    return Message(id=f"m{at_ms}:0", serial=f"{serial(at_ms)}:000", data=data, timestamp=at_ms)


def write_former(file: Path) -> None:
    rows: list[tuple[str, str, str, int, int, bytes]] = []

    def keep(app: str, channel: str, kind: int, at_ms: int, content: object) -> None:
        body = msgspec.msgpack.encode(content)
        rows.append((app, channel, serial(at_ms), kind, at_ms, body))

    for at_ms in range(9_000, 12_000, 500):
        for channel in ("kept:b", "kept:a"):
            keep("app", channel, 0, at_ms, [message(at_ms, f"{channel} {at_ms}")])
        keep("gone", "kept:a", 0, at_ms, [message(at_ms, "of a sandbox")])
    changed = message(11_000, "changed")
    keep("app", "kept:a", 1, 12_000, changed)
    note = Annotation(
        action=AnnotationAction.CREATE, type="seen:total.v1", message_serial=changed.serial
    )
    keep("app", "kept:a", 2, 12_001, note)
    with closing(sqlite3.connect(file)) as database, database:
        database.executescript(FORMER_TABLES)
        database.execute("PRAGMA journal_mode=WAL")
        channels = [("app", "kept:a"), ("app", "kept:b"), ("app", "empty"), ("gone", "kept:a")]
        database.executemany("INSERT INTO channel VALUES (?, ?, 'series')", channels)
        database.executemany("INSERT INTO kept VALUES (?, ?, ?, ?, ?, ?)", rows)
        database.execute("INSERT INTO minute VALUES ('app', 'm', x'80')")
        database.execute("INSERT INTO revoked VALUES ('app', 'clientId', 'ann', 1, 2)")


def shown(channel: Channel) -> list[object]:
    return [one.data for one in channel.history.messages(forwards=True)]


def test_a_file_of_the_former_layout_is_taken_over(tmp_path: Path) -> None:
    file = tmp_path / "edge.db"
    write_former(file)

    async def use() -> None:
        loop = asyncio.get_running_loop()
        store = SqliteStore(file, loop, "app")
        assert [store.has("app", name) for name in ("kept:a", "empty", "kept:c")] == [1, 1, 0]
        assert not store.has("gone", "kept:a")
        one, two = (Channel(name, "new", PERSISTED_MS) for name in ("kept:a", "kept:b"))
        store.revive("app", one, NOW_MS - 1_000)
        store.revive("app", two, NOW_MS - 1_000)
        assert shown(one) == [f"kept:a {at_ms}" for at_ms in range(9_000, 12_000, 500)]
        assert shown(two) == [f"kept:b {at_ms}" for at_ms in range(9_000, 12_000, 500)]
        changed = one.history.find(f"{serial(11_000)}:000")
        assert changed is not None
        assert one.versions.newest(changed).data == "changed"
        assert one.annotations.summary(changed.serial or "") == {"seen:total.v1": {"total": 1}}
        assert one.serial() == serial(12_001)
        one.publish([Message(data="after")], "after", NOW_MS)
        store.forget(NOW_MS)
        await asyncio.sleep(0.05)
        store.close()
        # A second opening finds today's layout.
        store = SqliteStore(file, loop, "app")
        again = Channel("kept:a", "new", PERSISTED_MS)
        store.revive("app", again, NOW_MS)
        assert shown(again) == [f"kept:a {n}" for n in range(10_000, 12_000, 500)] + ["after"]
        assert again.serial() == f"{NOW_MS:014d}-000@series"
        store.close()

    asyncio.run(use())
    with closing(sqlite3.connect(file)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
        assert not tables & {"kept", "former_channel", "kept_at"}
        for table, count in (("minute", 1), ("revoked", 1), ("entry", 4 + 4 + 2 + 1)):
            found = database.execute(f"SELECT count(*) FROM {table}")  # noqa: S608
            assert (table, *found.fetchone()) == (table, count)
