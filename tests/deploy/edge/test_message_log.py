"""Entries of persisted channels: found again after a crash, deleted in slices, never mixed up."""

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from deploy.edge import checkpoints, history, message_log, store
from deploy.edge.bounds import PERSISTED_MS
from deploy.edge.channel import Channel
from deploy.edge.message_log import Kept, MessageLog
from deploy.edge.published import when_kept
from deploy.edge.store import SqliteStore
from deploy.edge.store_layout import open_file
from deploy.edge.wire import Message


@contextmanager
def opened(file: Path) -> Iterator[MessageLog]:
    with closing(open_file(file, "app")) as database:
        yield MessageLog(database)


def put(log: MessageLog, *given: tuple[int, int]) -> None:
    """Append one entry for each channel number and time."""
    entries = [(number, Kept(f"{at_ms:014d}-000@s", 0, at_ms, b"x")) for number, at_ms in given]
    log.append(entries)


def times(log: MessageLog, number: int) -> list[int]:
    return [kept.at_ms for kept in log.newest_first(number)]


def crashed(file: Path, name: str) -> Path:
    """Return a copy of the file as a kill would leave it now, with its log."""
    copy = file.with_name(name)
    for suffix in ("", "-wal"):
        shutil.copy(f"{file}{suffix}", f"{copy}{suffix}")
    return copy


def rows(file: Path) -> int:
    with closing(sqlite3.connect(file)) as database:
        (found,) = database.execute("SELECT count(*) FROM entry").fetchone()
    return int(found)


def test_entries_that_the_file_was_not_told_of_are_found_at_opening(tmp_path: Path) -> None:
    file = tmp_path / "edge.db"
    with opened(file) as log:
        one, two, three = (log.add_channel("app", name, "s") for name in "abc")
        put(log, (one, 1), (two, 2), (one, 3))
        log.note()
        assert log.is_noted
        put(log, (two, 4), (three, 5), (two, 6))
        assert not log.is_noted
        copy = crashed(file, "killed.db")
    with opened(copy) as log:
        assert [times(log, number) for number in (one, two, three)] == [[3, 1], [6, 4, 2], [5]]
        put(log, (one, 7))
        assert times(log, one) == [7, 3, 1]


def test_a_crash_while_the_file_is_told_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_log, "NOTED_CHANNELS_MAX", 2)
    file = tmp_path / "edge.db"
    expected: dict[int, list[int]] = {}
    with opened(file) as log:
        numbers = [log.add_channel("app", str(name), "s") for name in range(5)]
        copies = []
        for step in range(8):
            # The file is told of two channels a step, and all of them get more meanwhile.
            put(log, *((number, step * 10 + number) for number in numbers))
            log.note()
            expected = {n: [s * 10 + n for s in reversed(range(step + 1))] for n in numbers}
            assert {number: times(log, number) for number in numbers} == expected
            copies.append((crashed(file, f"{step}.db"), expected))
    for copy, expected in copies:
        with opened(copy) as log:
            assert {number: times(log, number) for number in numbers} == expected


def test_what_could_not_be_written_does_not_cut_off_what_was(tmp_path: Path) -> None:
    with opened(tmp_path / "edge.db") as log:
        number = log.add_channel("app", "a", "s")
        put(log, (number, 1))
        broken = Kept("s", 0, 2, None)  # type: ignore[arg-type]
        with pytest.raises(sqlite3.IntegrityError):
            log.append([(number, Kept("r", 0, 2, b"")), (number, broken)])
        put(log, (number, 3))
        assert times(log, number) == [3, 1]


def test_numbers_of_forgotten_entries_are_not_used_again(tmp_path: Path) -> None:
    file = tmp_path / "edge.db"
    with opened(file) as log:
        one, two = (log.add_channel("app", name, "s") for name in "ab")
        put(log, (one, 1), (one, 2))
        assert not log.forget(10), "the file was not told of them yet"
        assert times(log, one) == [2, 1]
        log.note()
        log.forget(10)
        assert times(log, one) == []
    with opened(file) as log:
        put(log, (two, 11), (two, 12))
        assert [times(log, number) for number in (one, two)] == [[], [12, 11]]


def test_former_apps_leave_nothing(tmp_path: Path) -> None:
    file = tmp_path / "edge.db"
    with opened(file) as log:
        put(log, (log.add_channel("sandbox", "a", "s"), 1), (log.add_channel("app", "a", "s"), 2))
        copy = crashed(file, "killed.db")
    with opened(copy) as log:
        assert rows(copy) == 1
        number = log.add_channel("app", "b", "s")
        assert times(log, number) == []


def test_old_entries_go_in_slices_and_their_space_is_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_log, "FORGOTTEN_MAX", 100)
    file = tmp_path / "edge.db"
    now_ms = 2 * PERSISTED_MS

    def pages() -> int:
        with closing(sqlite3.connect(file)) as database:
            return int(database.execute("PRAGMA page_count").fetchone()[0])

    async def forget() -> None:
        loop = asyncio.get_running_loop()
        kept = SqliteStore(file, loop, "app")
        channel = Channel("outbound:odds:e1", "s", PERSISTED_MS)
        kept.revive("app", channel, 0)
        for number in range(1_050):
            channel.publish([Message(data=f"{number:0200d}")], f"m{number}", 1_000)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        channel.publish([Message(data="new")], "new", now_ms)
        await asyncio.sleep(0.05)
        assert rows(file) == 1_051
        kept.forget(now_ms)
        assert rows(file) == 951, "one slice, and then others have their turn"
        kept.forget(now_ms)
        assert rows(file) == 951, "nor is it hurried"
        before = pages()
        async with asyncio.timeout(10):
            while rows(file) > 1:  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(0.02)
        for number in range(1_000):
            channel.publish([Message(data=f"{number:0200d}")], f"n{number}", now_ms)
        await asyncio.sleep(0.05)
        assert rows(file) == 1_001
        assert pages() <= before + 5
        again = Channel("outbound:odds:e1", "t", PERSISTED_MS)
        kept.revive("app", again, now_ms)
        assert len(again.history) == 1_001
        kept.close()

    asyncio.run(forget())


def test_no_more_is_read_than_a_history_holds_and_a_gap_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "HISTORY_ENTRIES_MAX", 5)
    monkeypatch.setattr(history, "HISTORY_ENTRIES_MAX", 5)

    async def revive() -> None:
        kept = SqliteStore(tmp_path / "edge.db", asyncio.get_running_loop(), "app")
        channel = Channel("outbound:odds:e1", "s", 120_000)
        kept.revive("app", channel, 0)
        serials = [
            channel.publish([Message(data=str(n))], f"m{n}", 1_000 * n).channel_serial
            for n in range(1, 9)
        ]
        again = Channel("outbound:odds:e1", "t", 120_000)
        kept.revive("app", again, 8_000)
        assert [one.data for one in again.history.messages(forwards=True)] == list("45678")
        assert again.resume(serials[1]) is None
        assert len(again.resume(serials[2]) or []) == 5
        assert again.serial() == serials[-1]
        late = Channel("outbound:odds:e1", "t", 120_000)
        kept.revive("app", late, 7_500 + 120_000)
        assert [one.data for one in late.history.messages(forwards=True)] == ["8"]
        assert late.resume(serials[5]) is None
        gone = Channel("outbound:odds:e1", "t", 120_000)
        kept.revive("app", gone, 500_000)
        assert len(gone.history) == 0
        assert gone.serial() == serials[-1], "places go on where they were"
        kept.close()

    asyncio.run(revive())


def test_the_log_stays_short_while_commits_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "CHECKPOINT_BYTES", 100_000)
    file = tmp_path / "edge.db"

    async def publish() -> int:
        kept = SqliteStore(file, asyncio.get_running_loop(), "app")
        channel = Channel("outbound:odds:e1", "s", PERSISTED_MS)
        kept.revive("app", channel, 0)
        log = file.with_name("edge.db-wal")
        count = 0
        # How much is written during a checkpoint depends on the disk; that it begins anew does not.
        async with asyncio.timeout(60):
            while count < 200 or count * 10_000 < 3 * log.stat().st_size:
                channel.publish([Message(data="x" * 10_000)], f"m{count}", 1_000)
                count += 1
                told = asyncio.Event()
                when_kept(channel.keeper, told.set)
                await told.wait()
        channel.publish([Message(data="last")], "last", 1_000)
        kept.close()
        return count + 1

    assert asyncio.run(publish()) == rows(file)
