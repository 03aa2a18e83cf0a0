"""Updates, deletions, appends and annotations over REST, and who may make them."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from deploy.edge.wire import MODES, Action, Flag
from tests.deploy.edge.peer import peer
from tests.edge_process import RunningEdge


def published(rest: httpx.Client, channel: str, **message: Any) -> str:
    serials = rest.post(f"/channels/{channel}/messages", json=message).json()["serials"]
    return str(serials[0])


def code_of(response: httpx.Response) -> int:
    code: int = response.json()["error"]["code"]
    return code


def test_a_message_has_versions_and_one_place(rest: httpx.Client) -> None:
    serial = published(rest, "mutable:a", name="n", data="one", extras={"headers": {"k": "v"}})
    path = f"/channels/mutable:a/messages/{serial}"
    why = {"description": "typo", "metadata": {"by": "me"}, "clientId": "ann"}
    first = rest.patch(path, json={"action": 1, "data": "two", "version": why}).json()
    rest.patch(path, json={"action": 5, "data": "+"}).raise_for_status()
    last = rest.patch(path, json={"action": 2}).json()
    newest = rest.get(path).json()
    assert (newest["name"], newest["data"], newest["action"]) == ("n", "two+", 2)
    assert newest["extras"] == {"headers": {"k": "v"}}
    versions = rest.get(f"{path}/versions").json()
    assert [one["action"] for one in versions] == [0, 1, 1, 2]
    assert versions[0]["version"]["serial"] == serial
    assert versions[1]["version"]["serial"] == first["versionSerial"]
    assert versions[1]["version"]["description"] == "typo"
    assert versions[3]["version"]["serial"] == last["versionSerial"]
    moments = [one["version"]["timestamp"] for one in versions]
    assert moments == sorted(set(moments))
    (listed,) = rest.get("/channels/mutable:a/messages").json()
    assert listed["version"]["serial"] == last["versionSerial"]


@pytest.mark.parametrize(
    ("serial", "body", "code"),
    [
        ("01700000000000-000@none:000", {"action": 1}, 40400),
        ("nonsense", {"action": 1}, 40400),
        (None, {"action": 0}, 40000),
        (None, {"action": 3}, 40000),
        (None, [], 40000),
        (None, {"action": 5, "data": {"a": 1}, "encoding": "utf-8"}, 40013),
        (None, {"action": 1, "data": "x" * 70_000}, 40009),
    ],
)
def test_a_bad_change_is_refused(
    rest: httpx.Client, serial: str | None, body: Any, code: int
) -> None:
    known = published(rest, "mutable:bad", data="AAAA", encoding="base64")
    response = rest.patch(f"/channels/mutable:bad/messages/{serial or known}", json=body)
    assert code_of(response) == code


def test_own_messages_and_others(
    new_app: Callable[..., dict[str, Any]], sandbox: RunningEdge
) -> None:
    capability = '{"*":["publish","history","message-update-own","message-delete-any"]}'
    app = new_app(keys=[{}, {"capability": capability}])
    key = app["keys"][1]
    base = f"{sandbox.url}/channels/mutable:own/messages"
    auth = (key["keyName"], key["keySecret"])
    asked = {"clientId": "ann"}
    token = httpx.post(f"{sandbox.url}/keys/{auth[0]}/requestToken", json=asked, auth=auth).json()[
        "token"
    ]
    bearer = {"Authorization": f"Bearer {token}"}
    mine = httpx.post(base, json={"data": "m"}, headers=bearer).json()["serials"][0]
    theirs = httpx.post(base, json={"data": "t"}, auth=auth).json()["serials"][0]

    def change(serial: str, action: int) -> int:
        body = {"action": action, "data": "x"}
        return httpx.patch(f"{base}/{serial}", json=body, headers=bearer).status_code

    assert [change(mine, 1), change(theirs, 1), change(theirs, 2)] == [200, 401, 200]


def test_annotations_are_told_counted_and_listed(app_edge: RunningEdge, rest: httpx.Client) -> None:
    serial = published(rest, "mutable:n", name="m", data="d")
    path = f"/channels/mutable:n/messages/{serial}/annotations"
    with peer(app_edge, clientId="ann") as one:
        modes = "subscribe,annotation_publish,annotation_subscribe"
        one.send(Action.ATTACH, channel="mutable:n", params={"modes": modes})
        flags = one.hear(Action.ATTACHED)["flags"]
        assert flags & MODES["annotation_subscribe"]
        note = {"messageSerial": serial, "type": "like:flag.v1", "action": 0}
        one.send(Action.ANNOTATION, channel="mutable:n", msgSerial=0, annotations=[note])
        heard = one.hear(Action.ANNOTATION)["annotations"][0]
        assert heard["serial"] > serial
        assert heard["clientId"] == "ann"
        summary = one.hear(Action.MESSAGE)["messages"][0]
        assert (summary["action"], summary["serial"], summary["name"]) == (4, serial, "m")
        assert summary["annotations"]["summary"]["like:flag.v1"]["total"] == 1
        one.hear(Action.ACK)
        for _ in range(3):
            body = [{"type": "seen:total.v1"}]
            assert rest.post(path, json=body).status_code == 201
    assert len(rest.get(path).json()) == 4
    first = rest.get(path, params={"limit": "3"})
    assert len(rest.get(str(first.url.join(first.links["next"]["url"]))).json()) == 1
    (listed,) = rest.get("/channels/mutable:n/messages").json()
    assert listed["annotations"]["summary"]["seen:total.v1"] == {"total": 3}
    assert listed["action"] == 0
    assert code_of(rest.post(path, json=[{"type": "x:distinct.v1", "name": "n"}])) == 40012
    assert code_of(rest.post(path, json=[])) == 40000


def test_changes_are_sent_again_to_who_missed_them(
    app_edge: RunningEdge, rest: httpx.Client
) -> None:
    with peer(app_edge) as one:
        serial = published(rest, "mutable:r", data="a")
        one.send(Action.ATTACH, channel="mutable:r")
        place = one.hear(Action.ATTACHED)["channelSerial"]
        one.send(Action.DETACH, channel="mutable:r")
        one.hear(Action.DETACHED)
        rest.patch(f"/channels/mutable:r/messages/{serial}", json={"action": 5, "data": "b"})
        one.send(Action.ATTACH, channel="mutable:r", channelSerial=place)
        assert one.hear(Action.ATTACHED)["flags"] & Flag.RESUMED
        missed = one.hear(Action.MESSAGE)["messages"][0]
        assert (missed["action"], missed["data"], missed["serial"]) == (5, "b", serial)
    with peer(app_edge) as late:
        late.send(Action.ATTACH, channel="mutable:r", params={"rewind": "1"})
        whole = late.hear(Action.MESSAGE)["messages"][0]
        assert (whole["action"], whole["data"]) == (1, "ab")
