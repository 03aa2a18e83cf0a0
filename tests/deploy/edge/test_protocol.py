"""The realtime protocol frame by frame, where an SDK cannot be made to do what a fault does."""

import base64
import contextlib
import json
import socket
import time

import httpx
import msgspec
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from deploy.edge.wire import Action, Flag
from tests.deploy.edge.peer import WAIT_S, Peer, peer
from tests.edge_process import RunningEdge


def names(edge: RunningEdge, channel: str) -> list[str]:
    name, _, secret = edge.key.partition(":")
    found = httpx.get(
        f"{edge.url}/channels/{channel}/messages?direction=forwards&limit=1000", auth=(name, secret)
    )
    return [message["name"] for message in found.json()]


def test_messages_sent_again_after_a_cut_count_once(edge: RunningEdge) -> None:
    with peer(edge) as first:
        hello = first.hear(Action.CONNECTED)
        for serial in range(5):
            first.publish("again", serial, f"m{serial}")
        before = first.acknowledged(5)
        # The client never saw these answers: its socket went.
        first.socket.socket.shutdown(socket.SHUT_RDWR)
    key = hello["connectionDetails"]["connectionKey"]
    with peer(edge, resume=key) as second:
        resumed = second.hear(Action.CONNECTED)
        assert resumed["connectionId"] == hello["connectionId"]
        assert "error" not in resumed
        for serial in range(2, 8):
            second.publish("again", serial, f"m{serial}")
        after = second.acknowledged(6)
    assert names(edge, "again") == [f"m{serial}" for serial in range(8)]
    assert {s: after[s] for s in range(2, 5)} == {s: before[s] for s in range(2, 5)}


def test_a_wrong_resume_key_gives_a_new_connection_and_says_so(edge: RunningEdge) -> None:
    with peer(edge) as one:
        hello = one.hear(Action.CONNECTED)
    forged = hello["connectionDetails"]["connectionKey"].rpartition("-")[0] + "-forged"
    with peer(edge, resume=forged) as other:
        fresh = other.hear(Action.CONNECTED)
        assert fresh["connectionId"] != hello["connectionId"]
        assert fresh["error"]["code"] == 80018


def test_another_client_cannot_resume_a_connection(edge: RunningEdge) -> None:
    with peer(edge, clientId="ann") as ann:
        key = ann.hear(Action.CONNECTED)["connectionDetails"]["connectionKey"]
        with peer(edge, clientId="bob", resume=key) as bob:
            assert bob.hear(Action.ERROR, Action.CONNECTED)["action"] == Action.ERROR
        assert ann.is_alive("still here")


def test_attaching_with_a_serial_replays_what_was_missed(edge: RunningEdge) -> None:
    with peer(edge) as one:
        one.hear(Action.CONNECTED)
        one.publish("missed", 0, "a")
        one.acknowledged(1)
        one.send(Action.ATTACH, channel="missed")
        serial = one.hear(Action.ATTACHED)["channelSerial"]
        one.send(Action.DETACH, channel="missed")
        one.hear(Action.DETACHED)
        one.publish("missed", 1, "b")
        one.publish("missed", 2, "c")
        one.acknowledged(2)
        one.send(Action.ATTACH, channel="missed", channelSerial=serial)
        attached = one.hear(Action.ATTACHED)
        assert attached["flags"] & Flag.RESUMED
        heard = [one.hear(Action.MESSAGE)["messages"][0]["name"] for _ in range(2)]
        assert heard == ["b", "c"]


def test_attaching_with_an_unknown_serial_is_told_as_a_gap(edge: RunningEdge) -> None:
    with peer(edge) as one:
        one.hear(Action.CONNECTED)
        one.send(Action.ATTACH, channel="gap", channelSerial="00000000000001-000@other")
        attached = one.hear(Action.ATTACHED)
        assert not attached["flags"] & Flag.RESUMED
        assert attached["error"]["code"] == 90005


def test_parameters_in_a_channel_name_count(edge: RunningEdge) -> None:
    with peer(edge) as one:
        one.hear(Action.CONNECTED)
        one.publish("named", 0, "a")
        one.acknowledged(1)
        one.send(Action.ATTACH, channel="[?rewind=1]named")
        attached = one.hear(Action.ATTACHED)
        assert attached["channel"] == "[?rewind=1]named"
        assert attached["flags"] & Flag.HAS_BACKLOG
        assert one.hear(Action.MESSAGE)["channel"] == "[?rewind=1]named"
        one.publish("named", 1, "b")
        assert one.hear(Action.MESSAGE)["messages"][0]["name"] == "b"


def test_a_channel_is_held_filtered_and_whole_side_by_side(app_edge: RunningEdge) -> None:
    filtered = "[filter=" + base64.b64encode(b'name == `"goal"`').decode() + "]match"
    with peer(app_edge, clientId="ann") as one:
        for name in (filtered, "match"):
            one.send(Action.ATTACH, channel=name)
            assert one.hear(Action.ATTACHED, Action.DETACHED)["channel"] == name
        one.publish("match", 0, "goal")
        heard = {one.hear(Action.MESSAGE, Action.DETACHED)["channel"] for _ in range(2)}
        assert heard == {filtered, "match"}
        one.publish("match", 1, "corner")
        frame = one.hear(Action.MESSAGE)
        assert (frame["channel"], frame["messages"][0]["name"]) == ("match", "corner")
        one.send(Action.PRESENCE, channel="match", msgSerial=2, presence=[{"action": 2}])
        one.hear(Action.PRESENCE)
        one.send(Action.DETACH, channel=filtered)
        one.hear(Action.DETACHED)
        one.publish("match", 3, "goal")
        assert one.hear(Action.MESSAGE, Action.PRESENCE)["channel"] == "match"
        name, _, secret = app_edge.key.partition(":")
        at = f"{app_edge.url}/channels/match"
        metrics = httpx.get(at, auth=(name, secret)).json()["status"]["occupancy"]["metrics"]
        assert (metrics["connections"], metrics["presenceMembers"]) == (1, 1)


def test_a_refused_message_is_not_acknowledged_and_those_after_it_are(edge: RunningEdge) -> None:
    with peer(edge) as one:
        one.hear(Action.CONNECTED)
        one.publish("mixed", 0, "a")
        one.send(Action.MESSAGE, channel="mixed", msgSerial=1, messages=[{"data": 5}])
        one.publish("mixed", 2, "c")
        assert one.hear(Action.ACK, Action.NACK)["action"] == Action.ACK
        nack = one.hear(Action.ACK, Action.NACK)
        assert (nack["action"], nack["msgSerial"], nack["error"]["code"]) == (Action.NACK, 1, 40013)
        assert one.hear(Action.ACK, Action.NACK)["msgSerial"] == 2
    assert names(edge, "mixed") == ["a", "c"]


def test_a_new_token_takes_effect_at_once(edge: RunningEdge) -> None:
    def token(name: str) -> str:
        got = httpx.get(f"{edge.url}/overround/token", params={"client_id": name}).json()
        return str(got["token"])

    url = f"ws://127.0.0.1:{edge.port}/?access_token={token('tom')}"
    with connect(url, proxy=None) as socket:
        tom = Peer(socket)
        hello = tom.hear(Action.CONNECTED)
        tom.send(Action.AUTH, auth={"accessToken": token("tom")})
        update = tom.hear(Action.CONNECTED)
        assert update["connectionId"] == hello["connectionId"]
        tom.send(Action.AUTH, auth={"accessToken": token("not-tom")})
        assert tom.hear(Action.ERROR)["error"]["code"] == 40102


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        "nonsense",
        "{}",
        "[]",
        '{"action": "ATTACH"}',
        '{"action": 99}',
        '{"action": 4}',
        '{"action": 15, "channel": "c", "messages": [{}]}',
        '{"action": 15, "channel": "c", "msgSerial": -1, "messages": [{}]}',
        '{"action": 17}',
        "[" * 200_000,
        b"\xff\xfe\x00",
        "x" * 600_000,
    ],
    ids=lambda raw: repr(raw[:24]),
)
def test_a_hostile_frame_ends_only_its_own_connection(edge: RunningEdge, raw: str | bytes) -> None:
    with peer(edge) as bystander:
        bystander.hear(Action.CONNECTED)
        with peer(edge) as hostile:
            hostile.hear(Action.CONNECTED)
            hostile.socket.send(raw)
            with contextlib.suppress(ConnectionClosed):
                for frame in hostile.socket:
                    assert json.loads(frame)["action"] == Action.ERROR
        assert bystander.is_alive()


@pytest.mark.parametrize("name", ["", ":x", "*", ",", "a" * 3_000, "nul\x00"])
def test_a_bad_channel_name_fails_that_channel_only(edge: RunningEdge, name: str) -> None:
    with peer(edge) as one:
        one.hear(Action.CONNECTED)
        one.send(Action.ATTACH, channel=name)
        assert one.hear(Action.ERROR)["channel"] == name
        one.publish(name, 0, "x")
        assert one.hear(Action.NACK)["error"]["code"] == 40010
        one.send(Action.ATTACH, channel="fine")
        assert one.hear(Action.ATTACHED)["channel"] == "fine"


@pytest.mark.parametrize("rewind", ["-1", "1.5", "1h", "x", "٣"])
def test_a_bad_rewind_is_refused(edge: RunningEdge, rewind: str) -> None:
    with peer(edge) as one:
        one.hear(Action.CONNECTED)
        one.send(Action.ATTACH, channel="c", params={"rewind": rewind})
        assert one.hear(Action.ERROR)["error"]["code"] == 40003


def test_without_credentials_the_socket_is_refused_with_a_code(edge: RunningEdge) -> None:
    with connect(f"ws://127.0.0.1:{edge.port}/any/path", proxy=None) as socket:
        refusal = json.loads(socket.recv(WAIT_S))
        assert refusal["action"] == Action.ERROR
        assert refusal["error"]["code"] == 40101
        with pytest.raises(ConnectionClosed):
            socket.recv(WAIT_S)


def test_a_key_that_is_not_known_is_a_wrong_credential(edge: RunningEdge) -> None:
    with peer(RunningEdge(edge.port, "no.such:secret")) as one:
        assert one.hear(Action.ERROR, Action.CONNECTED)["error"]["code"] == 40101


def test_a_ping_is_answered_in_more_than_a_millisecond(edge: RunningEdge) -> None:
    with peer(edge) as one:
        one.hear(Action.CONNECTED)
        asked_s = time.perf_counter()
        one.send(Action.HEARTBEAT, id="p1")
        while one.hear(Action.HEARTBEAT).get("id") != "p1":
            pass
        assert time.perf_counter() - asked_s > 0.001


def test_messagepack_clients_get_binary_frames(edge: RunningEdge) -> None:
    with peer(edge, format="msgpack") as one:
        raw = one.socket.recv(WAIT_S)
        assert isinstance(raw, bytes)
        assert msgspec.msgpack.decode(raw)["action"] == Action.CONNECTED
