"""Thousands of hostile frames and requests: the edge answers or hangs up, and stays as it was."""

import contextlib
import json
import random
import socket

import httpx
import msgspec
import psutil
import pytest
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect

from tests.deploy.edge.peer import WAIT_S, peer
from tests.edge_process import RunningEdge

FRAMES = 3_000
REQUESTS = 4_000
SEED = 20_260_101

VALUES = [None, True, -1, 2**70, 1.5, "", "x", "\x00", "é" * 40, [], {}, [[]], {"a": 1}, "*", ":"]
FIELDS = [
    "action", "channel", "channelSerial", "msgSerial", "messages", "presence", "annotations",
    "auth", "flags", "params", "id", "count", "error", "connectionDetails", "res", "timestamp",
]  # fmt: skip
INNER = ["name", "data", "id", "clientId", "encoding", "extras", "serial", "action", "version",
         "type", "messageSerial", "count", "annotations", "connectionKey"]  # fmt: skip
PATHS = [
    "/channels/c/messages", "/channels/c/messages/x", "/channels/c/messages/x/versions",
    "/channels/c/messages/x/annotations", "/channels/c/presence", "/channels/c", "/channels",
    "/messages", "/presence", "/stats", "/time", "/push/publish", "/push/batch/publish",
    "/push/deviceRegistrations", "/push/deviceRegistrations/d", "/push/channelSubscriptions",
    "/push/channels", "/push/publicVapidKey", "/comet/connect", "/comet/x!y/recv",
    "/comet/x!y/send", "/comet/x!y/close", "/overround/web-push", "/overround/web-push/x",
    "/keys/a.b/requestToken", "/keys/a.b/revokeTokens", "/apps", "/apps/x",
    "/../../etc/passwd", "/pages/%2e%2e/%2e%2e/pyproject.toml", "/%00", "/" + "a" * 4_000,
]  # fmt: skip


def value(chance: random.Random, depth: int = 0) -> object:
    if depth < 3 and chance.random() < 0.4:
        names = chance.sample(INNER, chance.randrange(5))
        found = {name: value(chance, depth + 1) for name in names}
        return [found] * chance.randrange(3) if chance.random() < 0.5 else found
    return chance.choice(VALUES)


def frame(chance: random.Random) -> dict[str, object]:
    made = {name: value(chance) for name in chance.sample(FIELDS, chance.randrange(6))}
    return {"channel": "hostile", "msgSerial": chance.randrange(5), **made} | {
        "action": chance.choice([*range(-1, 24), None, "x"])
    }


def process_of(edge: RunningEdge) -> psutil.Process:
    for child in psutil.Process().children():
        if any(one.laddr.port == edge.port for one in child.net_connections("tcp")):
            return child
    raise AssertionError("the edge is not there")


def assert_alive(edge: RunningEdge) -> None:
    with peer(edge) as one:
        assert one.is_alive()


@pytest.mark.parametrize("form", ["json", "msgpack"])
def test_frames(app_edge: RunningEdge, form: str) -> None:
    chance = random.Random(SEED)
    url = httpx.URL(
        f"ws://127.0.0.1:{app_edge.port}/", params={"key": app_edge.key, "format": form}
    )
    before = process_of(app_edge).memory_info().rss
    sent = 0
    while sent < FRAMES:
        with (
            contextlib.suppress(ConnectionClosed, WebSocketException),
            connect(str(url), proxy=None, open_timeout=WAIT_S, close_timeout=0.2) as one,
        ):
            for _ in range(chance.randrange(1, 40)):
                sent += 1
                made = frame(chance)
                try:
                    raw = json.dumps(made) if form == "json" else msgspec.msgpack.encode(made)
                except OverflowError:
                    raw = b"\xc1"
                if chance.random() < 0.1:
                    raw = raw[: chance.randrange(len(raw) + 1)]
                one.send(raw)
    assert_alive(app_edge)
    assert process_of(app_edge).memory_info().rss - before < 64 * 1_048_576


def test_requests(app_edge: RunningEdge) -> None:
    chance = random.Random(SEED)
    name, _, secret = app_edge.key.partition(":")
    types = ["application/json", "application/x-msgpack", "text/plain", ""]
    with httpx.Client(base_url=app_edge.url, timeout=WAIT_S) as client:
        for _ in range(REQUESTS):
            body = value(chance)
            raw = json.dumps(body).encode()
            if chance.random() < 0.2:
                raw = chance.randbytes(40)
            response = client.request(
                chance.choice(["GET", "POST", "PUT", "PATCH", "DELETE"]),
                chance.choice(PATHS),
                content=raw,
                params={chance.choice(["limit", "start", "unit", "by", "cursor", "envelope"]): "x"},
                headers={"Content-Type": chance.choice(types)},
                auth=(name, secret) if chance.random() < 0.8 else None,
            )
            assert response.status_code < 500, (response.request.url, raw, response.text)
            assert "root:" not in response.text
            if response.request.method == "POST" and response.request.url.path == "/apps":
                continue
    assert_alive(app_edge)


def test_a_client_that_never_finishes_its_request_holds_up_nobody(app_edge: RunningEdge) -> None:
    slow = [socket.create_connection(("127.0.0.1", app_edge.port)) for _ in range(50)]
    try:
        for one in slow:
            one.send(b"POST /channels/c/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n")
        assert_alive(app_edge)
    finally:
        for one in slow:
            one.close()
