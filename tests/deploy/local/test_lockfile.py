"""The stack file: one live stack per folder, stale files found, nothing half written."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.lockfile import StackFile, StackInfo
from pipelines.errors import StackError

INFO = StackInfo(
    pid=os.getpid(),
    kafka_bootstrap_servers="127.0.0.1:19092",
    edge_url="http://127.0.0.1:8880",
    edge_api_key_file="edge.key",
    ray_address="127.0.0.1:6379",
    ray_namespace="overround",
    metrics_port=9464,
    dashboard_url="http://127.0.0.1:8265",
    partitions=6,
    ray_token_file="ray-token",
)


def test_what_was_written_is_read_until_it_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    assert StackFile.read(folder) is None
    StackFile.write(folder, INFO)
    StackFile.write(folder, replace(INFO, partitions=3))
    assert StackFile.read(folder) == replace(INFO, partitions=3)
    assert [file.name for file in folder.iterdir()] == ["stack.json"]
    StackFile.remove(folder)
    assert StackFile.read(folder) is None
    StackFile.remove(folder)


def test_a_live_stack_of_another_process_is_neither_replaced_nor_removed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        try:
            StackFile.write(tmp_path, replace(INFO, pid=other.pid))
            with pytest.raises(StackError, match=f"process {other.pid}.*kill {other.pid}"):
                StackFile.write(tmp_path, INFO)
            StackFile.remove(tmp_path)
            found = StackFile.read(tmp_path)
            assert found is not None
            assert found.pid == other.pid
        finally:
            other.kill()
    assert StackFile.read(tmp_path) is None, "its process is gone, the file is stale"
    StackFile.write(tmp_path, INFO)
    assert StackFile.read(tmp_path) == INFO


def test_a_process_id_that_was_given_to_another_process_is_stale(tmp_path: Path) -> None:
    StackFile.write(tmp_path, INFO)
    file = StackFile.path(tmp_path)
    content = json.loads(file.read_text())
    content["process_started_s"] -= 3600
    file.write_text(json.dumps(content))
    assert StackFile.read(tmp_path) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"{}",
        b'{"pid": 1}',
        b'{"process_started_s": 1.0}',
    ],
)
def test_a_damaged_file_is_no_stack(tmp_path: Path, content: bytes) -> None:
    StackFile.path(tmp_path).write_bytes(content)
    assert StackFile.read(tmp_path) is None
    StackFile.write(tmp_path, INFO)
    assert StackFile.read(tmp_path) == INFO


def test_wrong_types_are_no_stack(tmp_path: Path) -> None:
    StackFile.write(tmp_path, INFO)
    file = StackFile.path(tmp_path)
    for field, value in (("pid", "12"), ("partitions", None), ("edge_url", 5), ("pid", 10**30)):
        content = json.loads(file.read_text())
        content[field] = value
        file.write_text(json.dumps(content))
        assert StackFile.read(tmp_path) is None
        StackFile.write(tmp_path, INFO)


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    StackFile.write(tmp_path, INFO)
    stop = threading.Event()

    def rewrite() -> None:
        while not stop.is_set():
            StackFile.write(tmp_path, INFO)

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        assert all(StackFile.read(tmp_path) == INFO for _ in range(300))
    finally:
        stop.set()
        writer.join()
