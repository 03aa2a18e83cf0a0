"""A client that does not read: bounded, then dropped, and made good when it comes back."""

import contextlib
import json
import socket

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from deploy.edge.bounds import HISTORY_BYTES_MAX, OUTGOING_BYTES_MAX
from deploy.edge.wire import Action, Flag
from tests.deploy.edge.peer import WAIT_S, Peer, peer
from tests.edge_process import RunningEdge

DATA = "x" * 60_000
COUNT = 220
BUFFER_BYTES = 65_536


def test_it_is_dropped_and_gets_the_rest_after_resuming(
    app_edge: RunningEdge, rest: httpx.Client
) -> None:
    assert OUTGOING_BYTES_MAX + 4_000_000 < COUNT * len(DATA) < HISTORY_BYTES_MAX
    lazy = socket.socket()
    lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    lazy.connect(("127.0.0.1", app_edge.port))
    url = httpx.URL(f"ws://127.0.0.1:{app_edge.port}/", params={"key": app_edge.key})
    heard: list[int] = []
    with peer(app_edge) as quick:
        quick.send(Action.ATTACH, channel="slow")
        quick.hear(Action.ATTACHED)
        with connect(str(url), sock=lazy, max_queue=1, close_timeout=0.2) as held:
            one = Peer(held)
            key = one.hear(Action.CONNECTED)["connectionDetails"]["connectionKey"]
            one.send(Action.ATTACH, channel="slow")
            place = one.hear(Action.ATTACHED)["channelSerial"]
            for number in range(COUNT):
                message = {"name": str(number), "data": DATA}
                rest.post("/channels/slow/messages", json=message).raise_for_status()
                assert quick.hear(Action.MESSAGE)["messages"][0]["name"] == str(number)
            with contextlib.suppress(ConnectionClosed):
                while True:
                    frame = json.loads(held.recv(WAIT_S))
                    if frame["action"] == Action.MESSAGE:
                        heard.append(int(frame["messages"][0]["name"]))
                        place = frame["channelSerial"]
    assert len(heard) < COUNT, "the edge kept everything for it"
    with peer(app_edge, resume=key) as again:
        assert "error" not in again.hear(Action.CONNECTED)
        again.send(Action.ATTACH, channel="slow", channelSerial=place)
        assert again.hear(Action.ATTACHED)["flags"] & Flag.RESUMED
        while len(heard) < COUNT:
            heard.append(int(again.hear(Action.MESSAGE)["messages"][0]["name"]))
    assert heard == list(range(COUNT))
