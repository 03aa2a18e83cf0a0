"""Archives: what is written is read back, and any change of it is found."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.archive.archive_file import prove, proved_records, write_archive
from pipelines.archive.archive_folder import archive_files, archive_name, end_of, prove_all
from pipelines.archive.chain import NO_HASH, Footer
from pipelines.errors import ArchiveError
from pipelines.ports import Record
from pipelines.shard.fold import fold
from pipelines.shard.hash import state_hash
from pipelines.topics import JOURNAL
from tests.pipelines.shard.desk import Desk


def journal(bets: int = 6) -> list[Record]:
    """A journal as Kafka holds it: markers of transactions leave gaps in its offsets."""
    desk = Desk().open()
    for number in range(bets):
        desk.bet(f"b{number}")
    return [
        Record(JOURNAL, 3, n + n // 4, 1_700_000_000_000 + n, b"race", value)
        for n, value in enumerate(desk.journal)
    ]


def archive(folder: Path, records: list[Record], first: int = 0, previous: str = NO_HASH) -> Path:
    file = folder / archive_name(3, first)
    write_archive(file, 3, first, previous, iter(records))
    return file


def lines_of(file: Path) -> list[bytes]:
    return gzip.decompress(file.read_bytes()).splitlines(keepends=True)


def rewrite(file: Path, lines: list[bytes]) -> None:
    file.write_bytes(gzip.compress(b"".join(lines)))


def test_what_is_written_is_read_back_and_folds_to_the_same_state(tmp_path: Path) -> None:
    records = journal()
    file = archive(tmp_path, records)
    back = [one for one in proved_records(file) if isinstance(one, Record)]
    assert back == records
    wanted = state_hash(fold(3, [one.value or b"" for one in records]))
    assert state_hash(fold(3, [one.value or b"" for one in back])) == wanted
    assert prove(file).footer.records == len(records)


def test_a_reader_finds_the_words_in_it(tmp_path: Path) -> None:
    file = archive(tmp_path, journal())
    found = [json.loads(line) for line in lines_of(file)]
    assert [line["line"] for line in found] == ["header", *["record"] * 8, "footer"]
    assert found[3]["entry"]["type"] == "bet_accepted"
    assert found[3]["entry"]["stake_minor"] == 1_000


@given(data=st.data())
def test_any_changed_byte_is_found(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    file = archive(tmp_path_factory.mktemp("archive"), journal(3))
    whole = bytearray(gzip.decompress(file.read_bytes()))
    at = data.draw(st.integers(0, len(whole) - 1))
    was = whole[at]
    whole[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != was))
    file.write_bytes(gzip.compress(bytes(whole)))
    with pytest.raises(ArchiveError):
        prove(file)


@pytest.mark.parametrize("what", ["left out", "doubled", "moved", "footer", "cut", "more"])
def test_lines_that_are_not_where_they_were_are_found(tmp_path: Path, what: str) -> None:
    file = archive(tmp_path, journal())
    lines = lines_of(file)
    changed = {
        "left out": lines[:3] + lines[4:],
        "doubled": [*lines[:4], *lines[3:]],
        "moved": [*lines[:3], lines[4], lines[3], *lines[5:]],
        "footer": lines[:-1],
        "cut": [*lines[:-1], lines[-1][:20]],
        "more": [*lines, lines[1]],
    }[what]
    rewrite(file, changed)
    with pytest.raises(ArchiveError, match=r"line \d+"):
        prove(file)


def test_a_file_that_is_cut_in_its_compression_is_found(tmp_path: Path) -> None:
    file = archive(tmp_path, journal())
    file.write_bytes(file.read_bytes()[:-30])
    with pytest.raises(ArchiveError):
        prove(file)


def test_a_journal_with_an_entry_missing_is_found(tmp_path: Path) -> None:
    records = journal()
    file = archive(tmp_path, records[:3] + records[4:])
    with pytest.raises(ArchiveError, match="entry 5 follows entry 3"):
        prove(file)


def test_files_continue_each_other(tmp_path: Path) -> None:
    records = journal(12)
    first = archive(tmp_path, records[:5])
    end = end_of([first], 0)
    second = archive(tmp_path, records[5:], end.next_offset, end.hash)
    assert archive_files(tmp_path) == {3: [first, second]}
    assert [one.footer.records for one in prove_all([first, second])] == [5, 9]
    with pytest.raises(ArchiveError, match="does not continue"):
        prove_all([second, first])


def test_a_file_of_another_chain_does_not_continue_it(tmp_path: Path) -> None:
    records = journal(12)
    first = archive(tmp_path, records[:5])
    other = archive(tmp_path, records[5:], end_of([first], 0).next_offset)
    with pytest.raises(ArchiveError, match="does not continue"):
        prove_all([first, other])


def test_nothing_is_written_over_and_nothing_half_is_left(tmp_path: Path) -> None:
    file = archive(tmp_path, journal())
    with pytest.raises(ArchiveError, match="exists"):
        archive(tmp_path, journal())
    bad = [Record(JOURNAL, 3, 0, 0, b"", b"no journal record")]
    with pytest.raises(ArchiveError, match="record 0"):
        archive(tmp_path, bad, 99)
    assert list(tmp_path.iterdir()) == [file]


def test_the_footer_says_where_the_next_file_begins(tmp_path: Path) -> None:
    records = journal()
    footer = write_archive(tmp_path / "a", 3, 0, NO_HASH, records)
    assert isinstance(footer, Footer)
    assert footer.next_offset == records[-1].offset + 1


def test_an_entry_missing_between_two_files_is_found(tmp_path: Path) -> None:
    records = journal(12)
    first = archive(tmp_path, records[:5])
    end = end_of([first], 0)
    with pytest.raises(ArchiveError, match="is entry 7, and the archive ends with 5"):
        write_archive(tmp_path / "x", 3, end.next_offset, end.hash, records[6:], end.entry)
    second = archive(tmp_path, records[6:], end.next_offset, end.hash)
    with pytest.raises(ArchiveError, match="begins with entry 7 after 5"):
        prove_all([first, second])
