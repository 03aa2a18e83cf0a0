"""Realtime over plain requests: the same protocol as on a WebSocket, asked for bit by bit."""

import concurrent.futures
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from deploy.edge.actions import PresenceAction
from deploy.edge.wire import Action, Flag
from tests.edge_process import RunningEdge

WAIT_S = 10


class Poller:
    """A client that asks over and over."""

    def __init__(self, edge: RunningEdge, **query: str) -> None:
        self.http = httpx.Client(base_url=f"{edge.url}/comet", timeout=30, params={"key": edge.key})
        response = self.http.get("/connect", params={"v": "5", **query})
        self.first = frames_of(response)
        self.key = self.first[0].get("connectionDetails", {}).get("connectionKey", "")

    def path(self, verb: str) -> str:
        return f"/{quote(self.key, safe='')}/{verb}"

    def send(self, *frames: dict[str, Any]) -> httpx.Response:
        return self.http.post(self.path("send"), json=list(frames))

    def recv(self) -> list[dict[str, Any]]:
        return frames_of(self.http.get(self.path("recv")))

    def hear(self, action: Action) -> dict[str, Any]:
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            for frame in self.recv():
                if frame["action"] == action:
                    return frame
        raise AssertionError(f"no {action.name}")


def frames_of(response: httpx.Response) -> list[dict[str, Any]]:
    assert response.text.endswith("]\n")  # a client that reads a stream takes lines
    found: list[dict[str, Any]] = response.json()
    return found


@pytest.fixture
def poll(app_edge: RunningEdge) -> Iterator[Callable[..., Poller]]:
    """Factory: `poll(clientId="ann")` connects; closed after the test."""
    made: list[Poller] = []

    def connect(**query: str) -> Poller:
        made.append(Poller(app_edge, **query))
        return made[-1]

    yield connect
    for one in made:
        if one.key:
            one.http.get(one.path("close"))
        one.http.close()


def test_attach_publish_and_hear(poll: Callable[..., Poller], rest: httpx.Client) -> None:
    one = poll()
    assert one.first[0]["action"] == Action.CONNECTED
    assert one.send({"action": Action.ATTACH, "channel": "c"}).status_code == 201
    attached = one.hear(Action.ATTACHED)
    assert attached["flags"] & Flag.SUBSCRIBE
    messages = [{"name": "a", "data": "1"}]
    one.send({"action": Action.MESSAGE, "channel": "c", "msgSerial": 0, "messages": messages})
    frames = {frame["action"]: frame for frame in one.recv()}
    assert frames[Action.ACK]["msgSerial"] == 0
    assert frames[Action.MESSAGE]["messages"][0]["data"] == "1"
    rest.post("/channels/c/messages", json={"name": "b", "data": "2"})
    assert one.hear(Action.MESSAGE)["messages"][0]["name"] == "b"


def test_a_request_is_held_until_there_is_something(poll: Callable[..., Poller]) -> None:
    one = poll()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        held = pool.submit(one.recv)
        time.sleep(0.3)
        assert not held.done()
        one.send({"action": Action.HEARTBEAT, "id": "ping"})
        assert held.result(WAIT_S) == [{"action": Action.HEARTBEAT, "id": "ping"}]


def test_a_second_request_ends_the_first(poll: Callable[..., Poller]) -> None:
    one = poll()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        first = pool.submit(one.recv)
        time.sleep(0.3)
        second = pool.submit(one.recv)
        assert first.result(WAIT_S) == []
        one.send({"action": Action.HEARTBEAT, "id": "x"})
        assert second.result(WAIT_S)[0]["id"] == "x"


def test_a_disconnected_client_resumes_without_a_gap(
    poll: Callable[..., Poller], rest: httpx.Client
) -> None:
    one = poll()
    one.send({"action": Action.ATTACH, "channel": "r"})
    serial = one.hear(Action.ATTACHED)["channelSerial"]
    assert one.http.get(one.path("disconnect")).status_code == 204
    assert one.recv()[-1]["action"] == Action.DISCONNECTED
    for n in range(3):
        rest.post("/channels/r/messages", json={"data": str(n)})
    other = poll(resume=one.key)
    assert other.first[0]["connectionId"] == one.first[0]["connectionId"]
    other.send({"action": Action.ATTACH, "channel": "r", "channelSerial": serial})
    frames = other.recv()
    heard = [m["data"] for f in frames for m in f.get("messages", ())]
    assert frames[0]["flags"] & Flag.RESUMED
    assert heard == ["0", "1", "2"]


def test_closing_ends_the_connection_and_its_presence(
    poll: Callable[..., Poller], rest: httpx.Client
) -> None:
    one = poll(clientId="ann")
    enter = [{"action": int(PresenceAction.ENTER)}]
    one.send(
        {"action": Action.ATTACH, "channel": "p"},
        {"action": Action.PRESENCE, "channel": "p", "msgSerial": 0, "presence": enter},
    )
    one.hear(Action.ACK)
    assert len(rest.get("/channels/p/presence").json()) == 1
    assert one.http.get(one.path("close")).status_code == 204
    assert one.recv()[-1]["action"] == Action.CLOSED
    assert rest.get("/channels/p/presence").json() == []


def test_a_refused_client_is_told_by_a_frame(app_edge: RunningEdge) -> None:
    wrong = RunningEdge(app_edge.port, app_edge.key + "x")
    one = Poller(wrong)
    one.http.close()
    told = one.first
    assert (told[0]["action"], told[0]["error"]["code"]) == (Action.ERROR, 40101)


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"{}", 400), (b"[1]", 400), (b'[{"action":"x"}]', 400), (b"[[[[", 400)],
)
def test_what_is_no_array_of_frames_is_refused(
    poll: Callable[..., Poller], body: bytes, status: int
) -> None:
    one = poll()
    assert one.http.post(one.path("send"), content=body).status_code == status
    one.send({"action": Action.HEARTBEAT, "id": "alive"})
    assert one.hear(Action.HEARTBEAT)["id"] == "alive"


def test_a_wrong_key_reaches_nobody(poll: Callable[..., Poller]) -> None:
    one = poll()
    right = one.key
    for wrong in ("nobody!x", right[:-1] + ("a" if right[-1] != "a" else "b"), "x"):
        one.key = wrong
        response = one.http.get(one.path("recv"))
        assert response.json()["error"]["code"] == 80018
    one.key = right


def test_another_app_cannot_use_a_connection(
    poll: Callable[..., Poller], new_app: Callable[..., dict[str, Any]]
) -> None:
    one = poll()
    foreign = new_app()["keys"][0]["keyStr"]
    response = one.http.get(one.path("recv"), params={"key": foreign})
    assert response.json()["error"]["code"] == 40102
