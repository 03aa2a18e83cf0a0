"""The local broker: it starts, keeps what it took, and leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from deploy.local import java
from deploy.local.broker import FAST_START, Broker
from deploy.local.topics import ensure_topics
from pipelines.errors import StackError
from pipelines.topics import BETS

pytestmark = pytest.mark.kafka

FreePorts = Callable[[int], list[int]]


def _port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return condition()


def _small_broker(data_dir: Path, free_ports: FreePorts) -> Broker:
    port, controller_port = free_ports(2)
    return Broker(data_dir, port, controller_port, 256, FAST_START)


def _produce(address: str, value: bytes) -> None:
    producer = Producer({"bootstrap.servers": address, "acks": "all"})
    producer.produce(BETS, value, partition=0)
    assert producer.flush(20) == 0


def _end(consumer: Consumer, partition: TopicPartition) -> int:
    """End of the log, once the broker leads the partition again after a kill."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return consumer.get_watermark_offsets(partition, timeout=10)[1]
        except KafkaException as error:
            leaderless = error.args[0].code() == KafkaError.NOT_LEADER_FOR_PARTITION
            if not leaderless or time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _values(address: str) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": address, "group.id": "test"})
    partition = TopicPartition(BETS, 0, 0)
    try:
        end = _end(consumer, partition)
        consumer.assign([partition])
        records = consumer.consume(end, timeout=20)
        return [record.value() or b"" for record in records]
    finally:
        consumer.close()


@pytest.mark.slow
def test_it_keeps_its_data_over_a_stop_and_a_kill_and_frees_its_ports(
    tmp_path: Path, free_ports: FreePorts
) -> None:
    first = _small_broker(tmp_path, free_ports)
    with first:
        pid = first.pid
        assert pid is not None
        ensure_topics(first.bootstrap_servers, 1, 1)
        _produce(first.bootstrap_servers, b"one")
        listening = {
            connection.laddr.ip
            for connection in psutil.Process(pid).net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        }
        # A listener on an IPv4 address shows as mapped into IPv6.
        assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
    assert not psutil.pid_exists(pid)
    assert first.pid is None
    assert _port_is_free(first.port)
    assert _port_is_free(first.controller_port)

    with _small_broker(tmp_path, free_ports) as second:
        assert _values(second.bootstrap_servers) == [b"one"]
        _produce(second.bootstrap_servers, b"two")
        assert second.pid is not None
        os.kill(second.pid, signal.SIGKILL)
        assert _wait_until(lambda: not second.alive, 10)
        second.start()
        assert _values(second.bootstrap_servers) == [b"one", b"two"]


def test_it_dies_with_a_parent_that_is_killed(tmp_path: Path, free_ports: FreePorts) -> None:
    port, controller_port = free_ports(2)
    script = (
        "import sys, time; from pathlib import Path; from deploy.local.broker import Broker\n"
        f"broker = Broker(Path({str(tmp_path)!r}), {port}, {controller_port}, heap_mib=256)\n"
        "broker.start(); print(broker.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    ) as parent:
        try:
            assert parent.stdout is not None
            broker_pid = int(parent.stdout.readline())
            assert psutil.pid_exists(broker_pid)
        finally:
            parent.kill()
    assert _wait_until(lambda: not _runs(broker_pid), 10)
    # The last of its threads may end a little after the first.
    assert _wait_until(lambda: _port_is_free(port), 10)


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_a_port_in_use_is_an_error_with_kafkas_own_words(
    tmp_path: Path, free_ports: FreePorts
) -> None:
    port, controller_port = free_ports(2)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        broker = Broker(tmp_path, port, controller_port, heap_mib=256)
        with pytest.raises(StackError, match=f"{port}"):
            broker.start(timeout_s=20)
    assert not broker.alive
    assert _port_is_free(controller_port)


def test_without_java_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java, "_candidates", lambda: [Path("/nonexistent/java")])
    with pytest.raises(StackError, match=r"no Java 17 or newer.*pip install"):
        java.find_java()
