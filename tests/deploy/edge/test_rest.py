"""The REST interface over real HTTP: what Ably documents, and what hostile clients send."""

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import httpx
import msgspec
import pytest

from tests.edge_process import RunningEdge

MSGPACK = {"Content-Type": "application/x-msgpack", "Accept": "application/x-msgpack"}


@pytest.fixture
def client(edge: RunningEdge) -> Iterator[httpx.Client]:
    """A client with the backend's key."""
    name, _, secret = edge.key.partition(":")
    with httpx.Client(base_url=edge.url, auth=(name, secret), timeout=10) as made:
        yield made


@pytest.fixture
def anonymous(edge: RunningEdge) -> Iterator[httpx.Client]:
    """A client without credentials."""
    with httpx.Client(base_url=edge.url, timeout=10) as made:
        yield made


def code_of(response: httpx.Response) -> int:
    code: int = response.json()["error"]["code"]
    assert response.headers["x-ably-errorcode"] == str(code)
    assert response.status_code == code // 100
    return code


def names(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [message["name"] for message in response.json()]


def token_request(edge: RunningEdge, **fields: Any) -> dict[str, Any]:
    key_name, _, secret = edge.key.partition(":")
    asked = {
        "keyName": key_name,
        "ttl": 60_000,
        "capability": '{"*":["*"]}',
        "clientId": "ann",
        "timestamp": int(time.time() * 1000),
        "nonce": f"nonce-{time.time_ns()}",
    } | fields
    order = ("keyName", "ttl", "capability", "clientId", "timestamp", "nonce")
    signed = "".join(f"{asked[name]}\n" for name in order)
    mac = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    return {**asked, "mac": base64.b64encode(mac).decode()}


def test_time_needs_no_credentials(anonymous: httpx.Client) -> None:
    (now_ms,) = anonymous.get("/time").json()
    assert abs(now_ms - time.time() * 1000) < 60_000
    assert msgspec.msgpack.decode(anonymous.get("/time", headers=MSGPACK).content)[0] >= now_ms


@pytest.mark.parametrize("direction", ["forwards", "backwards"])
def test_history_is_paged_by_links(client: httpx.Client, direction: str) -> None:
    path = f"/channels/paged-{direction}/messages"
    for number in range(7):
        client.post(path, json={"name": str(number)}).raise_for_status()
    found: list[str] = []
    response = client.get(path, params={"limit": 3, "direction": direction})
    pages = 1
    while True:
        found += names(response)
        following = response.links.get("next")
        if following is None:
            break
        assert following["url"].startswith("./messages?")
        response = client.get(str(response.url.join(following["url"])))
        pages += 1
    assert (found if direction == "forwards" else found[::-1]) == list("0123456")
    assert pages == 3


def test_history_between_two_moments(client: httpx.Client) -> None:
    path = "/channels/moments/messages"
    client.post(path, json={"name": "before"})
    time.sleep(0.01)
    (start,) = client.get("/time").json()
    client.post(path, json={"name": "within"})
    (end,) = client.get("/time").json()
    time.sleep(0.01)
    client.post(path, json={"name": "after"})
    assert names(client.get(path, params={"start": start, "end": end})) == ["within"]


def test_an_id_is_published_once(client: httpx.Client) -> None:
    path = "/channels/idempotent/messages"
    first = client.post(path, json={"id": "one", "name": "a"}).json()
    again = client.post(path, json={"id": "one", "name": "a"}).json()
    assert first == again
    many = [{"id": f"many:{i}", "name": str(i)} for i in range(3)]
    client.post(path, json=many).raise_for_status()
    client.post(path, json=many).raise_for_status()
    assert names(client.get(path, params={"direction": "forwards"})) == ["a", "0", "1", "2"]


def test_both_formats_carry_the_same(client: httpx.Client) -> None:
    path = "/channels/formats/messages"
    body = msgspec.msgpack.encode(
        [{"name": "raw", "data": b"\x00\xff"}, {"name": "text", "data": "é"}]
    )
    assert client.post(path, content=body, headers=MSGPACK).status_code == 201
    plain = client.get(path, params={"direction": "forwards"}).json()
    assert [(m["data"], m.get("encoding")) for m in plain] == [("AP8=", "base64"), ("é", None)]
    packed = msgspec.msgpack.decode(
        client.get(path, params={"direction": "forwards"}, headers=MSGPACK).content
    )
    assert [m["data"] for m in packed] == [b"\x00\xff", "é"]


def test_a_batch_answers_for_each_channel(client: httpx.Client) -> None:
    specs = [
        {"channels": ["batch:a", "batch:b"], "messages": [{"name": "x"}, {"name": "y"}]},
        {"channels": "batch:a", "messages": {"name": "z", "data": 5}},
        {"channels": "batch:a", "messages": {"name": "w"}},
    ]
    response = client.post("/messages", json=specs, params={"newBatchResponse": "true"})
    assert response.status_code == 201
    counts = [(one["successCount"], one["failureCount"]) for one in response.json()]
    assert counts == [(2, 0), (0, 1), (1, 0)]
    assert response.json()[1]["results"][0]["error"]["code"] == 40013
    forwards = {"direction": "forwards"}
    assert names(client.get("/channels/batch:a/messages", params=forwards)) == ["x", "y", "w"]
    assert names(client.get("/channels/batch:b/messages", params=forwards)) == ["x", "y"]


def test_the_older_batch_answer_is_flat(client: httpx.Client) -> None:
    version = {"X-Ably-Version": "2"}
    spec = {"channels": ["old"], "messages": {"name": "a"}}
    fine = client.post("/messages", json=spec, headers=version)
    assert fine.status_code == 201
    assert fine.json()[0]["channel"] == "old"
    bad = client.post("/messages", json=[spec, {**spec, "messages": {"data": 1}}], headers=version)
    assert code_of(bad) == 40020
    assert [("error" in one) for one in bad.json()["batchResponse"]] == [False, True]


def test_a_signed_request_gives_a_bound_token(edge: RunningEdge, anonymous: httpx.Client) -> None:
    key_name = edge.key.partition(":")[0]
    asked = token_request(edge, capability='{"mine:*":["publish"]}')
    response = anonymous.post(f"/keys/{key_name}/requestToken", json=asked)
    assert response.status_code == 201
    details = response.json()
    assert details["clientId"] == "ann"
    assert details["capability"] == '{"mine:*":["publish"]}'
    assert details["expires"] - details["issued"] == 60_000
    bearer = {"Authorization": "Bearer " + base64.b64encode(details["token"].encode()).decode()}

    def publish(channel: str, message: dict[str, Any]) -> httpx.Response:
        return anonymous.post(f"/channels/{channel}/messages", json=message, headers=bearer)

    assert publish("mine:a", {"name": "x"}).status_code == 201
    assert publish("mine:a", {"name": "x", "clientId": "ann"}).status_code == 201
    assert code_of(publish("mine:a", {"name": "x", "clientId": "bob"})) // 100 == 400
    assert code_of(publish("theirs:a", {"name": "x"})) == 40160
    assert code_of(anonymous.get("/channels/mine:a/messages", headers=bearer)) == 40160
    name, _, secret = edge.key.partition(":")
    seen = anonymous.get("/channels/mine:a/messages", auth=(name, secret)).json()
    assert [message["clientId"] for message in seen] == ["ann", "ann"]


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"timestamp": 1_000}, 40104),
        ({"ttl": 0}, 40003),
        ({"ttl": 10**12}, 40003),
        ({"capability": "nonsense"}, 40000),
    ],
)
def test_a_wrong_token_request_is_refused(
    edge: RunningEdge, anonymous: httpx.Client, fields: dict[str, Any], code: int
) -> None:
    path = f"/keys/{edge.key.partition(':')[0]}/requestToken"
    assert code_of(anonymous.post(path, json=token_request(edge, **fields))) == code


def test_a_token_request_is_good_once_and_only_as_signed(
    edge: RunningEdge, anonymous: httpx.Client
) -> None:
    path = f"/keys/{edge.key.partition(':')[0]}/requestToken"
    asked = token_request(edge)
    assert code_of(anonymous.post(path, json={**asked, "clientId": "bob"})) == 40101
    assert anonymous.post(path, json=asked).status_code == 201
    assert code_of(anonymous.post(path, json=asked)) == 40105
    unsigned = {"ttl": 60_000}
    assert code_of(anonymous.post(path, json=unsigned)) == 40101
    name, _, secret = edge.key.partition(":")
    assert anonymous.post(path, json=unsigned, auth=(name, secret)).status_code == 201


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 40101),
        ({"Authorization": "Basic %%%"}, 40101),
        ({"Authorization": "Basic " + base64.b64encode(b"no.key:x").decode()}, 40400),
        ({"Authorization": "Basic " + base64.b64encode(b"nokey:x").decode()}, 40101),
        ({"Authorization": "Bearer app.nonsense"}, 40101),
        ({"Authorization": "Bearer a.b.c"}, 40144),
    ],
)
def test_without_good_credentials_nothing_is_published(
    anonymous: httpx.Client, headers: dict[str, str], code: int
) -> None:
    response = anonymous.post("/channels/c/messages", json={"name": "x"}, headers=headers)
    assert code_of(response) == code


def test_an_unknown_key_of_the_app_is_not_found_and_not_authorized(
    edge: RunningEdge, anonymous: httpx.Client
) -> None:
    response = anonymous.get("/channels/c", auth=(edge.key.partition(".")[0] + ".none", "x"))
    assert (response.status_code, response.json()["error"]["code"]) == (401, 40400)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", 40000),
        (b"nonsense", 40000),
        (b"[" * 100_000, 40000),
        (b"[]", 40000),
        (b"5", 40000),
        (b'[{"name": 5}]', 40000),
        (b'{"data": 5}', 40013),
        (b'{"data": "' + b"x" * 65_537 + b'"}', 40009),
        (b'{"data": "' + b"x" * 3_000_000 + b'"}', 40009),
        (b'{"id": ""}', 40031),
        (b'[{"id": "a:0"}, {"id": "a:2"}]', 40031),
        (b'{"clientId": "*"}', 40012),
        (b"[" + b",".join([b"{}"] * 1_001) + b"]", 40009),
    ],
)
def test_a_bad_body_is_refused_with_its_code(client: httpx.Client, body: bytes, code: int) -> None:
    response = client.post(
        "/channels/bad/messages", content=body, headers={"Content-Type": "application/json"}
    )
    assert code_of(response) == code


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "1001"},
        {"limit": "x"},
        {"direction": "up"},
        {"start": "2", "end": "1"},
    ],
)
def test_bad_history_parameters_are_refused(client: httpx.Client, query: dict[str, str]) -> None:
    assert code_of(client.get("/channels/bad/messages", params=query)) == 40003


def test_unknown_paths_and_methods_have_codes(client: httpx.Client) -> None:
    assert code_of(client.get("/nothing")) == 40400
    assert code_of(client.put("/time")) == 40500
    assert client.get("/pages/..%2f..%2fserver.py").status_code == 404
    assert client.get("/pages/%2e%2e/%2e%2e/pyproject.toml").status_code == 404


def test_guests_get_a_token_for_one_name_only(anonymous: httpx.Client) -> None:
    details = anonymous.get("/overround/token", params={"client_id": "zoe"}).json()
    assert details["clientId"] == "zoe"
    for name in ("", "*", "a:b", "[x]", "a" * 65, "é"):
        refused = anonymous.get("/overround/token", params={"client_id": name})
        assert code_of(refused) == 40012
    elsewhere = anonymous.get(
        "/overround/token", params={"client_id": "zoe"}, headers={"Host": "evil.example"}
    )
    assert code_of(elsewhere) == 40100
    origin = {"Origin": "https://evil.example"}
    shared = anonymous.get("/overround/token", params={"client_id": "zoe"}, headers=origin)
    assert "access-control-allow-origin" not in shared.headers
    assert anonymous.get("/time", headers=origin).headers["access-control-allow-credentials"]


def test_pushes_reach_the_sink(client: httpx.Client) -> None:
    payload = {"notification": {"title": "You won", "body": "4.20"}}
    one = client.post("/push/publish", json={"recipient": {"clientId": "pia"}, **payload})
    assert one.status_code == 204
    batch = [
        {"recipient": [{"clientId": "pia"}, {"clientId": "kim"}], "payload": payload},
        {"recipient": {"clientId": "pia"}, "payload": {"data": {"a": "b"}}},
    ]
    assert client.post("/push/batch/publish", json=batch).status_code == 200
    seen = client.get("/overround/push", params={"client_id": "pia"}).json()
    assert [one["payload"].get("data") for one in seen] == [{"a": "b"}, None, None]
    bad = client.post("/push/batch/publish", json=[batch[1], {"recipient": {}, "payload": payload}])
    assert code_of(bad) == 40020
    assert [("error" in one) for one in bad.json()["batchResponse"]] == [False, True]
    assert code_of(client.post("/push/publish", json={"recipient": {"clientId": "pia"}})) == 40000


@pytest.mark.parametrize("escaped", ["widgets%2F1", "widgets%2f1", "widgets%2F1%2Fmessages"])
def test_that_a_channels_name_may_hold_escaped_slashes(client: httpx.Client, escaped: str) -> None:
    name = unquote(escaped)
    published = client.post(f"/channels/{escaped}/messages", json={"name": "slash", "data": "x"})
    assert published.status_code == 201, published.text
    assert published.json()["channel"] == name
    first = client.get(f"/channels/{escaped}/messages", params={"limit": 1})
    assert names(first) == ["slash"]
    assert client.get(f"/channels/{escaped}").json()["channelId"] == name
    assert client.get(f"/channels/{escaped}/presence").json() == []


def test_that_an_unescaped_slash_still_ends_a_channels_name(client: httpx.Client) -> None:
    assert code_of(client.get("/channels/widgets/1/messages")) == 40400


def test_that_a_nonce_counts_together_with_its_timestamp(
    edge: RunningEdge, anonymous: httpx.Client
) -> None:
    path = f"/keys/{edge.key.partition(':')[0]}/requestToken"
    nonce, now_ms = f"again-{time.time_ns()}", int(time.time() * 1000)
    first = token_request(edge, nonce=nonce, timestamp=now_ms)
    later = token_request(edge, nonce=nonce, timestamp=now_ms + 1)
    assert anonymous.post(path, json=first).status_code == 201
    assert anonymous.post(path, json=later).status_code == 201
    assert code_of(anonymous.post(path, json=first)) == 40105
    assert code_of(anonymous.post(path, json=later)) == 40105
