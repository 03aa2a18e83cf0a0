"""Checks before the local stack starts anything: each problem comes with what to do about it.

Flow: `overround run` and `overround doctor` call `find_problems`; an empty list means go.
"""

import os
import shutil
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from deploy.local.java import find_java
from deploy.local.lockfile import StackFile
from pipelines.errors import StackError
from pipelines.settings import Settings

__all__ = ["Problem", "find_problems"]

MEBIBYTE: Final = 1_048_576
MEMORY_NEEDED_BYTES: Final = 3 * 1024 * MEBIBYTE  # broker 0.4, Ray 0.8, actors, edge, and room
DISK_NEEDED_BYTES: Final = 2 * 1024 * MEBIBYTE
LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, and what to do about it."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}: {self.remedy}"


def find_problems(settings: Settings) -> list[Problem]:
    """Everything that would keep a stack with these settings from starting, all at once.

    Parts that the settings place elsewhere (Kafka, Ably, Ray) are not checked.
    """
    data_dir = Path(settings.data_dir).absolute()
    running = StackFile.read(data_dir)
    if running is not None:
        return [
            Problem(
                f"a stack runs already in {data_dir}, process {running.pid}",
                f"stop it with: kill {running.pid}; or set OVERROUND_DATA_DIR to another folder",
            )
        ]
    problems = [*port_problems(ports_needed(settings)), *folder_problems(data_dir)]
    problems += memory_problems(psutil.virtual_memory().available)
    if not settings.kafka_bootstrap_servers:
        problems += java_problems()
    return problems


def ports_needed(settings: Settings) -> dict[str, int]:
    """The ports that the stack will listen on, by the name of their setting."""
    needed = {"metrics_port": settings.metrics_port}
    if not settings.kafka_bootstrap_servers:
        needed["kafka_port"] = settings.kafka_port
        needed["kafka_controller_port"] = settings.kafka_controller_port
    if not settings.ably_api_key:
        needed["edge_port"] = settings.edge_port
    if not settings.ray_address:
        needed["ray_dashboard_port"] = settings.ray_dashboard_port
    return needed


def port_problems(ports: Mapping[str, int]) -> list[Problem]:
    """The ports that cannot be listened on, with the process that has them where it is known."""
    return [
        Problem(
            f"port {port} ({name}) is in use{_user_of(port)}",
            f"stop that program, or set OVERROUND_{name.upper()} to a free port",
        )
        for name, port in ports.items()
        if not _can_listen(port)
    ]


def memory_problems(available_bytes: int) -> list[Problem]:
    """Whether the memory that is available now is enough."""
    if available_bytes >= MEMORY_NEEDED_BYTES:
        return []
    return [
        Problem(
            f"{available_bytes // MEBIBYTE} MiB of memory are available, "
            f"{MEMORY_NEEDED_BYTES // MEBIBYTE} MiB are needed",
            "close other programs, or set KAFKA_BOOTSTRAP_SERVERS and RAY_ADDRESS "
            "to parts that run elsewhere",
        )
    ]


def folder_problems(data_dir: Path) -> list[Problem]:
    """Whether the data folder can be written and has enough free space."""
    existing = data_dir
    while not existing.exists():
        existing = existing.parent
    remedy = "set OVERROUND_DATA_DIR to a folder that can"
    if not existing.is_dir():
        return [Problem(f"{existing} is not a folder, data cannot be kept there", remedy)]
    try:
        with tempfile.TemporaryFile(dir=existing) as probe:
            probe.write(b"overround")
    except OSError as error:
        return [Problem(f"the folder {existing} cannot be written ({error.strerror})", remedy)]
    free_bytes = shutil.disk_usage(existing).free
    if free_bytes >= DISK_NEEDED_BYTES:
        return []
    return [
        Problem(
            f"{free_bytes // MEBIBYTE} MiB are free in {existing}, "
            f"{DISK_NEEDED_BYTES // MEBIBYTE} MiB are needed",
            "free some space, or set OVERROUND_DATA_DIR to a folder on another disk",
        )
    ]


def java_problems() -> list[Problem]:
    """Whether there is a Java that the broker can run on."""
    try:
        find_java()
    except StackError as error:
        what, _, remedy = error.message.partition(" Install one")
        return [Problem(what.rstrip("."), f"install one{remedy}")]
    return []


def _can_listen(port: int) -> bool:
    with socket.socket() as probe:
        # As servers do: connections of an ended server that linger are no obstacle.
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def _user_of(port: int) -> str:
    try:
        connections = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return ""  # some systems tell only the administrator
    for connection in connections:
        local = connection.laddr
        if connection.status == psutil.CONN_LISTEN and local and local.port == port:
            try:
                name = psutil.Process(connection.pid).name() if connection.pid else ""
            except psutil.Error:
                name = ""
            return f" by {name or 'process'} (pid {connection.pid})" if connection.pid else ""
    return ""
