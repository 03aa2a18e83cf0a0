"""Apps made over REST, kept apart from each other, with the rules of their namespaces."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest

from deploy.edge.wire import Action
from tests.deploy.edge.peer import peer
from tests.edge_process import RunningEdge


def auth_of(app: dict[str, Any], index: int = 0) -> tuple[str, str]:
    key = app["keys"][index]
    return key["keyName"], key["keySecret"]


def code_of(response: httpx.Response) -> int:
    code: int = response.json()["error"]["code"]
    return code


def test_an_app_has_the_keys_and_fixtures_asked_for(
    new_app: Callable[..., dict[str, Any]], sandbox: RunningEdge
) -> None:
    capability = '{ "b":["subscribe","publish"], "a:*":["*"] }'
    app = new_app(
        keys=[{}, {"capability": capability}],
        channels=[{"name": "persisted:f", "presence": [{"clientId": "x", "data": "1"}]}],
    )
    assert app["keys"][0]["keyStr"] == ":".join(auth_of(app))
    assert json.loads(app["keys"][1]["capability"]) == {"a:*": ["*"], "b": ["publish", "subscribe"]}
    assert {one["id"] for one in app["namespaces"]} >= {"persisted", "mutable"}
    members = httpx.get(f"{sandbox.url}/channels/persisted:f/presence", auth=auth_of(app)).json()
    assert [(one["clientId"], one["data"], one["action"]) for one in members] == [("x", "1", 1)]
    told = httpx.get(f"{sandbox.url}/channels/persisted:f/presence/history", auth=auth_of(app))
    assert [one["action"] for one in told.json()] == [2]


def test_apps_do_not_see_each_other(
    new_app: Callable[..., dict[str, Any]], sandbox: RunningEdge
) -> None:
    one, other = new_app(), new_app()
    path = f"{sandbox.url}/channels/c/messages"
    httpx.post(path, json={"name": "x"}, auth=auth_of(one))
    assert httpx.get(path, auth=auth_of(other)).json() == []
    refused = httpx.delete(f"{sandbox.url}/apps/{one['appId']}", auth=auth_of(other))
    assert refused.status_code == 401


def test_without_the_option_there_is_no_sandbox(edge: RunningEdge) -> None:
    assert httpx.post(f"{edge.url}/apps", json={}).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"keys": 5},
        {"keys": [{"capability": "x"}]},
        {"namespaces": [{}]},
        {"keys": [{"capability": '{"a":["publish_"]}'}]},
        {"keys": [{"capability": '{"a":["*","publish"]}'}]},
    ],
)
def test_a_bad_app_is_refused(sandbox: RunningEdge, body: Any) -> None:
    assert code_of(httpx.post(f"{sandbox.url}/apps", json=body)) == 40000


def test_rules_of_namespaces(rest: httpx.Client) -> None:
    assert code_of(rest.post("/channels/tls:x/messages", json={"name": "a"})) == 40311
    assert code_of(rest.post("/channels/named:x/messages", json={"name": "a"})) == 40012
    named = {"name": "a", "clientId": "ann"}
    assert rest.post("/channels/named:x/messages", json=named).status_code == 201
    serial = rest.post("/channels/plain/messages", json={"name": "a"}).json()["serials"][0]
    change = rest.patch(f"/channels/plain/messages/{serial}", json={"action": 1, "data": "b"})
    assert code_of(change) == 93002
    assert code_of(rest.post("/channels/[meta]log/messages", json={"name": "a"})) == 40160


def test_channels_are_listed_by_prefix_and_page(rest: httpx.Client) -> None:
    for name in ("list:a", "list:b", "list:c", "other"):
        rest.post(f"/channels/{name}/messages", json={"name": "x"})
    query = {"prefix": "list:", "by": "id", "limit": "2"}
    first = rest.get("/channels", params=query)
    assert first.json() == ["list:a", "list:b"]
    assert rest.get(str(first.url.join(first.links["next"]["url"]))).json() == ["list:c"]
    (details,) = rest.get("/channels", params={"prefix": "other"}).json()
    assert details["status"]["isActive"] is True
    assert rest.get("/channels", params={"by": "x"}).status_code == 400


def test_answers_take_the_form_asked_for(rest: httpx.Client) -> None:
    enveloped = rest.get("/channels/none/messages/x", params={"envelope": "json"})
    assert enveloped.status_code == 200
    assert enveloped.json()["statusCode"] == 404
    assert enveloped.json()["response"]["error"]["code"] == 40400
    packed = rest.get("/channels/none/messages", params={"envelope": "msgpack"})
    assert msgspec.msgpack.decode(packed.content)["statusCode"] == 200
    asked = {"Accept": "application/x-msgpack", "Origin": "http://a.example"}
    assert rest.get("/channels/none/messages/x", headers=asked).json()["error"]["code"] == 40400
    page = rest.get("/channels/a<b/messages", headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "a&lt;b" in page.text
    path = "/channels/raw/messages"
    raw = rest.post(
        path,
        params={"enveloped": "false"},
        content=b"\x00\x01",
        headers={"Content-Type": "application/octet-stream"},
    )
    assert raw.status_code == 201
    assert rest.get(path).json()[0]["data"] == "AAE="


def test_a_rest_message_may_speak_for_a_connection(
    app_edge: RunningEdge, rest: httpx.Client
) -> None:
    with peer(app_edge) as one:
        hello = one.hear(Action.CONNECTED)
        key = hello["connectionDetails"]["connectionKey"]
        path = "/channels/for/messages"
        assert rest.post(path, json={"connectionKey": key, "name": "a"}).status_code == 201
        assert rest.get(path).json()[0]["connectionId"] == hello["connectionId"]
        assert code_of(rest.post(path, json={"connectionKey": "wrong", "name": "a"})) == 40006


def test_tokens_are_revoked_at_once(
    new_app: Callable[..., dict[str, Any]], sandbox: RunningEdge
) -> None:
    app = new_app(keys=[{"revocableTokens": True}, {}])
    name = app["keys"][0]["keyName"]
    path = f"{sandbox.url}/keys/{name}"
    details = httpx.post(f"{path}/requestToken", json={"clientId": "z"}, auth=auth_of(app)).json()
    held = RunningEdge(sandbox.port, "")
    with peer(held, key="", access_token=details["token"]) as one:
        one.hear(Action.CONNECTED)
        targets = {"targets": ["clientId:z", "nonsense:y", "channel:c"]}
        result = httpx.post(f"{path}/revokeTokens", json=targets, auth=auth_of(app)).json()
        assert (result["successCount"], result["failureCount"]) == (2, 1)
        assert one.hear(Action.DISCONNECTED)["error"]["code"] == 40141
    bearer = {"Authorization": f"Bearer {details['token']}"}
    again = httpx.get(f"{sandbox.url}/channels/c/messages", headers=bearer)
    assert code_of(again) == 40141
    other = httpx.post(
        f"{sandbox.url}/keys/{app['keys'][1]['keyName']}/revokeTokens",
        json=targets,
        auth=auth_of(app, 1),
    )
    assert code_of(other) == 40163
    fresh = httpx.post(f"{path}/requestToken", json={"clientId": "z"}, auth=auth_of(app)).json()
    bearer = {"Authorization": f"Bearer {fresh['token']}"}
    assert httpx.get(f"{sandbox.url}/channels/c/messages", headers=bearer).status_code == 200


def test_an_app_says_where_it_is_served(
    new_app: Callable[..., dict[str, Any]], sandbox: RunningEdge
) -> None:
    app = new_app()
    assert (app["endpoint"], app["port"], app["tls"]) == ("127.0.0.1", sandbox.port, False)


def test_whether_there_is_a_sandbox_can_be_asked_by_anybody(sandbox: RunningEdge) -> None:
    assert httpx.post(f"{sandbox.url}/stats", json=[]).status_code == 201
    assert httpx.post(f"{sandbox.url}/stats", json=[{"intervalId": "x"}]).status_code == 401
