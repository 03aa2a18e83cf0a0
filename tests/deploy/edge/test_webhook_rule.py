"""Webhooks: signed batches, single events, and what happens while nobody answers."""

import base64
import hashlib
import hmac
import json
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx

from deploy.edge.actions import PresenceAction
from deploy.edge.keys import EdgeKeys
from deploy.edge.wire import Action
from tests.deploy.edge.peer import peer
from tests.edge_process import running_edge

Call = tuple[dict[str, str], bytes]


@contextmanager
def listener(answers: list[int]) -> Iterator[tuple[str, "queue.Queue[Call]"]]:
    """A server that answers with these statuses in turn, then with 200."""
    calls: queue.Queue[Call] = queue.Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            calls.put(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(answers.pop(0) if answers else 200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", calls
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


def test_batches_are_signed_and_sent_again(
    free_ports: Callable[[int], list[int]], tmp_path: Path
) -> None:
    keys_file = tmp_path / "keys.json"
    keys = EdgeKeys.load_or_create(keys_file, lambda n: "abcdefgh" * (n // 4))
    name, _, secret = keys.backend_key.partition(":")
    (port,) = free_ports(1)
    with listener([503]) as (url, calls), listener([]) as (single_url, singles):
        rules = [
            {
                "id": "r1",
                "ruleType": "http",
                "requestMode": "batch",
                "source": {"channelFilter": "^hooked", "type": "channel.message"},
                "target": {
                    "url": url,
                    "signingKeyId": name,
                    "headers": [{"name": "x-own", "value": "1"}],
                },
            },
            {
                "id": "r2",
                "ruleType": "http",
                "requestMode": "single",
                "source": {"channelFilter": "^hooked", "type": "channel.message"},
                "target": {"url": single_url, "enveloped": True},
            },
        ]
        content = json.loads(keys_file.read_text()) | {"rules": rules}
        content["keys"][0]["capability"] = '{"[*]*": ["*"]}'  # meta channels too
        keys_file.write_text(json.dumps(content))
        with (
            running_edge(port, tmp_path) as edge,
            httpx.Client(base_url=edge.url, auth=(name, secret)) as client,
        ):
            client.post("/channels/hooked:a/messages", json={"name": "x", "data": {"n": 1}})
            client.post("/channels/other/messages", json={"name": "y"})
            first, again = calls.get(timeout=10), calls.get(timeout=10)
            headers, body = singles.get(timeout=10)
            (told,) = client.get("/channels/[meta]log/messages").json()
    assert json.loads(told["data"])["error"]["code"] == 70002
    assert json.loads(told["data"])["ruleId"] == "r1"
    assert first[1] == again[1]
    signature = base64.b64encode(hmac.new(secret.encode(), first[1], hashlib.sha256).digest())
    assert first[0]["x-ably-signature"] == signature.decode()
    assert first[0]["x-ably-key"] == name
    assert first[0]["x-own"] == "1"
    (item,) = json.loads(first[1])["items"]
    assert (item["webhookId"], item["name"]) == ("r1", "channel.message")
    assert item["data"]["channelId"] == "hooked:a"
    assert item["data"]["messages"][0]["data"] == '{"n":1}'
    assert json.loads(body)["messages"][0]["name"] == "x"
    assert "x-ably-signature" not in headers
    assert singles.empty()


def items(calls: "queue.Queue[Call]", count: int) -> list[dict[str, Any]]:
    """The events of as many batches as it takes."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        found += json.loads(calls.get(timeout=10)[1])["items"]
    return found


def test_presence_lifecycle_and_occupancy_are_told(
    free_ports: Callable[[int], list[int]], tmp_path: Path
) -> None:
    keys_file = tmp_path / "keys.json"
    EdgeKeys.load_or_create(keys_file, lambda n: "abcdefgh" * (n // 4))
    (port,) = free_ports(1)
    with listener([]) as (who, members), listener([]) as (life, lives), listener([]) as (how, all_):
        rules = [
            {
                "id": source,
                "ruleType": "http",
                "source": {"channelFilter": "^told", "type": f"channel.{source}"},
                "target": {"url": url},
            }
            for source, url in (("presence", who), ("lifecycle", life), ("occupancy", how))
        ]
        keys_file.write_text(json.dumps(json.loads(keys_file.read_text()) | {"rules": rules}))
        with running_edge(port, tmp_path) as edge:
            with peer(edge, clientId="ann") as one:
                one.send(Action.ATTACH, channel="told:a")
                one.send(Action.ATTACH, channel="other")
                enter = [{"action": int(PresenceAction.ENTER), "data": "here"}]
                one.send(Action.PRESENCE, channel="told:a", msgSerial=0, presence=enter)
                one.hear(Action.ACK)
                one.send(Action.CLOSE)  # the edge lets her leave by itself
                one.hear(Action.CLOSED)
            came, went = items(members, 2)
            (opened,) = items(lives, 1)
            counted = items(all_, 1)
    assert (came["name"], came["data"]["channelId"]) == ("presence.message", "told:a")
    said = [event["data"]["presence"][0] for event in (came, went)]
    assert [(m["action"], m["clientId"], m["data"]) for m in said] == [
        (PresenceAction.ENTER, "ann", "here"),
        (PresenceAction.LEAVE, "ann", "here"),
    ]
    assert (opened["source"], opened["name"]) == ("channel.lifecycle", "channel.opened")
    assert opened["data"]["channelId"] == opened["data"]["name"] == "told:a"
    assert opened["data"]["status"]["isActive"] is True
    assert {event["data"]["name"] for event in counted} == {"told:a"}
    assert "connections" in counted[-1]["data"]["status"]["occupancy"]["metrics"]
