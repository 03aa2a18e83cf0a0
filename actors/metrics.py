"""Actor `metrics-<node>`: one scrape target a node, with the metrics of every actor on it.

At a scrape it asks each actor on its node for its cached text, with one deadline for all, and
merges the families. An actor that does not answer is left out and `overround_actor_up` says so.
"""

import logging
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import ray

from actors.options import NAMESPACE, SUPERVISOR
from pipelines.exposition import merge
from pipelines.settings import Settings

__all__ = ["Metrics"]

logger = logging.getLogger(__name__)

SCRAPE_TIMEOUT_S: Final = 3.0
NAMES_TTL_S: Final = 5.0
PORT_WAIT_S: Final = 5.0
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """One node's scrape target; its server binds in a thread, so that making it cannot fail."""

    def __init__(self, name: str, version: str, settings: Settings, node_id: str) -> None:
        self._name = name
        self._version = version
        self._node_id = node_id
        self._address = (settings.metrics_host, settings.metrics_port)
        self._port = settings.metrics_port
        self._state = "starting"
        self._error = ""
        self._handles: dict[str, Any] = {}
        self._scrapes = 0
        self._server: ThreadingHTTPServer | None = None
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.split("?")[0] not in ("/", "/metrics"):
                    self.send_error(404)
                    return
                body = outer.scrape()
                self.send_response(200)
                self.send_header("Content-Type", CONTENT_TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                logger.debug("scrape %s", args)

        host, wanted = self._address
        deadline_s = time.monotonic() + PORT_WAIT_S
        while self._server is None:
            try:
                # The port of an actor that just ended may be held for a moment; for longer, another
                # node of this machine has it, which must not keep the engine from starting.
                port = wanted if time.monotonic() < deadline_s else 0
                self._server = ThreadingHTTPServer((host, port), Handler)
            except OSError as error:
                self._error = f"port {wanted}: {error}"
                time.sleep(0.5)
        self._port = self._server.server_address[1]
        self._state, self._error = "running", ""
        if wanted and self._port != wanted:
            self._error = f"port {wanted} is taken on this machine: scrape {self._port}"
            logger.warning("%s actor=%s", self._error, self._name)
        self._server.serve_forever()

    def scrape(self) -> bytes:
        """Return the merged metrics of this node's actors."""
        self._scrapes += 1
        handles = self._targets()
        asked = {name: handle.metrics.remote() for name, handle in handles.items()}
        ready, _ = ray.wait(list(asked.values()), num_returns=len(asked), timeout=SCRAPE_TIMEOUT_S)
        answered = set(ready)
        texts: list[bytes] = []
        up: dict[str, int] = {}
        for name, reference in asked.items():
            up[name] = 0
            if reference not in answered:
                continue
            try:
                texts.append(ray.get(reference, timeout=SCRAPE_TIMEOUT_S))
                up[name] = 1
            except ray.exceptions.RayError as error:
                self._handles.pop(name, None)
                logger.warning("no metrics actor=%s: %s", name, error)
        return merge(texts, up)

    def _targets(self) -> dict[str, Any]:
        """Return the actors to ask: those the supervisor knows on this node."""
        try:
            supervisor = ray.get_actor(SUPERVISOR, namespace=NAMESPACE)
            names = ray.get(supervisor.names_on.remote(self._node_id), timeout=SCRAPE_TIMEOUT_S)
        except (ray.exceptions.RayError, ValueError) as error:
            logger.warning("the supervisor did not answer: %s", error)
            names = list(self._handles)
        for name in names:
            if name not in self._handles:
                try:
                    self._handles[name] = ray.get_actor(name, namespace=NAMESPACE)
                except ValueError:
                    continue  # gone or not yet there: the supervisor is at it
        return {name: self._handles[name] for name in names if name in self._handles}

    def health(self) -> dict[str, object]:
        """Return state; a scrape target has no progress of its own."""
        return {
            "actor": self._name,
            "version": self._version,
            "pid": os.getpid(),
            "state": self._state,
            "error": self._error,
            "idle_s": 0.0,
            "up_s": 0.0,
            "status": {"scrapes": self._scrapes, "port": self._port},
        }

    def metrics(self) -> bytes:
        """Return nothing: what it counts is added to the merged text."""
        return b""

    def stop(self, timeout_s: float) -> bool:
        """Close the port."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        return True
