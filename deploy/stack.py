"""The whole system on one machine: starts what the settings do not point elsewhere, in order.

Kafka, topics, edge, Ray, actors; stops what it started in the opposite order. Children die with
this process even when it is killed.
"""

import logging
import os
import secrets
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Final

import httpx

from deploy.local.broker import Broker
from deploy.local.jars import is_cached
from deploy.local.lockfile import StackFile, StackInfo
from deploy.local.preflight import find_problems
from deploy.local.processes import Child, log_tail
from deploy.local.ray_token import ensure_token_file, find_token, use_token_file
from deploy.local.topics import ensure_topics
from pipelines.errors import StackError
from pipelines.settings import Settings

__all__ = ["Stack"]

logger = logging.getLogger(__name__)

EDGE_START_TIMEOUT_S: Final = 20.0
ACTORS_READY_TIMEOUT_S: Final = 120.0
OBJECT_STORE_BYTES: Final = 128 * 2**20
SHARD_SLOTS: Final = 64
TEND_INTERVAL_S: Final = 2.0

Say = Callable[[str], None]


class Stack:
    """One running local system. Use it as a context manager; `settings` then has its addresses."""

    def __init__(self, settings: Settings, say: Say) -> None:
        self.settings = settings
        self._say = say
        self._held = ExitStack()
        self.data_dir = Path(settings.data_dir).resolve()
        self.key_file = self.data_dir / "edge-keys.json"
        self.dashboard_url = ""
        self.ray_token_file: Path | None = None  # None where Ray was there before
        self.has_edge = False  # False where Ably's cloud is used
        self._tended: list[Broker | Child] = []
        self._tended_s = -TEND_INTERVAL_S

    def __enter__(self) -> "Stack":
        try:
            self._start()
        except BaseException:
            self._held.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def tend(self) -> None:
        """Start again what has died of the broker and the edge; called now and then, main thread.

        Ray's supervisor does the same for the actors.
        """
        now_s = time.monotonic()
        if now_s - self._tended_s < TEND_INTERVAL_S:
            return
        self._tended_s = now_s
        for part in self._tended:
            if part.alive:
                continue
            name = "Kafka" if isinstance(part, Broker) else "the edge"
            logger.warning("%s has died and is started again", name)
            try:
                part.stop()
                part.start()
            except StackError as error:
                # Tried again in a while; meanwhile everything that needs it waits.
                logger.error("%s could not be started again: %s", name, error.message)

    def _start(self) -> None:
        running = StackFile.read(self.data_dir)
        if running is not None:
            raise StackError(
                f"a system already runs on {self.data_dir} (process {running.pid}); stop it, or "
                "set OVERROUND_DATA_DIR and other ports for a second one"
            )
        problems = find_problems(self.settings)
        if problems:
            raise StackError("cannot start:\n" + "\n".join(f"  - {p}" for p in problems))
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._start_kafka()
        self._start_edge()
        ray_address = self._start_ray()
        self._start_actors()
        info = StackInfo(
            pid=os.getpid(),
            kafka_bootstrap_servers=self.settings.kafka_bootstrap_servers,
            edge_url=self.settings.ably_url,
            edge_api_key_file=str(self.key_file),
            ray_address=ray_address,
            ray_namespace=_namespace(),
            metrics_port=self.settings.metrics_port,
            dashboard_url=self.dashboard_url,
            partitions=self.settings.partitions,
            ray_token_file=str(self.ray_token_file or ""),
        )
        StackFile.write(self.data_dir, info)
        self._held.callback(StackFile.remove, self.data_dir, os.getpid())
        self._say("ready")

    def _start_kafka(self) -> None:
        settings = self.settings
        if not settings.kafka_bootstrap_servers:
            if not is_cached():
                self._say("fetching Apache Kafka (44 MB, once; this may take a minute)")
            self._say("starting Apache Kafka")
            broker = Broker(
                self.data_dir / "kafka", settings.kafka_port, settings.kafka_controller_port
            )
            # Registered before the start, so that a start cut short is cleaned up as well.
            self._held.callback(self._stop_kafka, broker)
            broker.start()
            self._tended.append(broker)
            settings = replace(settings, kafka_bootstrap_servers=broker.bootstrap_servers)
        self.settings = settings
        ensure_topics(
            settings.kafka_bootstrap_servers, settings.partitions, settings.replication_factor
        )

    def _stop_kafka(self, broker: Broker) -> None:
        self._say("stopping Kafka")
        broker.stop()

    def _start_edge(self) -> None:
        settings = self.settings
        if settings.ably_api_key:
            url = settings.ably_url or "https://main.realtime.ably.net"
            self.settings = replace(settings, ably_url=url)
            return
        self._say("starting the edge")
        key = self._edge_key()
        url = f"http://127.0.0.1:{settings.edge_port}"
        log_file = self.data_dir / "edge.log"
        command = [
            sys.executable,
            "-m",
            "deploy.edge",
            "--port",
            str(settings.edge_port),
            "--keys-file",
            str(self.key_file),
            "--kafka",
            settings.kafka_bootstrap_servers,
            "--history-seconds",
            "3600",
            "--data",
            str(self.data_dir / "edge.db"),
        ]
        edge = Child("edge", command, log_file)
        self._held.callback(edge.stop)
        edge.start()
        deadline = time.monotonic() + EDGE_START_TIMEOUT_S
        while not _answers(f"{url}/time"):
            if not edge.alive or time.monotonic() > deadline:
                raise StackError(f"the edge did not start:\n{log_tail(log_file)}")
            time.sleep(0.05)
        self._tended.append(edge)
        self.settings = replace(settings, ably_url=url, ably_api_key=key)
        self.has_edge = True

    def _edge_key(self) -> str:
        """Return the backend's key at the edge; made once and kept, readable by its owner only."""
        from deploy.edge.keys import EdgeKeys

        keys = EdgeKeys.load_or_create(self.key_file, secrets.token_urlsafe)
        return keys.backend_key

    def _start_ray(self) -> str:
        import ray

        settings = self.settings
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        os.environ.setdefault("RAY_DEDUP_LOGS", "0")
        if settings.ray_address:
            find_token()
            self._say(f"joining Ray at {settings.ray_address}")
            context = ray.init(
                address=settings.ray_address, namespace=_namespace(), log_to_driver=False
            )
        else:
            self._say("starting Ray")
            self.ray_token_file = ensure_token_file(self.data_dir)
            use_token_file(self.ray_token_file)
            # Ray's sockets need a short path, so it does not live below the data folder.
            folder = self._held.enter_context(tempfile.TemporaryDirectory(prefix="ovr-"))
            # What Ray's processes leave behind goes with the folder.
            os.environ["TMPDIR"] = folder
            context = ray.init(
                address="local",
                namespace=_namespace(),
                num_cpus=max(os.cpu_count() or 1, 2),
                resources={"shard": SHARD_SLOTS},
                object_store_memory=OBJECT_STORE_BYTES,
                include_dashboard=True,
                dashboard_host="127.0.0.1",
                dashboard_port=settings.ray_dashboard_port,
                _temp_dir=folder,
                log_to_driver=False,
                logging_level=logging.WARNING,
                _node_ip_address="127.0.0.1",
            )
        self._held.callback(self._stop_ray)
        self.dashboard_url = f"http://{context.dashboard_url}" if context.dashboard_url else ""
        return str(context.address_info["gcs_address"])

    def _stop_ray(self) -> None:
        import ray

        self._say("stopping Ray")
        ray.shutdown()

    def _start_actors(self) -> None:
        from actors import launch

        self._say(f"starting {self.settings.partitions} shards, publisher, notifier")
        launch.up(self.settings)
        self._held.callback(self._stop_actors)
        launch.wait_ready(ACTORS_READY_TIMEOUT_S)

    def _stop_actors(self) -> None:
        from actors import launch

        self._say("stopping the actors")
        launch.down()


def _namespace() -> str:
    from actors.options import NAMESPACE

    return NAMESPACE


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def free_port() -> int:
    """Return a port of loopback that was free a moment ago."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port
