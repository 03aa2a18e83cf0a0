"""What a namespace says to keep is there after a restart; the rest is not."""

import asyncio
import json
import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path

import httpx

from deploy.edge.channel import Channel
from deploy.edge.keys import EdgeKeys
from deploy.edge.published import when_kept
from deploy.edge.store import SqliteStore
from deploy.edge.wire import Action, Flag, Message
from tests.deploy.edge.peer import peer
from tests.edge_process import running_edge


def test_history_changes_and_figures_survive(
    free_ports: Callable[[int], list[int]], tmp_path: Path
) -> None:
    keys_file = tmp_path / "keys.json"
    keys = EdgeKeys.load_or_create(keys_file, lambda n: "abcdefgh" * (n // 4))
    rules = {"namespaces": [{"id": "kept", "persisted": True, "mutableMessages": True}]}
    keys_file.write_text(json.dumps(json.loads(keys_file.read_text()) | rules))
    (port,) = free_ports(1)
    name, _, secret = keys.backend_key.partition(":")
    options = ("--data", str(tmp_path / "edge.db"))
    with (
        running_edge(port, tmp_path, *options) as edge,
        httpx.Client(base_url=edge.url, auth=(name, secret)) as client,
    ):
        serials = [
            client.post(
                "/channels/kept:a/messages", json={"name": str(n), "data": b.decode()}
            ).json()["serials"][0]
            for n, b in enumerate((b"x", b"y", b"z"))
        ]
        client.post("/channels/lost/messages", json={"name": "gone"})
        path = f"/channels/kept:a/messages/{serials[0]}"
        client.patch(path, json={"action": 1, "data": "changed"}).raise_for_status()
        client.post(f"{path}/annotations", json=[{"type": "seen:total.v1"}]).raise_for_status()
        client.post("/channels/kept:b/messages", json={"name": "p"})
        with peer(edge) as one:
            one.send(Action.ATTACH, channel="kept:b")
            place = one.hear(Action.ATTACHED)["channelSerial"]
        client.post("/channels/kept:b/messages", json={"name": "q"})
    with (
        running_edge(port, tmp_path, *options) as edge,
        httpx.Client(base_url=edge.url, auth=(name, secret)) as client,
    ):
        with peer(edge) as one:
            one.send(Action.ATTACH, channel="kept:b", channelSerial=place)
            assert one.hear(Action.ATTACHED)["flags"] & Flag.RESUMED
            assert one.hear(Action.MESSAGE)["messages"][0]["name"] == "q"
        client.post("/channels/kept:a/messages", json={"name": "3"})
        found = client.get("/channels/kept:a/messages", params={"direction": "forwards"}).json()
        assert [one["name"] for one in found] == ["0", "1", "2", "3"]
        assert found[0]["data"] == "changed"
        assert found[0]["annotations"]["summary"]["seen:total.v1"] == {"total": 1}
        assert len(client.get(f"{path}/versions").json()) == 2
        assert client.get("/channels/lost/messages").json() == []
        figures = client.get("/stats", params={"unit": "day"}).json()
        counted = sum(f["entries"]["messages.inbound.rest.messages.count"] for f in figures)
        assert counted >= 7


def test_what_was_acknowledged_survives_a_kill_and_is_not_doubled(
    free_ports: Callable[[int], list[int]], tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    options = ("--data", str(tmp_path / "edge.db"))
    path = "/channels/outbound:odds:e1/messages"
    with running_edge(port, tmp_path, *options) as edge:
        name, _, secret = edge.key.partition(":")
        with httpx.Client(base_url=edge.url, auth=(name, secret)) as client:
            for number in range(50):
                message = {"id": f"e1:{number}", "name": "odds", "data": str(number)}
                client.post(path, json=message).raise_for_status()
        os.kill(edge.pid, signal.SIGKILL)
    with (
        running_edge(port, tmp_path, *options) as edge,
        httpx.Client(base_url=edge.url, auth=(name, secret)) as client,
    ):
        forwards = {"direction": "forwards"}
        found = [one["data"] for one in client.get(path, params=forwards).json()]
        assert found == [str(number) for number in range(50)]
        # The publisher did not hear of the last one, and sends it again.
        for number in (49, 50):
            message = {"id": f"e1:{number}", "name": "odds", "data": str(number)}
            client.post(path, json=message).raise_for_status()
        found = [one["data"] for one in client.get(path, params=forwards).json()]
        assert found == [str(number) for number in range(51)]


def test_life_after_life_that_is_killed_right_after_an_answer(
    free_ports: Callable[[int], list[int]], tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    options = ("--data", str(tmp_path / "edge.db"))
    channels = [f"outbound:receipts:{number}" for number in range(60)]
    for life in range(3):
        with running_edge(port, tmp_path, *options) as edge:
            name, _, secret = edge.key.partition(":")
            with httpx.Client(base_url=edge.url, auth=(name, secret)) as client:
                for number in range(3):
                    message = {"name": "receipt", "data": f"{life} {number}"}
                    batch = {"channels": channels[number * 10 :], "messages": message}
                    client.post("/messages", json=batch).raise_for_status()
            os.kill(edge.pid, signal.SIGKILL)
    with (
        running_edge(port, tmp_path, *options) as edge,
        httpx.Client(base_url=edge.url, auth=(name, secret)) as client,
    ):
        for index, channel in enumerate(channels):
            path = f"/channels/{channel}/messages"
            found = client.get(path, params={"direction": "forwards"}).json()
            numbers = range(min(3, index // 10 + 1))
            expected = [f"{life} {number}" for life in range(3) for number in numbers]
            assert [one["data"] for one in found] == expected


def test_a_revoked_token_stays_revoked(
    free_ports: Callable[[int], list[int]], tmp_path: Path
) -> None:
    keys_file = tmp_path / "keys.json"
    keys = EdgeKeys.load_or_create(keys_file, lambda n: "abcdefgh" * (n // 4))
    told = json.loads(keys_file.read_text())
    told["keys"][0]["revocable"] = True
    keys_file.write_text(json.dumps(told))
    (port,) = free_ports(1)
    name, _, secret = keys.backend_key.partition(":")
    options = ("--data", str(tmp_path / "edge.db"))

    def codes(client: httpx.Client, tokens: list[str]) -> list[int]:
        answers = [
            httpx.get(f"{client.base_url}/channels/c/messages", params={"access_token": one})
            for one in tokens
        ]
        return [one.json()["error"]["code"] if one.is_error else 0 for one in answers]

    with (
        running_edge(port, tmp_path, *options) as edge,
        httpx.Client(base_url=edge.url, auth=(name, secret)) as client,
    ):
        tokens = [
            client.post(f"/keys/{name}/requestToken", json={"clientId": one}).json()["token"]
            for one in ("ann", "bob")
        ]
        revoked = client.post(f"/keys/{name}/revokeTokens", json={"targets": ["clientId:ann"]})
        assert revoked.json()["successCount"] == 1
        assert codes(client, tokens) == [40141, 0]
        os.kill(edge.pid, signal.SIGKILL)
    with (
        running_edge(port, tmp_path, *options) as edge,
        httpx.Client(base_url=edge.url, auth=(name, secret)) as client,
    ):
        assert codes(client, tokens) == [40141, 0]


def test_nobody_is_told_before_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "edge.db"
    seen: list[int] = []

    async def publish() -> None:
        loop = asyncio.get_running_loop()
        store = SqliteStore(file, loop, "app")
        channel = Channel("outbound:odds:e1", "s", 120_000)
        store.revive("app", channel, 1_000)
        reader = sqlite3.connect(file)

        def told() -> None:
            seen.extend(reader.execute("SELECT count(*) FROM entry").fetchone())

        when_kept(channel.keeper, told)  # nothing waits: at once
        assert seen == [0]
        for number in range(3):
            channel.publish([Message(data=str(number))], f"m{number}", 1_000)
            when_kept(channel.keeper, told)
        assert seen == [0], "not before the round of the loop ends"
        await asyncio.sleep(0.05)
        assert seen == [0, 3, 3, 3]
        reader.close()
        store.close()

    asyncio.run(publish())
