"""A TCP connection to a process, to hear of its death at once: the kernel closes it.

Ray tells of a killed actor after more than a second; a closed socket is seen within a millisecond.
Nothing is sent over it. A frozen process or a lost node does not close it: rounds see those.
"""

import logging
import select
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

__all__ = ["Address", "Lifeline", "Lifelines"]

logger = logging.getLogger(__name__)

HELD_MAX: Final = 16
CONNECT_TIMEOUT_S: Final = 0.5
LOOK_S: Final = 0.1
CONNECT_AGAIN_S: Final = 1.0

Address = tuple[str, int]


class Lifeline:
    """The end that lives in the watched process; its constructor does not raise."""

    def __init__(self, host: str) -> None:
        self.address: Address | None = None
        try:
            listening = socket.create_server((host, 0), backlog=HELD_MAX)
        except OSError as error:
            logger.warning("no lifeline at %s: %s", host, error)
            return
        self.address = (host, int(listening.getsockname()[1]))
        threading.Thread(target=self._accept, args=(listening,), daemon=True).start()

    def _accept(self, listening: socket.socket) -> None:
        held: list[socket.socket] = []
        while True:
            try:
                held.append(listening.accept()[0])
            except OSError as error:
                logger.warning("a lifeline was not taken: %s", error)
                time.sleep(LOOK_S)
            if len(held) > HELD_MAX:
                held.pop(0).close()


class Lifelines:
    """The end of who watches: calls `lost(name)` once when a process ends."""

    def __init__(self, lost: Callable[[str], None]) -> None:
        self._lost = lost
        self._wanted: dict[str, Address] = {}
        self._held: dict[str, tuple[Address, socket.socket]] = {}
        self._refused: dict[Address, float] = {}  # when it may be tried again
        self._stop = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def want(self, addresses: Mapping[str, Address]) -> None:
        """Watch exactly these from now on."""
        self._wanted = dict(addresses)

    def stop(self) -> None:
        """Watch no more."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._look()
            except Exception:
                # Rounds still see every death, only later.
                logger.exception("lifelines")
                self._stop.wait(LOOK_S)
        for _, held in self._held.values():
            held.close()

    def _look(self) -> None:
        wanted = self._wanted
        for name, (address, held) in list(self._held.items()):
            if wanted.get(name) != address:
                held.close()
                del self._held[name]
        for name, address in wanted.items():
            if name not in self._held:
                self._connect(name, address)
        sockets = {held: name for name, (_, held) in self._held.items()}
        if not sockets:
            self._stop.wait(LOOK_S)
            return
        ready, _, _ = select.select(list(sockets), [], [], LOOK_S)
        for held in ready:
            name = sockets[held]
            address, _ = self._held.pop(name)
            held.close()
            self._refused[address] = time.monotonic() + CONNECT_AGAIN_S
            self._lost(name)

    def _connect(self, name: str, address: Address) -> None:
        now_s = time.monotonic()
        if self._refused.get(address, 0.0) > now_s:
            return
        try:
            self._held[name] = (address, socket.create_connection(address, CONNECT_TIMEOUT_S))
            self._refused.pop(address, None)
        except OSError:
            # Not there (any more): the next health says where, or that it is gone.
            self._refused = {a: s for a, s in self._refused.items() if s > now_s}
            self._refused[address] = now_s + CONNECT_AGAIN_S
