"""Entries of all persisted channels in the order in which they were written.

An entry goes to the end of its table and names the entry before it of its channel, so a round of
the event loop fills pages one after another, however many channels it concerns. Where a channel's
newest entry is stands in memory; the file is told of it now and then, and what was written since
then is read once at opening.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from deploy.edge.store_layout import INSERT_ENTRY

__all__ = ["Kept", "MessageLog"]

NOTED_CHANNELS_MAX: Final = 5_000  # of one call
FORGOTTEN_MAX: Final = 2_000  # entries of one call
FORGOTTEN_BYTES_MAX: Final = 2 * 1_048_576  # of one call; long ones lie on many pages each


class Kept(NamedTuple):
    """One entry: its place in the channel, what it is, and its encoded content."""

    serial: str
    kind: int
    at_ms: int
    body: bytes


class MessageLog:
    """Entries of channels by number; used by the thread of the database."""

    def __init__(self, database: sqlite3.Connection) -> None:
        """Look for entries that the file was not told of."""
        self._database = database
        self._noted: int
        (self._noted,) = database.execute("SELECT entry FROM noted").fetchone()
        self._last = self._noted
        #: By channel, where not noted yet; and those that are being noted, part by part.
        self._newest: dict[int, int] = {}
        self._noting: dict[int, int] = {}
        self._noting_up_to = 0
        for entry, number in database.execute(
            "SELECT id, channel FROM entry WHERE id > ? ORDER BY id", (self._noted,)
        ):
            self._newest[number] = self._last = entry

    def add_channel(self, app_id: str, name: str, series: str) -> int:
        """Return the number of a channel that is new here. Raises sqlite3.Error."""
        with self._database:
            made = self._database.execute(
                "INSERT INTO channel (app, name, series) VALUES (?, ?, ?)", (app_id, name, series)
            )
        assert made.lastrowid is not None
        return made.lastrowid

    def append(self, given: Sequence[tuple[int, Kept]]) -> None:
        """Write entries, all or none. Raises sqlite3.Error."""
        newest: dict[int, int] = {}
        rows = []
        for entry, (number, kept) in enumerate(given, self._last + 1):
            before = newest.get(number) or self._newest_of(number)
            rows.append((entry, number, before, *kept))
            newest[number] = entry
        with self._database:
            self._database.executemany(INSERT_ENTRY, rows)
        self._newest |= newest
        self._last += len(rows)

    def newest_first(self, number: int) -> Iterator[Kept]:
        """Yield a channel's entries, the newest first, up to those that are forgotten."""
        entry = self._newest_of(number)
        while entry:
            found = self._database.execute(
                "SELECT before, serial, kind, at_ms, body FROM entry WHERE id = ?", (entry,)
            ).fetchone()
            if found is None:
                return
            entry = found[0]
            yield Kept(*found[1:])

    def _newest_of(self, number: int) -> int:
        known = self._newest.get(number) or self._noting.get(number)
        if known is not None:
            return known
        entry: int
        (entry,) = self._database.execute(
            "SELECT newest FROM channel WHERE number = ?", (number,)
        ).fetchone()
        return entry

    @property
    def is_noted(self) -> bool:
        """Whether the file was told of the newest entries of all channels."""
        return self._noted == self._last

    def note(self) -> None:
        """Tell the file of the newest entries, of so many channels a call. Raises sqlite3.Error."""
        if not self._noting:
            if self.is_noted:
                return
            self._noting, self._newest = self._newest, {}
            self._noting_up_to = self._last
        part = sorted(self._noting)[:NOTED_CHANNELS_MAX]
        is_end = len(part) == len(self._noting)
        with self._database:
            self._database.executemany(
                "UPDATE channel SET newest = ? WHERE number = ?",
                [(self._noting[number], number) for number in part],
            )
            if is_end:
                self._database.execute("UPDATE noted SET entry = ?", (self._noting_up_to,))
        for number in part:
            del self._noting[number]
        if is_end:
            self._noted = self._noting_up_to

    def forget(self, before_ms: int) -> bool:
        """Delete the oldest entries, so many a call; returns whether more are to be deleted.

        Only what the file was told of goes, so that no number of an entry is ever used again: a
        chain that leads to a forgotten entry ends there. Raises sqlite3.Error.
        """
        oldest = self._database.execute(
            "SELECT id, at_ms, length(body) FROM entry WHERE id <= ? ORDER BY id LIMIT ?",
            (self._noted, FORGOTTEN_MAX),
        )
        size = seen = last_old = 0
        for seen, at_ms, body_size in oldest:
            if at_ms < before_ms:
                last_old = seen  # those before it too, should the clock have been put back
            size += body_size
            if size > FORGOTTEN_BYTES_MAX:
                break
        oldest.close()
        if last_old:
            with self._database:
                self._database.execute("DELETE FROM entry WHERE id <= ?", (last_old,))
        return 0 < last_old == seen
