"""Kafka that asks for a name and a password: clients have them from a file, or are not let in."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from deploy.local.broker import FAST_START, Broker
from deploy.local.topics import ensure_topics
from pipelines.errors import BrokerError, SettingsError
from pipelines.kafka.client_config import VARIABLE, kafka_address
from pipelines.kafka.single_records import SingleRecords, WholeRecord
from pipelines.kafka.topic_reader import TopicReader
from pipelines.topics import EVENTS

JAAS = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_overround="right";'


class GuardedBroker(Broker):
    """A broker with a second listener that asks for a name and a password."""

    guarded = 0

    def _write_configuration(self) -> None:
        super()._write_configuration()
        file = self.data_dir / "server.properties"
        lines = []
        for line in file.read_text().splitlines():
            name = line.partition("=")[0]
            if name in ("listeners", "advertised.listeners"):
                line += f",GUARDED://127.0.0.1:{self.guarded}"
            elif name == "listener.security.protocol.map":
                line += ",GUARDED:SASL_PLAINTEXT"
            lines.append(line)
        lines += [
            "listener.name.guarded.sasl.enabled.mechanisms=PLAIN",
            f"listener.name.guarded.plain.sasl.jaas.config={JAAS}",
        ]
        file.write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def guarded(free_ports: Callable[[int], list[int]]) -> Iterator[str]:
    """Address of the guarded listener."""
    port, controller, guarded_port = free_ports(3)
    folder = Path(tempfile.mkdtemp(prefix="overround-kafka-"))
    broker = GuardedBroker(folder, port, controller, 256, FAST_START)
    broker.guarded = guarded_port
    try:
        with broker:
            yield f"127.0.0.1:{guarded_port}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def properties(folder: Path, password: str) -> str:
    file = folder / f"{password}.properties"
    file.write_text(
        "# how to get in\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\n"
        f"sasl.username=overround\nsasl.password = {password}\n"
    )
    return str(file)


@pytest.mark.kafka
@pytest.mark.slow
def test_with_the_right_password_it_works(
    guarded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, properties(tmp_path, "right"))
    assert ensure_topics(guarded, 1, 1)
    records = SingleRecords(guarded)
    reader = TopicReader(guarded, EVENTS)
    try:
        records.send([WholeRecord(EVENTS, 0, b"race", b"{}", ())])
        assert [one.value for one in reader.read(0, reader.bounds(0))] == [b"{}"]
    finally:
        records.close()
        reader.close()


@pytest.mark.kafka
@pytest.mark.slow
def test_with_a_wrong_one_nobody_is_let_in(
    guarded: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, properties(tmp_path, "wrong"))
    reader = TopicReader(guarded, EVENTS)
    try:
        with pytest.raises(BrokerError, match="does not answer"):
            reader.partitions()
    finally:
        reader.close()


def test_without_the_variable_an_address_is_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert kafka_address("a:1") == {"bootstrap.servers": "a:1"}
    AdminClient(kafka_address("127.0.0.1:1"))


@pytest.mark.parametrize("line", ["enable.idempotence=false", "acks=0", "security.protocol", "x"])
def test_nothing_else_may_be_set(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "odd.properties"
    file.write_text(f"security.protocol=SSL\n{line}\n")
    monkeypatch.setenv(VARIABLE, str(file))
    with pytest.raises(SettingsError, match="line 2"):
        kafka_address("a:1")


def test_a_file_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none"))
    with pytest.raises(SettingsError, match="could not be read"):
        kafka_address("a:1")
