"""The journal leaves a real broker, is proved, and comes back to the same states."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from deploy.audit import run_audit
from deploy.journal import export_journal, import_journal
from pipelines.archive.archive_file import proved_records
from pipelines.archive.archive_folder import archive_files, prove_all
from pipelines.errors import ArchiveError
from pipelines.kafka.topic_reader import TopicReader
from pipelines.ports import Record
from pipelines.settings import Settings
from pipelines.shard.fold import fold
from pipelines.shard.hash import state_hash
from pipelines.topics import JOURNAL
from tests.pipelines.audit.test_audit_kafka import PARTITIONS, Desk, Shards, wait

pytestmark = pytest.mark.kafka


def read(servers: str, partition: int) -> list[bytes]:
    reader = TopicReader(servers, JOURNAL)
    try:
        bounds = reader.bounds(partition)
        return [one.value or b"" for one in reader.read(partition, bounds)]
    finally:
        reader.close()


def test_out_and_back_to_the_same_states(
    fresh_topics: Callable[[int], str], tmp_path: Path
) -> None:
    servers = fresh_topics(PARTITIONS)
    settings = Settings(
        kafka_bootstrap_servers=servers, data_dir=str(tmp_path), partitions=PARTITIONS,
        transaction_records_max=20,
    )  # fmt: skip
    folder = tmp_path / "archive"
    folder.mkdir()
    desk, shards = Desk(servers), Shards(settings)
    try:
        desk.open()
        desk.bet(0, 100)
        wait(lambda: shards.bets() == 100)
        assert len(list(export_journal(servers, folder))) == PARTITIONS
        desk.bet(100, 100)
        desk.settle()
        wait(lambda: run_audit(settings, False, True, shards.ask).holds)
        told = list(export_journal(servers, folder))
        hashes = {p: found for p, (_, found) in shards.ask(PARTITIONS).items()}
    finally:
        shards.stop()
    files = archive_files(folder)
    assert {p: len(of) for p, of in files.items()} == {0: 2, 1: 2}
    last = {p: prove_all(of)[-1].footer.hash for p, of in files.items()}
    assert all(last[p] in line for p, line in enumerate(told))
    archived = {
        p: [x.value or b"" for file in of for x in proved_records(file) if isinstance(x, Record)]
        for p, of in files.items()
    }
    for partition in range(PARTITIONS):
        assert archived[partition] == read(servers, partition)
        assert state_hash(fold(partition, archived[partition])) == hashes[partition]
    assert all("nothing new" in line for line in export_journal(servers, folder))

    assert fresh_topics(PARTITIONS) == servers
    with closing(import_journal(servers, folder)) as importing:
        next(importing)  # interrupted: the first partition is there, the second is not
    assert read(servers, 1) == []
    first, second = import_journal(servers, folder)
    assert first.endswith(f"{len(archived[0]):,} of them were there")
    assert second.endswith(f"{len(archived[1]):,} records")
    for partition in range(PARTITIONS):
        assert read(servers, partition) == archived[partition]
    desk.forge(JOURNAL, 1, b"", archived[1][0])
    desk.flush()
    with pytest.raises(ArchiveError, match="partition 1 of the journal is not empty"):
        list(import_journal(servers, folder))

    file = files[0][0]
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(ArchiveError):
        list(import_journal(servers, folder))
