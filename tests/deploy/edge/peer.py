"""A client of the edge that says just what it is told to, frame by frame."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

from deploy.edge.wire import Action
from tests.edge_process import RunningEdge

__all__ = ["WAIT_S", "Peer", "peer"]

WAIT_S = 10


class Peer:
    """A client that says just what it is told to, in JSON."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def send(self, action: Action, **fields: Any) -> None:
        self.socket.send(json.dumps({"action": action, **fields}))

    def hear(self, *actions: Action) -> dict[str, Any]:
        """The next frame of one of these actions; heartbeats and others are passed over."""
        while True:
            frame: dict[str, Any] = json.loads(self.socket.recv(WAIT_S))
            if frame["action"] in actions:
                return frame

    def is_alive(self, word: str = "alive") -> bool:
        """Send a heartbeat and wait for its answer; the edge sends some of its own between."""
        self.send(Action.HEARTBEAT, id=word)
        while self.hear(Action.HEARTBEAT).get("id") != word:
            continue
        return True

    def publish(self, channel: str, serial: int, name: str) -> None:
        self.send(Action.MESSAGE, channel=channel, msgSerial=serial, messages=[{"name": name}])

    def acknowledged(self, count: int) -> dict[int, list[str]]:
        """Read ACKs until so many messages have one; serials by message."""
        found: dict[int, list[str]] = {}
        while len(found) < count:
            frame = self.hear(Action.ACK)
            assert frame["count"] == len(frame["res"])
            for index, one in enumerate(frame["res"]):
                found[frame["msgSerial"] + index] = one["serials"]
        return found


@contextmanager
def peer(edge: RunningEdge, **query: str) -> Iterator[Peer]:
    url = httpx.URL(f"ws://127.0.0.1:{edge.port}/", params={"key": edge.key, "v": "5", **query})
    with connect(str(url), proxy=None, open_timeout=WAIT_S, close_timeout=0.5) as socket:
        yield Peer(socket)
