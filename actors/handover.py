"""How one process has another end: over a TCP connection, which the other's end closes.

The claim that a process notes is `HOST:PORT/SECRET`, of a port of its own. Who knows the secret may
ask it to end; the connection stays open until its loop has ended. A process that is dead refuses
the connection, so that nothing is waited for after a kill.
"""

import hmac
import logging
import secrets
import socket
import threading
import time
from collections.abc import Callable
from typing import Final

__all__ = ["Handover", "end_holder"]

logger = logging.getLogger(__name__)

SECRET_BYTES: Final = 24
ASKED_BYTES_MAX: Final = 128
HELD_MAX: Final = 16
ASKING_TIMEOUT_S: Final = 0.5
ACCEPT_AGAIN_S: Final = 0.1
CONNECT_TIMEOUT_S: Final = 1.0
#: A request to the edge that is under way takes up to 10 s.
END_WAIT_MAX_S: Final = 12.0


class Handover:
    """The side of who may be asked; its constructor does not raise."""

    def __init__(self, host: str) -> None:
        self.claim = ""
        self.asked = False
        self._lock = threading.Lock()
        self._end: Callable[[], None] | None = None
        self._held: list[socket.socket] = []
        self._listening: socket.socket | None = None
        self._secret = secrets.token_urlsafe(SECRET_BYTES).encode()
        try:
            self._listening = socket.create_server((host, 0), backlog=HELD_MAX)
        except OSError as error:
            logger.warning("nobody can ask for a handover at %s: %s", host, error)
            return
        port = self._listening.getsockname()[1]
        self.claim = f"{host}:{port}/{self._secret.decode()}"
        threading.Thread(target=self._serve, args=(self._listening,), daemon=True).start()

    def on_asked(self, end: Callable[[], None]) -> None:
        """Call this once when asked, at once where that was before."""
        with self._lock:
            self._end = end
            asked = self.asked
        if asked:
            end()

    def ended(self) -> None:
        """Tell who waits that the loop has ended."""
        with self._lock:
            held, self._held = self._held, []
            listening, self._listening = self._listening, None
        if listening is not None:
            # Wakes the thread that accepts, which a mere close does not.
            for act in (lambda: listening.shutdown(socket.SHUT_RDWR), listening.close):
                _quietly(act)
        for one in held:
            _quietly(one.close)

    def _serve(self, listening: socket.socket) -> None:
        while self._listening is listening:
            try:
                self._hear(listening.accept()[0])
            except OSError as error:
                if self._listening is listening:
                    logger.warning("a handover was not heard: %s", error)
                    time.sleep(ACCEPT_AGAIN_S)

    def _hear(self, connection: socket.socket) -> None:
        connection.settimeout(ASKING_TIMEOUT_S)
        try:
            told = connection.recv(ASKED_BYTES_MAX)
        except OSError:
            told = b""
        if not hmac.compare_digest(told, self._secret):
            connection.close()
            return
        with self._lock:
            self.asked = True
            self._held.append(connection)
            dropped = self._held.pop(0) if len(self._held) > HELD_MAX else None
            end, gone = self._end, self._listening is None
        if dropped is not None:
            dropped.close()
        if gone:
            connection.close()
        if end is not None:
            end()


def end_holder(claim: str) -> bool:
    """Have the process of a claim end, and wait until it has, at most `END_WAIT_MAX_S`.

    Returns whether it has ended: it was not there any more, or closed the connection. False too
    where the claim cannot be read.
    """
    address, _, secret = claim.partition("/")
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or not secret:
        return False
    try:
        connection = socket.create_connection((host, int(port)), CONNECT_TIMEOUT_S)
    except ConnectionRefusedError:
        return True
    except OSError as error:
        logger.warning("the process at %s cannot be asked: %s", address, error)
        return False
    with connection:
        try:
            connection.sendall(secret.encode())
            connection.settimeout(END_WAIT_MAX_S)
            return not connection.recv(1)
        except TimeoutError:
            return False
        except OSError:
            return True  # it ended without a word


def _quietly(act: Callable[[], None]) -> None:
    try:
        act()
    except OSError as error:
        logger.debug("already closed: %s", error)
