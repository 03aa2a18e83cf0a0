"""A TCP proxy on loopback, in a thread of its own, that can hold back one process's traffic.

Held back means silence, as on a cut cable: nothing is forwarded either way and nothing is closed;
what waited flows on when the cable is mended.
"""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self

import psutil

CHUNK_BYTES = 65_536
WAIT_S = 10.0


def _pid_of(port: int) -> int | None:
    """Process that holds the connection from this local port."""
    for connection in psutil.net_connections("tcp"):
        if connection.laddr and connection.laddr.port == port and connection.pid:
            return int(connection.pid)
    return None


class Cable:
    """One proxied connection: who opened it, and whether it carries anything now."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.carries = asyncio.Event()
        self.carries.set()


class Proxy:
    """Listens on `port`, forwards to `target`; use as a context manager."""

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._cables: set[Cable] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cut: set[int] = set()  # process ids
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._ask(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ask(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(WAIT_S)
        self._loop.close()

    def cut(self, pid: int) -> int:
        """Carry nothing of this process any more, new connections too; return how many it has."""

        async def now() -> int:
            self._cut.add(pid)
            mine = [cable for cable in self._cables if _pid_of(cable.port) == pid]
            for cable in mine:
                cable.carries.clear()
            return len(mine)

        return int(self._ask(now()))

    def mend(self) -> None:
        """Carry everything again."""

        async def now() -> None:
            self._cut.clear()
            for cable in self._cables:
                cable.carries.set()

        self._ask(now())

    def _ask(self, what: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(WAIT_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cable = Cable(writer.get_extra_info("peername")[1])
        self._cables.add(cable)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        if self._cut and _pid_of(cable.port) in self._cut:
            cable.carries.clear()
        far: asyncio.StreamWriter | None = None
        try:
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._target)
            ways = (
                asyncio.create_task(self._carry(cable, reader, far)),
                asyncio.create_task(self._carry(cable, far_reader, writer)),
            )
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except (OSError, asyncio.CancelledError):
            return  # the broker is away, or the test is over
        finally:
            self._cables.discard(cable)
            self._tasks.discard(task)
            for end in (writer, far):
                if end is not None:
                    with contextlib.suppress(OSError):
                        end.close()

    async def _carry(
        self, cable: Cable, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                await cable.carries.wait()
                writer.write(data)
                await writer.drain()

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
