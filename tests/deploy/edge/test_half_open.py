"""Sockets whose other end has gone without a word: the edge lets them go, and only them."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from websockets.asyncio.client import connect

from deploy.edge import server as edge_server
from deploy.edge.application import make_server
from deploy.edge.bounds import CONNECTION_STATE_TTL_MS, SILENCE_MAX_S
from deploy.edge.keys import EdgeKeys, Key
from deploy.edge.server import Edge

KEY = Key("app.key", "secret-of-a-key")
HANDSHAKE = (
    "GET /?key=app.key:secret-of-a-key&format=json HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    "Sec-WebSocket-Version: 13\r\n\r\n"
)
TICK_S = 0.1


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The edge looks at its clock more often: that moves by leaps here."""
    monkeypatch.setattr(edge_server, "TICK_S", TICK_S)


class MovableClock:
    """Time that the test moves on."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def time_ms(self) -> int:
        return 1_800_000_000_000 + int(self.now_s * 1000)

    def monotonic_s(self) -> float:
        return self.now_s


@asynccontextmanager
async def serving(port: int, clock: MovableClock) -> AsyncIterator[Edge]:
    loop = asyncio.get_running_loop()
    numbers = iter(range(10_000_000, 20_000_000))
    keys = EdgeKeys("app", (KEY,))
    edge = Edge(keys, (), clock, lambda _count: str(next(numbers)), loop)
    server = make_server(edge, "127.0.0.1", port, with_guests=False)
    tasks = [asyncio.ensure_future(server.serve()), asyncio.ensure_future(edge.keep_time())]
    try:
        await until(lambda: server.started)
        yield edge
    finally:
        tasks[1].cancel()
        server.should_exit = True
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(test: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not test():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.05)


def test_a_socket_that_answers_no_ping_is_let_go(
    free_ports: Callable[[int], list[int]],
) -> None:
    async def scenario() -> None:
        (port,) = free_ports(1)
        clock = MovableClock()
        async with serving(port, clock) as edge:
            silent = socket.create_connection(("127.0.0.1", port))
            silent.send(HANDSHAKE.encode())
            url = f"ws://127.0.0.1:{port}/?key={KEY.text}"
            async with connect(url, proxy=None) as alive:
                await until(lambda: len(edge.connections) == 2)
                for _ in range(6):  # the one that is there answers each ping meanwhile
                    clock.now_s += SILENCE_MAX_S / 4
                    await asyncio.sleep(3 * TICK_S)
                    await alive.recv()
                await until(lambda: len(edge.sockets) == 1)
                assert len(edge.connections) == 2  # the lost one may yet resume
                clock.now_s += CONNECTION_STATE_TTL_MS / 1000 + 1
                for socket_ in edge.sockets:
                    socket_.heard_s = clock.now_s
                await until(lambda: len(edge.connections) == 1)
                await alive.send('{"action":0,"id":"still"}')
                async with asyncio.timeout(5):
                    while '"still"' not in str(await alive.recv()):
                        pass
            silent.close()

    asyncio.run(scenario())


def test_a_poller_that_asks_no_more_is_let_go(free_ports: Callable[[int], list[int]]) -> None:
    async def scenario() -> None:
        (port,) = free_ports(1)
        clock = MovableClock()
        async with serving(port, clock) as edge:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"GET /comet/connect?key={KEY.text} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert b"200" in await reader.readline()
            await until(lambda: len(edge.sockets) == 1)
            clock.now_s += 40
            await until(lambda: not edge.sockets)
            assert [one.socket for one in edge.connections.all()] == [None]
            writer.close()
            await writer.wait_closed()

    asyncio.run(scenario())
