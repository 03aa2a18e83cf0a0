"""The unmodified Ably SDK for Python against the edge: realtime, in both formats."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from ably import AblyRealtime, AblyRest
from ably.types.channeloptions import ChannelOptions
from ably.types.message import Message
from ably.util.exceptions import AblyException

from tests.browser.relay import Relay
from tests.edge_process import RunningEdge, running_edge

WAIT_S = 20.0
BOTH = pytest.mark.parametrize("is_binary", [True, False], ids=["msgpack", "json"])


@asynccontextmanager
async def realtime(
    port: int, is_binary: bool = True, **options: Any
) -> AsyncIterator[AblyRealtime]:
    """A connected client, closed at the end. The slash makes the SDK keep the port."""
    client = AblyRealtime(
        endpoint=f"127.0.0.1:{port}/",
        tls=False,
        use_binary_protocol=is_binary,
        disconnected_retry_timeout=200,
        **options,
    )
    try:
        await asyncio.wait_for(client.connection.once_async("connected"), WAIT_S)
        yield client
    finally:
        await client.close()


async def until(probe: Callable[[], Any]) -> None:
    """Wait for a true value."""
    async with asyncio.timeout(WAIT_S):
        while not probe():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


def token_for(edge: RunningEdge, name: str) -> str:
    found = httpx.get(f"{edge.url}/overround/token", params={"client_id": name}).json()
    return str(found["token"])


def run(test: Awaitable[None]) -> None:
    async def bounded() -> None:
        await asyncio.wait_for(test, 2 * WAIT_S)

    asyncio.run(bounded())


@BOTH
def test_all_kinds_of_data_arrive_in_order(edge: RunningEdge, is_binary: bool) -> None:
    async def scenario() -> None:
        heard: list[Message] = []
        async with (
            realtime(edge.port, is_binary, key=edge.key, client_id="ann") as sender,
            realtime(edge.port, not is_binary, key=edge.key) as listener,
        ):
            channel = f"kinds-{is_binary}"
            await listener.channels.get(channel).subscribe(lambda m: heard.append(m))
            sent: list[Any] = ["text", {"a": [1, None]}, [1, "two"], b"\x00\xff", None, "", "é☃"]
            for number, data in enumerate(sent):
                await sender.channels.get(channel).publish(f"n{number}", data)
            await until(lambda: len(heard) == len(sent))
            assert [message.name for message in heard] == [f"n{i}" for i in range(len(sent))]
            assert [message.data for message in heard] == sent
            assert {message.client_id for message in heard} == {"ann"}
            assert len({message.id for message in heard}) == len(sent)

    run(scenario())


@BOTH
def test_rewind_gives_what_was_before(edge: RunningEdge, is_binary: bool) -> None:
    async def scenario() -> None:
        heard: list[str] = []
        async with realtime(edge.port, is_binary, key=edge.key) as client:
            name = f"rewound-{is_binary}"
            for number in range(5):
                await client.channels.get(name).publish(str(number), None)
        async with realtime(edge.port, is_binary, key=edge.key) as late:
            channel = late.channels.get(name, ChannelOptions(params={"rewind": "3"}))
            await channel.subscribe(lambda message: heard.append(message.name))
            await channel.publish("5", None)
            await until(lambda: len(heard) == 4)
        assert heard == ["2", "3", "4", "5"]

    run(scenario())


@BOTH
def test_rest_and_realtime_see_one_channel(edge: RunningEdge, is_binary: bool) -> None:
    async def scenario() -> None:
        heard: list[Any] = []
        name = f"shared-{is_binary}"
        async with realtime(edge.port, is_binary, key=edge.key) as listener:
            await listener.channels.get(name).subscribe(lambda m: heard.append(m.data))
            async with AblyRest(
                key=edge.key,
                use_token_auth=True,
                endpoint="127.0.0.1",
                port=edge.port,
                tls=False,
                use_binary_protocol=is_binary,
            ) as rest:
                for number in range(3):
                    await rest.channels.get(name).publish("n", {"number": number})
                page = await rest.channels.get(name).history(limit=2, direction="forwards")
                assert [m.data["number"] for m in page.items] == [0, 1]
                page = await page.next()
                assert [m.data["number"] for m in page.items] == [2]
                assert not page.has_next()
            await until(lambda: len(heard) == 3)
        assert heard == [{"number": 0}, {"number": 1}, {"number": 2}]

    run(scenario())


def test_a_bound_token_stamps_and_limits(edge: RunningEdge) -> None:
    async def scenario() -> None:
        heard: list[Message] = []
        async with (
            realtime(edge.port, key=edge.key) as backend,
            realtime(edge.port, token=token_for(edge, "guest")) as guest,
        ):
            assert guest.auth.client_id == "guest"
            await backend.channels.get("inbound:bets:stamp").subscribe(lambda m: heard.append(m))
            bets = guest.channels.get("inbound:bets:stamp")
            await bets.publish("bet", {"client_id": "somebody else"})
            await until(lambda: heard)
            assert heard[0].client_id == "guest"
            with pytest.raises(AblyException) as refusal:
                await guest.channels.get("outbound:bets:another").attach()
            assert refusal.value.code == 40160
            with pytest.raises(AblyException) as refusal:
                await guest.channels.get("outbound:odds:stamp").publish("odds", {})
            assert refusal.value.code == 40160

    run(scenario())


@BOTH
def test_a_cut_connection_resumes_without_loss_or_repeat(
    edge: RunningEdge, is_binary: bool
) -> None:
    async def scenario(relay: Relay) -> None:
        heard: list[str] = []
        name = f"cut-{is_binary}"
        async with (
            realtime(edge.port, is_binary, key=edge.key) as sender,
            realtime(relay.port, is_binary, key=edge.key) as listener,
        ):
            await listener.channels.get(name).subscribe(lambda m: heard.append(m.name))
            first_id = listener.connection.connection_manager.connection_id
            for number in range(60):
                await sender.channels.get(name).publish(str(number), None)
                if number in (10, 30):
                    await asyncio.to_thread(relay.cut)
                if number in (20, 40):
                    await asyncio.to_thread(relay.mend)
                    await until(lambda: listener.connection.state == "connected")
            await until(lambda: len(heard) >= 60)
            assert heard == [str(number) for number in range(60)]
            assert listener.connection.connection_manager.connection_id == first_id

    with Relay(edge.port) as relay:
        run(scenario(relay))


def test_after_a_restart_clients_come_back_and_are_told_of_the_gap(
    free_ports: Callable[[int], list[int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    (port,) = free_ports(1)
    folder = tmp_path_factory.mktemp("restart")

    async def scenario(relay: Relay) -> None:
        heard: list[str] = []
        changes: list[Any] = []
        running = running_edge(port, folder)
        edge = await asyncio.to_thread(running.__enter__)
        try:
            async with realtime(relay.port, key=edge.key) as client:
                channel = client.channels.get("again")
                await channel.subscribe(lambda m: heard.append(m.name))
                await channel.publish("before", None)
                await until(lambda: heard == ["before"])
                channel.on("attached", lambda change: changes.append(change))
                await asyncio.to_thread(running.__exit__, None, None, None)
                running = running_edge(port, folder)
                await asyncio.to_thread(running.__enter__)
                await until(lambda: changes)
                assert not changes[0].resumed
                await channel.publish("after", None)
                await until(lambda: heard == ["before", "after"])
        finally:
            await asyncio.to_thread(running.__exit__, None, None, None)

    # Through a relay, as the SDK waits ten seconds where a port is closed.
    with Relay(port) as relay:
        run(scenario(relay))


def test_a_ping_is_answered(edge: RunningEdge) -> None:
    async def scenario() -> None:
        async with realtime(edge.port, key=edge.key) as client:
            assert 0 < await client.connection.ping() < 5_000

    run(scenario())
