"""A folder of archive files: which continue which, from each partition's first to its last."""

import re
from pathlib import Path
from typing import Final, NamedTuple

from pipelines.archive.archive_file import Proved, prove
from pipelines.archive.chain import NO_HASH
from pipelines.errors import ArchiveError

__all__ = ["End", "archive_files", "archive_name", "end_of", "prove_all"]

_NAME: Final = re.compile(r"journal-(\d+)-(\d+)\.jsonl\.gz")


class End(NamedTuple):
    """Where a partition's archive ends: the next offset, the last hash and journal number."""

    next_offset: int
    hash: str
    entry: int = 0


def archive_name(partition: int, first_offset: int) -> str:
    """Return the name of a partition's file that begins at an offset."""
    return f"journal-{partition}-{first_offset:020}.jsonl.gz"


def archive_files(folder: Path) -> dict[int, list[Path]]:
    """Return the files of a folder by partition, in the order of their offsets."""
    found: dict[int, list[Path]] = {}
    for file in sorted(folder.glob("journal-*.jsonl.gz")):
        match = _NAME.fullmatch(file.name)
        if match:
            found.setdefault(int(match[1]), []).append(file)
    return dict(sorted(found.items()))


def prove_all(files: list[Path]) -> list[Proved]:
    """Prove the files of one partition, each the next of the one before. Raises ArchiveError."""
    proved: list[Proved] = []
    last_entry = 0
    for file in files:
        one = prove(file)
        if proved:
            header, before = one.header, proved[-1].footer
            if header.partition != proved[-1].header.partition:
                raise ArchiveError(f"{file} is of partition {header.partition}")
            if (header.previous, header.first_offset) != (before.hash, before.next_offset):
                raise ArchiveError(f"{file} does not continue the file before it")
        if last_entry and one.first_entry and one.first_entry != last_entry + 1:
            raise ArchiveError(f"{file} begins with entry {one.first_entry} after {last_entry}")
        last_entry = one.last_entry or last_entry
        proved.append(one)
    return proved


def end_of(files: list[Path], first_offset: int) -> End:
    """Return where the next file begins, proving those that are there. Raises ArchiveError."""
    if not files:
        return End(first_offset, NO_HASH)
    proved = prove_all(files)
    footer = proved[-1].footer
    return End(footer.next_offset, footer.hash, max(one.last_entry for one in proved))
