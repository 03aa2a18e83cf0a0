"""Registered devices, channel subscriptions, and where pushes arrive."""

import base64
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from deploy.edge.wire import Action
from tests.deploy.edge.peer import peer
from tests.edge_process import RunningEdge

DEVICES = "/push/deviceRegistrations"
SUBSCRIPTIONS = "/push/channelSubscriptions"


def device(device_id: str, **fields: Any) -> dict[str, Any]:
    recipient = {"transportType": "fcm", "registrationToken": "t"}
    return {
        "id": device_id,
        "platform": "android",
        "formFactor": "phone",
        "deviceSecret": "hidden",
        "push": {"recipient": recipient},
        **fields,
    }


def code_of(response: httpx.Response) -> int:
    code: int = response.json()["error"]["code"]
    return code


def test_devices_are_kept_found_and_removed(rest: httpx.Client) -> None:
    for n in range(3):
        made = rest.put(f"{DEVICES}/d{n}", json=device(f"d{n}", clientId=f"c{n % 2}"))
        assert made.status_code == 200
        assert made.json()["push"]["state"] == "ACTIVE"
        assert "hidden" not in made.text
    assert rest.patch(f"{DEVICES}/d0", json={"metadata": {"a": 1}}).json()["metadata"] == {"a": 1}
    assert rest.get(f"{DEVICES}/d0").json()["deviceSecret"] == "hidden"  # asked for by itself
    assert "hidden" not in rest.get(DEVICES).text
    assert [one["id"] for one in rest.get(DEVICES, params={"clientId": "c0"}).json()] == [
        "d0",
        "d2",
    ]
    first = rest.get(DEVICES, params={"limit": "2"})
    assert len(rest.get(str(first.url.join(first.links["next"]["url"]))).json()) == 1
    assert len(rest.get(DEVICES, params={"limit": "5000"}).json()) == 3
    for _ in range(2):  # what is gone can be removed again
        assert rest.delete(f"{DEVICES}/d0").status_code == 204
    assert code_of(rest.get(f"{DEVICES}/d0")) == 40400
    assert rest.delete(DEVICES, params={"clientId": "c0"}).status_code == 204
    assert [one["id"] for one in rest.get(DEVICES).json()] == ["d1"]
    assert code_of(rest.delete(DEVICES)) == 40000


@pytest.mark.parametrize(
    "bad",
    [
        {},
        device("x", platform="toaster"),
        device("x", formFactor="fridge"),
        device("x", push={"color": "red"}),
        device("x", push={"recipient": {"transportType": "pigeon"}}),
        device("other"),
    ],
)
def test_a_bad_device_is_refused(rest: httpx.Client, bad: dict[str, Any]) -> None:
    assert code_of(rest.put(f"{DEVICES}/x", json=bad)) == 40000


def test_subscriptions(rest: httpx.Client) -> None:
    rest.put(f"{DEVICES}/d", json=device("d", clientId="c"))
    channel = "pushenabled:a"
    for one in ({"deviceId": "d"}, {"clientId": "c"}, {"deviceId": "d"}):
        assert rest.post(SUBSCRIPTIONS, json={"channel": channel, **one}).status_code == 201
    assert len(rest.get(SUBSCRIPTIONS, params={"channel": channel}).json()) == 2
    both = {"deviceId": "d", "clientId": "c"}
    assert rest.get(SUBSCRIPTIONS, params=both).json() == []
    assert len(rest.get(SUBSCRIPTIONS, params={**both, "concatFilters": "true"}).json()) == 2
    assert rest.get("/push/channels").json() == [channel]
    absent = {"channel": channel, "deviceId": "absent"}
    assert code_of(rest.post(SUBSCRIPTIONS, json=absent)) == 40000
    assert code_of(rest.post(SUBSCRIPTIONS, json={"channel": "plain", "deviceId": "d"})) == 40160
    assert code_of(rest.post(SUBSCRIPTIONS, json={"channel": channel, **both})) == 40000
    for _ in range(2):
        gone = rest.delete(SUBSCRIPTIONS, params={"channel": channel, "clientId": "c"})
        assert gone.status_code == 204
    rest.delete(f"{DEVICES}/d")
    assert rest.get("/push/channels").json() == []


def test_a_device_acts_for_itself_alone(
    new_app: Callable[..., dict[str, Any]], sandbox: RunningEdge
) -> None:
    app = new_app(keys=[{}, {"capability": '{"*":["push-subscribe"]}'}])
    key = app["keys"][1]
    with httpx.Client(base_url=sandbox.url, auth=(key["keyName"], key["keySecret"])) as client:
        made = client.post(DEVICES, json=device("own"))
        assert made.status_code == 201
        token = made.json()["deviceIdentityToken"]["token"]
        proof = {"X-Ably-DeviceToken": base64.b64encode(token.encode()).decode()}
        assert code_of(client.get(f"{DEVICES}/own")) == 40100
        shown = client.get(f"{DEVICES}/own", headers=proof)
        assert shown.status_code == 200
        assert "hidden" not in shown.text  # a stolen token must not give the secret away
        wrong = client.post(DEVICES, json=device("own", deviceSecret="guess"))
        assert code_of(wrong) == 40100
        own = {"channel": "pushenabled:x", "deviceId": "own"}
        assert client.post(SUBSCRIPTIONS, json=own).status_code == 401
        assert client.post(SUBSCRIPTIONS, json=own, headers=proof).status_code == 201
        assert client.get(DEVICES, headers=proof).status_code == 401


def test_pushes_arrive_on_a_test_channel_and_failures_on_the_log(
    new_app: Callable[..., dict[str, Any]], sandbox: RunningEdge
) -> None:
    app = new_app(keys=[{"capability": '{"[*]*":["*"],"*":["*"]}'}])
    key = app["keys"][0]
    recipient = {
        "transportType": "ablyChannel",
        "channel": "sink",
        "ablyKey": key["keyStr"],
        "ablyUrl": sandbox.url,
    }
    auth = (key["keyName"], key["keySecret"])
    with (
        httpx.Client(base_url=sandbox.url, auth=auth) as client,
        peer(RunningEdge(sandbox.port, key["keyStr"])) as one,
    ):
        for channel in ("sink", "[meta]log:push"):
            one.send(Action.ATTACH, channel=channel)
            one.hear(Action.ATTACHED)
        client.put(f"{DEVICES}/d", json=device("d", clientId="c", push={"recipient": recipient}))
        hears = {"channel": "pushenabled:s", "clientId": "c"}
        client.post(SUBSCRIPTIONS, json=hears)
        push = {"notification": {"title": "won"}}
        for target in (recipient, {"deviceId": "d"}, {"clientId": "c"}):
            sent = client.post("/push/publish", json={"recipient": target, **push})
            assert sent.status_code == 204
        client.post("/channels/pushenabled:s/messages", json={"extras": {"push": push}})
        for _ in range(4):
            message = one.hear(Action.MESSAGE)["messages"][0]
            assert (message["name"], message["data"]) == (
                "__ably_push__",
                '{"notification":{"title":"won"}}',
            )
        client.post("/push/publish", json={"recipient": {"deviceId": "absent"}, **push})
        frame = one.hear(Action.MESSAGE)
        assert frame["channel"] == "[meta]log:push"
        assert "103001" in frame["messages"][0]["data"]
