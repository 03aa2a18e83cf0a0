"""Journals of earlier programs restore in this one; one of a later program is refused unharmed."""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from pipelines.archive.archive_file import proved_records
from pipelines.clock import SystemClock
from pipelines.errors import CodecError
from pipelines.kafka.shard_log import KafkaShardLog
from pipelines.kafka.topic_reader import TopicReader
from pipelines.ports import Record
from pipelines.settings import Settings
from pipelines.shard.fold import fold
from pipelines.shard_loop import ShardLoop
from pipelines.topics import CO_PARTITIONED, JOURNAL
from tests.pipelines.audit.test_audit_kafka import Desk, Silent
from tests.pipelines.earlier_journal import FOLDER, VERSIONS, facts, files
from tests.pipelines.shard.desk import Desk as PureDesk

CASES = [(version, name) for version in VERSIONS for name in files(version)]


def values(file: Path) -> list[bytes]:
    return [one.value or b"" for one in proved_records(file) if isinstance(one, Record)]


@pytest.mark.parametrize(("version", "name"), CASES)
def test_a_journal_of_an_earlier_program_comes_to_what_it_came_to_then(
    version: int, name: str
) -> None:
    said = json.loads((FOLDER / VERSIONS[version] / "facts.json").read_text())[name]
    found = facts(fold(0, values(files(version)[name])))
    assert json.loads(json.dumps(found)) == said


def test_something_of_everything_is_kept() -> None:
    assert len(CASES) >= 12
    said = json.loads((FOLDER / VERSIONS[1] / "facts.json").read_text())
    statuses = {
        bet[0]
        for one in said.values()
        for event in one.values()
        for bet in event["bets"].values()
    }  # fmt: skip
    assert statuses >= {"accepted", "won", "lost", "void", "lapsed", "cancelled"}


@pytest.mark.kafka
def test_a_journal_of_a_later_program_is_refused_before_anything_is_written(
    fresh_topics: Callable[[int], str], tmp_path: Path
) -> None:
    servers = fresh_topics(1)
    pure = PureDesk().open()
    pure.bet("b1")
    later = msgspec.msgpack.decode(pure.journal[-1])
    later[0] = 2
    desk = Desk(servers)
    for value in (*pure.journal[:-1], msgspec.msgpack.encode(later)):
        desk.forge(JOURNAL, 0, b"race", value)
    before = ends(servers)
    settings = Settings(kafka_bootstrap_servers=servers, data_dir=str(tmp_path), partitions=1)
    loop = ShardLoop(0, KafkaShardLog(settings, 0), SystemClock(), settings, Silent())
    with pytest.raises(CodecError, match=r"journal of partition 0 after record 2.*\$\[0\]"):
        loop.run()
    assert loop.status()["state"] == "failed"
    assert ends(servers) == before


def ends(servers: str) -> dict[str, int]:
    """Records of each topic; markers of transactions, which fencing may write, are none."""
    found = {}
    for topic in CO_PARTITIONED:
        reader = TopicReader(servers, topic)
        try:
            found[topic] = sum(1 for _ in reader.read(0, reader.bounds(0)))
        finally:
            reader.close()
    return found
