"""What a client may do right after another: attach twice, resume twice, lose an answer."""

import httpx

from deploy.edge.wire import Action, Flag
from tests.deploy.edge.peer import Peer, peer
from tests.edge_process import RunningEdge


def key_of(one: Peer) -> str:
    key: str = one.hear(Action.CONNECTED)["connectionDetails"]["connectionKey"]
    return key


def test_a_resumed_connection_has_a_new_key_and_the_old_one_for_once(
    app_edge: RunningEdge,
) -> None:
    with peer(app_edge) as one:
        first = one.hear(Action.CONNECTED)
        keys = [first["connectionDetails"]["connectionKey"]]
    for resume in (0, 0, 1):  # the answer to the second was lost: asked with the same key again
        with peer(app_edge, resume=keys[resume]) as one:
            frame = one.hear(Action.CONNECTED)
            assert frame["connectionId"] == first["connectionId"]
            assert "error" not in frame
            key = frame["connectionDetails"]["connectionKey"]
            if key not in keys:
                keys.append(key)
    assert len(keys) == 3
    # A client tells by what is between "!" and the last hyphen whether it has its connection.
    with peer(app_edge) as other:
        new = key_of(other)
    parts = {key.partition("!")[2].rpartition("-")[0] for key in keys}
    assert len(parts) == 1
    assert new.partition("!")[2].rpartition("-")[0] not in {"", *parts}
    assert all(key.count("!") == key.count("-") == 1 for key in (*keys, new))
    with peer(app_edge, resume=keys[0]) as one:
        stale = one.hear(Action.CONNECTED)
        assert stale["error"]["code"] == 80018
        assert stale["connectionId"] != first["connectionId"]


def test_recovering_gives_a_new_key_too(app_edge: RunningEdge) -> None:
    with peer(app_edge) as one:
        key = key_of(one)
    with peer(app_edge, recover=key) as one:
        again = key_of(one)
        assert again != key
        # SDKs compare what is before the hyphen to tell whether it is the same connection.
        assert again.split("-")[0] == key.split("-")[0]
    with peer(app_edge) as other:
        assert key_of(other).split("-")[0] != key.split("-")[0]


def test_a_rewind_asked_for_before_the_first_answer_counts(
    app_edge: RunningEdge, rest: httpx.Client
) -> None:
    """A client attaches, then changes its mind at once: the two are one attachment."""
    rest.post("/channels/c/messages", json={"name": "old"})
    with peer(app_edge) as one:
        one.send(Action.ATTACH, channel="c")
        one.send(Action.ATTACH, channel="c", params={"rewind": "1"})
        one.hear(Action.ATTACHED)
        assert one.hear(Action.ATTACHED)["flags"] & Flag.HAS_BACKLOG
        assert one.hear(Action.MESSAGE)["messages"][0]["name"] == "old"
        # Now that it is attached, asking again rewinds no more.
        one.send(Action.ATTACH, channel="c", params={"rewind": "1"})
        again = one.hear(Action.ATTACHED)
        assert again["flags"] & Flag.RESUMED
        assert not again["flags"] & Flag.HAS_BACKLOG


def test_what_was_heard_is_not_rewound(app_edge: RunningEdge, rest: httpx.Client) -> None:
    with peer(app_edge) as one:
        one.send(Action.ATTACH, channel="h")
        one.hear(Action.ATTACHED)
        rest.post("/channels/h/messages", json={"name": "heard"})
        one.hear(Action.MESSAGE)
        one.send(Action.ATTACH, channel="h", params={"rewind": "1"})
        assert not one.hear(Action.ATTACHED)["flags"] & Flag.HAS_BACKLOG


def test_a_client_that_says_it_resumes_is_not_rewound(
    app_edge: RunningEdge, rest: httpx.Client
) -> None:
    rest.post("/channels/r/messages", json={"name": "old"})
    with peer(app_edge) as one:
        flags = int(Flag.ATTACH_RESUME)
        one.send(Action.ATTACH, channel="r", params={"rewind": "1"}, flags=flags)
        attached = one.hear(Action.ATTACHED)
        assert not attached["flags"] & (Flag.HAS_BACKLOG | Flag.RESUMED)


def test_history_between_two_moments_told_of_is_exact(rest: httpx.Client) -> None:
    moments = []
    for batch in range(3):
        for number in range(4):
            rest.post("/channels/moments/messages", json={"name": f"{batch}-{number}"})
        moments += rest.get("/time").json()
    between = {"start": moments[0], "end": moments[1], "direction": "forwards"}
    found = rest.get("/channels/moments/messages", params=between).json()
    assert [message["name"] for message in found] == ["1-0", "1-1", "1-2", "1-3"]
