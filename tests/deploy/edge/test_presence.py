"""Presence frame by frame: who is told what, and when members are thought gone."""

import re
import socket
from typing import Any, Final

import httpx
import pytest

from deploy.edge.actions import PresenceAction
from deploy.edge.wire import Action, Flag
from tests.deploy.edge.peer import Peer, peer
from tests.edge_process import RunningEdge

ENTER, LEAVE, UPDATE = PresenceAction.ENTER, PresenceAction.LEAVE, PresenceAction.UPDATE
SYNC_SERIAL: Final = re.compile(r"([\w-]+):(.*)")  # as ably-js takes it apart, which is narrowest


def say(one: Peer, channel: str, serial: int, action: int, **fields: Any) -> dict[str, Any]:
    one.send(
        Action.PRESENCE, channel=channel, msgSerial=serial, presence=[{"action": action, **fields}]
    )
    return one.hear(Action.ACK, Action.NACK)


def attached(one: Peer, channel: str, **fields: Any) -> dict[str, Any]:
    one.send(Action.ATTACH, channel=channel, **fields)
    return one.hear(Action.ATTACHED, Action.ERROR)


def told(one: Peer) -> list[tuple[int, str, Any]]:
    frame = one.hear(Action.PRESENCE)
    return [(m["action"], m["clientId"], m.get("data")) for m in frame["presence"]]


def test_coming_change_and_going_are_told(app_edge: RunningEdge) -> None:
    with peer(app_edge, clientId="ann") as ann, peer(app_edge) as other:
        ann.hear(Action.CONNECTED)
        attached(other, "p")
        assert attached(ann, "p")["flags"] & Flag.HAS_PRESENCE == 0
        assert say(ann, "p", 0, ENTER, data="a")["action"] == Action.ACK
        assert told(other) == [(ENTER, "ann", "a")]
        say(ann, "p", 1, ENTER, data="b")
        assert told(other) == [(UPDATE, "ann", "b")]
        say(ann, "p", 2, LEAVE)
        assert told(other) == [(LEAVE, "ann", "b")]
        say(ann, "p", 3, UPDATE)
        assert told(other) == [(ENTER, "ann", None)]
        ann.send(Action.DETACH, channel="p")
        assert told(other) == [(LEAVE, "ann", None)]


def test_a_late_comer_is_told_all_members_in_parts(app_edge: RunningEdge) -> None:
    with peer(app_edge) as one, peer(app_edge) as late:
        attached(one, "many")
        for serial in range(5):
            members = [{"action": int(ENTER), "clientId": f"c{serial}-{n}"} for n in range(50)]
            one.send(Action.PRESENCE, channel="many", msgSerial=serial, presence=members)
        one.acknowledged(5)
        assert attached(late, "many")["flags"] & Flag.HAS_PRESENCE
        found, cursor, sequences = set(), "more", set()
        while cursor:
            frame = late.hear(Action.SYNC)
            apart = SYNC_SERIAL.fullmatch(frame["channelSerial"])
            assert apart is not None
            sequences.add(apart[1])
            cursor = apart[2]
            found |= {member["clientId"] for member in frame["presence"]}
            assert {member["action"] for member in frame["presence"]} == {PresenceAction.PRESENT}
        assert len(found) == 250
        assert len(sequences) == 1


@pytest.mark.parametrize(
    ("query", "fields", "code"),
    [
        ({}, {}, 91000),
        ({"clientId": "ann"}, {"clientId": "bob"}, 40012),
        ({"clientId": "ann"}, {"clientId": "*"}, 40012),
        ({"clientId": "ann"}, {"data": 5}, 40013),
        ({"clientId": "ann"}, {"data": "x" * 66_000}, 40009),
    ],
)
def test_who_may_not_enter(
    app_edge: RunningEdge, query: dict[str, str], fields: dict[str, Any], code: int
) -> None:
    with peer(app_edge, **query) as one:
        attached(one, "refused")
        assert say(one, "refused", 0, ENTER, **fields)["error"]["code"] == code


def test_modes_and_attachment_decide_what_presence_does(app_edge: RunningEdge) -> None:
    with peer(app_edge, clientId="ann") as ann:
        assert say(ann, "m", 0, ENTER)["error"]["code"] == 91001
        attached(ann, "m", params={"modes": "subscribe,presence_subscribe"})
        assert say(ann, "m", 1, ENTER)["error"]["code"] == 40160


def test_members_stay_through_a_cut_and_leave_when_it_lasts(app_edge: RunningEdge) -> None:
    with peer(app_edge) as other:
        attached(other, "cut")
        with peer(app_edge, clientId="ann", remainPresentFor="100") as ann:
            key = ann.hear(Action.CONNECTED)["connectionDetails"]["connectionKey"]
            attached(ann, "cut")
            say(ann, "cut", 0, ENTER)
            assert told(other)[0][:2] == (ENTER, "ann")
            ann.socket.socket.shutdown(socket.SHUT_RDWR)
        with peer(app_edge, clientId="ann", resume=key, remainPresentFor="100") as again:
            again.hear(Action.CONNECTED)
            assert attached(again, "cut")["flags"] & Flag.HAS_PRESENCE
            again.hear(Action.SYNC)
            again.socket.socket.shutdown(socket.SHUT_RDWR)
        assert told(other)[0][:2] == (LEAVE, "ann")


def test_closing_leaves_at_once_and_rest_knows(app_edge: RunningEdge, rest: httpx.Client) -> None:
    with peer(app_edge, clientId="ann") as ann, peer(app_edge) as other:
        attached(other, "gone")
        attached(ann, "gone")
        say(ann, "gone", 0, ENTER, data="here")
        (member,) = rest.get("/channels/gone/presence").json()
        assert (member["clientId"], member["data"], member["action"]) == ("ann", "here", 1)
        assert rest.get("/channels/gone/presence", params={"clientId": "x"}).json() == []
        metrics = rest.get("/channels/gone").json()["status"]["occupancy"]["metrics"]
        assert (metrics["presenceMembers"], metrics["connections"]) == (1, 2)
        ann.send(Action.CLOSE)
        ann.hear(Action.CLOSED)
        assert [one[0] for one in told(other) + told(other)] == [ENTER, LEAVE]
        history = rest.get("/channels/gone/presence/history", params={"direction": "forwards"})
        assert [one["action"] for one in history.json()] == [ENTER, LEAVE]
        batch = rest.get("/presence", params={"channels": "gone,never"}).json()
        assert batch["successCount"] == 2


def test_occupancy_is_told_to_those_who_ask(app_edge: RunningEdge) -> None:
    with peer(app_edge) as one:
        attached(one, "seen", params={"occupancy": "metrics.subscribers"})
        first = one.hear(Action.MESSAGE)["messages"][0]
        assert (first["name"], first["data"]) == (
            "[meta]occupancy",
            '{"metrics":{"subscribers":1}}',
        )
        with peer(app_edge) as two:
            attached(two, "seen")
            while True:
                data = one.hear(Action.MESSAGE)["messages"][0]["data"]
                if data == '{"metrics":{"subscribers":2}}':
                    break


def test_a_member_that_its_client_enters_again_is_no_news(app_edge: RunningEdge) -> None:
    """A client that cannot tell whether it is still present enters with the id of before."""
    with peer(app_edge, clientId="ann") as ann, peer(app_edge) as other:
        mine = ann.hear(Action.CONNECTED)["connectionId"]
        attached(other, "again")
        attached(ann, "again")
        say(ann, "again", 0, ENTER, data="a")
        member_id = other.hear(Action.PRESENCE)["presence"][0]["id"]
        assert member_id == f"{mine}:0:0"
        assert say(ann, "again", 1, ENTER, data="a", id=member_id)["action"] == Action.ACK
        say(ann, "again", 2, ENTER, data="b", id="of-somebody:0:0")
        frame = other.hear(Action.PRESENCE)["presence"][0]
        assert (frame["action"], frame["data"], frame["id"]) == (UPDATE, "b", f"{mine}:2:0")
