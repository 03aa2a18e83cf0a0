"""What comes after an import is never taken for what an archive lacks."""

from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Producer

from deploy.journal import export_journal, import_journal
from pipelines.archive.archive_file import proved_records
from pipelines.archive.archive_folder import archive_files
from pipelines.errors import ArchiveError
from pipelines.ports import Record
from pipelines.topics import JOURNAL
from tests.pipelines.shard.desk import Desk as PureDesk

pytestmark = pytest.mark.kafka

AT_MS = 1_700_000_000_000
WAIT_S = 30.0


def archived(folder: Path) -> list[tuple[bytes | None, bytes | None, int]]:
    return [
        (one.key, one.value, one.timestamp_ms)
        for file in archive_files(folder)[0]
        for one in proved_records(file)
        if isinstance(one, Record)
    ]


def test_a_restored_journal_goes_on_in_another_archive(
    fresh_topics: Callable[[int], str], tmp_path: Path
) -> None:
    servers = fresh_topics(1)
    desk = PureDesk().open()
    for number in range(60):
        desk.bet(f"b{number}")
    shard = Producer({"bootstrap.servers": servers, "transactional.id": "test-journal-0"})
    shard.init_transactions(WAIT_S)
    for number, value in enumerate(desk.journal[:20]):
        shard.begin_transaction()
        shard.produce(JOURNAL, value, b"race", partition=0, timestamp=AT_MS + number)
        shard.commit_transaction(WAIT_S)
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    new.mkdir()
    list(export_journal(servers, old))
    kept = archived(old)

    assert fresh_topics(1) == servers
    list(import_journal(servers, old))
    with pytest.raises(ArchiveError, match="another journal"):
        list(export_journal(servers, old))
    list(export_journal(servers, new))
    assert archived(new) == kept
    assert [one[2] for one in kept] == [AT_MS + number for number in range(20)]

    later = Producer({"bootstrap.servers": servers, "enable.idempotence": True})
    for value in desk.journal[20:]:
        later.produce(JOURNAL, value, b"race", partition=0)
    assert later.flush(WAIT_S) == 0
    with pytest.raises(ArchiveError, match="another journal"):
        list(export_journal(servers, old))
    assert archived(old) == kept
    list(export_journal(servers, new))
    assert [one[1] for one in archived(new)] == desk.journal
