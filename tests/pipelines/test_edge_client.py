"""The edge client against a real HTTP server that misbehaves as Ably can."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pipelines.clock import SystemClock
from pipelines.edge_client import EdgeClient
from pipelines.errors import EdgeError
from pipelines.ports import Publication, Push, Taken

KEY = "app.key:s3cret"
TAKEN = Taken(0, False)


class FaultyServer(ThreadingHTTPServer):
    """Takes batches, drops repeated ids; `faults` are used up one a request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults: list[str] = []
        self.bodies: list[Any] = []
        self.paths: list[str] = []
        self.authorizations: list[str] = []
        self.delivered: list[tuple[str, str]] = []
        self.connections = 0
        self.old_shape = False
        self.poison = ""
        self.only_tokens = False
        self.token_requests: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """One connection's requests."""

    protocol_version = "HTTP/1.1"
    server: FaultyServer

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def log_message(self, format: str, *args: object) -> None:
        return

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        body = json.loads(raw)
        server = self.server
        if "/requestToken" in self.path:
            server.token_requests.append(body)
            self.reply(201, {"token": "tok", "expires": int(time.time() * 1000) + 3_600_000})
            return
        server.paths.append(self.path)
        server.bodies.append(body)
        server.authorizations.append(self.headers["Authorization"])
        fault = server.faults.pop(0) if server.faults else ""
        if server.only_tokens and not self.headers["Authorization"].startswith("Bearer"):
            fault = "401"
        if fault == "429":
            self.reply(429, error(42910, 429), {"Retry-After": "3"})
        elif fault == "503":
            self.reply(503, None)
        elif fault == "401":
            self.reply(401, error(40103, 401))
        elif fault == "reset":
            self.close_connection = True
            self.connection.close()
        elif server.poison and server.poison in raw.decode():
            self.reply(400, error(40009, 400))
        else:
            answers = [self.take(spec, fault) for spec in body]
            if fault == "time-out after success":
                time.sleep(0.6)
            if server.old_shape and any("error" in a for a in answers):
                self.reply(400, error(40020, 400) | {"batchResponse": answers})
            elif server.old_shape or self.path.startswith("/push"):
                self.reply(201, answers)
            else:
                self.reply(
                    201,
                    [{"successCount": 1, "failureCount": 0, "results": [a]} for a in answers],
                )

    def take(self, spec: Any, fault: str) -> dict[str, Any]:
        if "recipient" in spec:
            client_id = spec["recipient"]["clientId"]
            return error(40400, 404) if client_id == "nobody" else {"clientId": client_id}
        channel, message = spec["channels"], spec["messages"]
        if fault == "partial" and message["id"].endswith(":2"):
            return {"channel": channel} | error(42913, 429)
        if fault == "partial" and message["id"].endswith(":3"):
            return {"channel": channel} | error(40160, 401)
        if (channel, message["id"]) not in self.server.delivered:
            self.server.delivered.append((channel, message["id"]))
        return {"channel": channel, "messageId": message["id"]}

    def reply(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        raw = json.dumps(body).encode() if body is not None else b"<html>busy</html>"
        try:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client gave up waiting, as the test wants


def error(code: int, status: int) -> dict[str, Any]:
    return {"error": {"code": code, "statusCode": status, "message": "no"}}


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    server = FaultyServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


@pytest.fixture
def edge(server: FaultyServer) -> Iterator[EdgeClient]:
    client = EdgeClient(server.url, KEY, SystemClock(), request_timeout_s=0.3)
    yield client
    client.close()


def publications(count: int, channels: int = 1) -> list[Publication]:
    return [
        Publication(f"c{n % channels}", f"e:{n}", "odds", {"price": n, "name": 'Ö "quoted"'})
        for n in range(1, count + 1)
    ]


def test_each_message_is_a_spec_of_its_own_with_its_id(
    server: FaultyServer, edge: EdgeClient
) -> None:
    assert edge.publish(publications(3)) == [TAKEN] * 3
    assert edge.publish(publications(1)) == [TAKEN]
    assert server.paths[0] == "/messages?newBatchResponse=true"
    assert server.bodies[0][1] == {
        "channels": "c0",
        "messages": {
            "id": "e:2",
            "name": "odds",
            "data": '{"price":2,"name":"Ö \\"quoted\\""}',
            "encoding": "json",
        },
    }
    assert server.connections == 1, "the connection is kept"
    assert server.authorizations[0] == "Basic " + base64.b64encode(KEY.encode()).decode()


@pytest.mark.parametrize("old_shape", [False, True])
def test_messages_fail_alone(server: FaultyServer, edge: EdgeClient, old_shape: bool) -> None:
    server.old_shape = old_shape
    server.faults = ["partial"]
    assert edge.publish(publications(4)) == [
        TAKEN,
        Taken(42913, True),
        Taken(40160, False),
        TAKEN,
    ]


@pytest.mark.parametrize(
    ("fault", "status", "code", "retry_after_s"),
    [
        ("429", 429, 42910, 3.0),
        ("503", 503, 50300, 0.0),
        ("reset", 503, 50000, 0.0),
        ("time-out after success", 503, 50000, 0.0),
    ],
)
def test_a_request_that_fails_can_be_sent_again_without_a_second_delivery(
    server: FaultyServer,
    edge: EdgeClient,
    fault: str,
    status: int,
    code: int,
    retry_after_s: float,
) -> None:
    server.faults = [fault]
    with pytest.raises(EdgeError) as failed:
        edge.publish(publications(3))
    assert (failed.value.status, failed.value.code) == (status, code)
    assert failed.value.retry_after_s == retry_after_s
    assert edge.publish(publications(3)) == [TAKEN] * 3
    assert server.delivered == [("c0", f"e:{n}") for n in (1, 2, 3)]


def test_nobody_listens() -> None:
    closed = FaultyServer()
    url = closed.url
    closed.server_close()
    client = EdgeClient(url, KEY, SystemClock())
    with pytest.raises(EdgeError, match="ConnectError"):
        client.publish(publications(1))
    client.close()
    client.close()


def test_limits_cut_requests_and_a_failure_leaves_the_rest_for_later(
    server: FaultyServer, edge: EdgeClient
) -> None:
    server.faults = ["", "503"]
    answers = edge.publish(publications(250, channels=250))
    assert answers == [TAKEN] * 100 + [Taken(50300, True)] * 150
    assert [len(body) for body in server.bodies] == [100, 100]
    big = [Publication("c", f"b:{n}", "odds", "x" * 900_000) for n in range(3)]
    assert edge.publish(big) == [TAKEN] * 3
    assert [len(body) for body in server.bodies[2:]] == [2, 1]


def test_one_poisoned_message_does_not_hold_up_the_others(
    server: FaultyServer, edge: EdgeClient
) -> None:
    server.poison = '"e:5"'
    answers = edge.publish(publications(8))
    assert answers == [TAKEN] * 4 + [Taken(40009, False)] + [TAKEN] * 3
    assert [message for _, message in server.delivered] == [f"e:{n}" for n in (1, 2, 3, 4, 6, 7, 8)]


def test_where_keys_are_refused_a_signed_request_gets_a_token(
    server: FaultyServer, edge: EdgeClient
) -> None:
    server.only_tokens = True
    assert edge.publish(publications(1)) == [TAKEN]
    assert edge.publish(publications(1)) == [TAKEN]
    assert server.authorizations[1:] == ["Bearer " + base64.b64encode(b"tok").decode()] * 2
    (asked,) = server.token_requests
    signed = (
        f"app.key\n{asked['ttl']}\n{asked['capability']}\n\n{asked['timestamp']}\n"
        f"{asked['nonce']}\n"
    )
    mac = hmac.new(b"s3cret", signed.encode(), hashlib.sha256).digest()
    assert asked["mac"] == base64.b64encode(mac).decode()
    assert "s3cret" not in json.dumps(asked)


def test_a_refused_token_is_renewed_once_then_the_edge_is_down(
    server: FaultyServer, edge: EdgeClient
) -> None:
    server.faults = ["401", "401"]
    with pytest.raises(EdgeError) as failed:
        edge.publish(publications(1))
    assert failed.value.status == 401
    assert len(server.token_requests) == 1


def test_pushes(server: FaultyServer, edge: EdgeClient) -> None:
    pushes = [Push(c, "Title", "Body.", "e:m:win", {"kind": "win"}) for c in ("anna", "nobody")]
    assert edge.push(pushes) == [TAKEN, Taken(40400, False)]
    assert server.paths == ["/push/batch/publish"]
    assert server.bodies[0][0] == {
        "recipient": {"clientId": "anna"},
        "payload": {
            "notification": {"title": "Title", "body": "Body.", "collapseKey": "e:m:win"},
            "data": {"kind": "win"},
        },
    }
