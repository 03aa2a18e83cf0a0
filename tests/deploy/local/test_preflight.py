"""Preflight: each problem is found on the real machine, and names what to do."""

import os
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local import java, preflight
from deploy.local.lockfile import StackFile, StackInfo
from pipelines.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, free_ports: Callable[[int], list[int]]) -> Settings:
    kafka, controller, edge, dashboard, metrics = free_ports(5)
    return Settings(
        data_dir=str(tmp_path / "data" / "below"),
        kafka_port=kafka,
        kafka_controller_port=controller,
        edge_port=edge,
        ray_dashboard_port=dashboard,
        metrics_port=metrics,
    ).validated()


def test_a_machine_that_can_has_no_problems(settings: Settings) -> None:
    assert preflight.port_problems(preflight.ports_needed(settings)) == []
    assert preflight.java_problems() == []
    assert not Path(settings.data_dir).exists(), "a check leaves nothing behind"


def test_a_port_in_use_names_its_user_and_the_setting(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", settings.edge_port))
        taken.listen()
        (problem,) = [
            problem for problem in preflight.find_problems(settings) if "port" in problem.what
        ]
    assert f"port {settings.edge_port} (edge_port) is in use by " in problem.what
    assert f"(pid {os.getpid()})" in problem.what
    assert "OVERROUND_EDGE_PORT" in str(problem)


def test_ports_of_parts_that_run_elsewhere_are_not_needed(settings: Settings) -> None:
    elsewhere = replace(
        settings,
        kafka_bootstrap_servers="kafka:9092",
        ably_api_key="app.key:secret",
        ray_address="ray://cluster:10001",
    )
    assert preflight.ports_needed(elsewhere) == {"metrics_port": settings.metrics_port}


def test_too_little_memory_is_a_problem_with_numbers() -> None:
    assert preflight.memory_problems(preflight.MEMORY_NEEDED_BYTES) == []
    (problem,) = preflight.memory_problems(1_048_576 * 100)
    assert problem.what == "100 MiB of memory are available, 3072 MiB are needed"


def test_a_file_in_place_of_the_folder_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (problem,) = preflight.folder_problems(tmp_path / "file" / "data")
    assert "is not a folder" in problem.what
    assert "OVERROUND_DATA_DIR" in problem.remedy


def test_a_folder_that_cannot_be_written_is_a_problem() -> None:
    # /proc refuses new files to everybody, the administrator too.
    (problem,) = preflight.folder_problems(Path("/proc"))
    assert "cannot be written" in problem.what


def test_a_full_disk_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "DISK_NEEDED_BYTES", 2**62)
    (problem,) = preflight.folder_problems(tmp_path)
    assert "MiB are free in" in problem.what
    assert list(tmp_path.iterdir()) == []


def test_no_java_is_a_problem_only_where_the_broker_is_ours(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(java, "_candidates", list)
    assert any("no Java" in problem.what for problem in preflight.find_problems(settings))
    elsewhere = replace(settings, kafka_bootstrap_servers="kafka:9092")
    assert not any("Java" in problem.what for problem in preflight.find_problems(elsewhere))


def test_a_running_stack_is_the_only_problem_told(settings: Settings) -> None:
    info = StackInfo(os.getpid(), "", "", "", "", "", settings.metrics_port, "", 6)
    StackFile.write(Path(settings.data_dir), info)
    (problem,) = preflight.find_problems(settings)
    assert f"process {os.getpid()}" in problem.what
