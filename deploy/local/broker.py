"""A real Apache Kafka broker as a child process: one node, on loopback, with its data in a folder.

Flow: `overround run` and the tests start it > `java.py` finds a runtime, `jars.py` the server >
storage is formatted once > the node runs until it is stopped or its parent dies.
"""

import logging
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from deploy.local.broker_config import LOOPBACK, logging_properties, server_properties
from deploy.local.jars import kafka_class_path
from deploy.local.java import Java, find_java
from deploy.local.processes import Child, log_tail
from pipelines.errors import StackError

__all__ = ["FAST_START", "Broker"]

logger = logging.getLogger(__name__)

FORMAT_TIMEOUT_S: Final = 60.0
START_TIMEOUT_S: Final = 90.0
STOP_WAIT_S: Final = 20.0
LOG_BYTES_MAX: Final = 8 * 1_048_576
#: For programs that do not run long: compiles less, so that other processes have the cores.
FAST_START: Final = ("-XX:TieredStopAtLevel=1",)


class Broker:
    """A Kafka node of its own; data stays in `data_dir` between starts, ports may change."""

    def __init__(
        self,
        data_dir: Path,
        port: int,
        controller_port: int,
        heap_mib: int = 512,
        java_options: Sequence[str] = (),
    ) -> None:
        self.data_dir = Path(data_dir).absolute()
        self.port = port
        self.controller_port = controller_port
        self.heap_mib = heap_mib
        self.java_options = tuple(java_options)
        self.log_file = self.data_dir / "kafka.log"
        self._child: Child | None = None

    @property
    def bootstrap_servers(self) -> str:
        """Address for clients, as `host:port`."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id of the Java process; None when it was not started."""
        return self._child.pid if self._child is not None else None

    @property
    def alive(self) -> bool:
        """Whether the process runs; not whether it answers."""
        return self._child is not None and self._child.alive

    def start(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start the node and return when it answers.

        Raises StackError that carries the end of the log; then nothing is left running.
        """
        if self.alive:
            raise StackError(f"the broker runs already, pid {self.pid}")
        begun = time.monotonic()
        java, class_path = find_java(), kafka_class_path()
        self._write_configuration()
        if not (self.data_dir / "kafka" / "meta.properties").exists():
            self._format_storage(java, class_path)
        output = self.data_dir / "kafka.out"  # what is printed beside the log: crashes of the VM
        self._child = Child("kafka", self._command(java, class_path), output)
        try:
            self._child.start()
            self._wait_until_it_answers(begun + timeout_s)
        except BaseException:
            self.stop()
            raise
        logger.info(
            "broker started address=%s pid=%s seconds=%.1f",
            self.bootstrap_servers,
            self.pid,
            time.monotonic() - begun,
        )

    def stop(self) -> None:
        """Stop the node: TERM, up to 20 s, then KILL. Does nothing when it does not run."""
        if self._child is not None:
            self._child.stop(STOP_WAIT_S)
            self._child = None

    def __enter__(self) -> "Broker":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _write_configuration(self) -> None:
        try:
            self._temporary.mkdir(parents=True, exist_ok=True)
            properties = server_properties(self.data_dir, self.port, self.controller_port)
            (self.data_dir / "server.properties").write_text(properties)
            logging_text = logging_properties(self.log_file, LOG_BYTES_MAX)
            (self.data_dir / "log4j2.properties").write_text(logging_text)
        except OSError as error:
            raise StackError(f"the folder {self.data_dir} cannot be written: {error}") from error

    @property
    def _temporary(self) -> Path:
        return self.data_dir / "tmp"

    def _java(self, java: Java, class_path: str, heap_min_mib: int, heap_max_mib: int) -> list[str]:
        return [
            str(java.program),
            *java.options(),
            f"-Xms{heap_min_mib}m",
            f"-Xmx{heap_max_mib}m",
            "-Djava.awt.headless=true",
            # Native libraries are unpacked there, and stay behind when the process is killed.
            f"-Djava.io.tmpdir={self._temporary}",
            f"-Dlog4j2.configurationFile={self.data_dir / 'log4j2.properties'}",
            "-cp",
            class_path,
        ]

    def _command(self, java: Java, class_path: str) -> list[str]:
        runtime = self._java(java, class_path, min(256, self.heap_mib), self.heap_mib)
        return [
            *runtime,
            *self.java_options,
            "kafka.Kafka",
            str(self.data_dir / "server.properties"),
        ]

    def _format_storage(self, java: Java, class_path: str) -> None:
        tool = ["kafka.tools.StorageTool", "format", "--standalone", "-t", _new_cluster_id()]
        configuration = ["-c", str(self.data_dir / "server.properties")]
        output = self.data_dir / "kafka-format.out"
        runtime = self._java(java, class_path, 64, 256)
        formatter = Child("kafka-format", [*runtime, *FAST_START, *tool, *configuration], output)
        with formatter:
            ended = formatter.wait(FORMAT_TIMEOUT_S)
            code = formatter.exit_code
        if not ended or code != 0:
            raise StackError(
                f"the broker's storage in {self.data_dir / 'kafka'} could not be formatted "
                f"(exit code {code}):\n{log_tail(output)}"
            )

    def _wait_until_it_answers(self, deadline: float) -> None:
        assert self._child is not None
        client = AdminClient(
            {
                "bootstrap.servers": self.bootstrap_servers,
                "reconnect.backoff.ms": 20,
                "reconnect.backoff.max.ms": 100,
                "log_level": 0,
            },
            logger=_silent,
        )
        while time.monotonic() < deadline:
            if not self._child.alive:
                raise StackError(
                    f"the broker ended at its start, exit code {self._child.exit_code}:\n"
                    f"{log_tail(self.log_file)}\n{log_tail(self.data_dir / 'kafka.out')}"
                )
            try:
                if client.list_topics(timeout=0.5).brokers:
                    return
            except KafkaException:
                logger.debug("broker does not answer yet address=%s", self.bootstrap_servers)
        raise StackError(
            f"the broker did not answer on {self.bootstrap_servers} in time:\n"
            f"{log_tail(self.log_file)}"
        )


def _new_cluster_id() -> str:
    """A random UUID as Kafka writes it; never one that its tools take for an option."""
    while True:
        text = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


_silent = logging.getLogger(f"{__name__}.client")
_silent.propagate = False
_silent.addHandler(logging.NullHandler())
