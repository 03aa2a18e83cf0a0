"""A stretch of network between browser and edge that a test can cut and mend."""

import contextlib
import socket
import threading
from collections.abc import Callable
from functools import partial


class Relay:
    """Forwards TCP on `port` of loopback to `target_port`, until cut; mended, it forwards again."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._is_cut = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._spawn(self._accept)

    def __enter__(self) -> "Relay":
        return self

    def __exit__(self, *_error: object) -> None:
        # A blocked accept is woken by shutdown, not by close.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def cut(self) -> None:
        """Drop every connection, and each new one at once."""
        with self._lock:
            self._is_cut = True
            for one in self._open:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Take connections again."""
        with self._lock:
            self._is_cut = False

    def _spawn(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return  # closed
            with self._lock:
                if self._is_cut:
                    near.close()
                    continue
            try:
                far = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:
                near.close()
                continue
            with self._lock:
                self._open |= {near, far}
            pair = threading.Barrier(2, action=partial(self._close, near, far))
            self._spawn(self._pump, near, far, pair)
            self._spawn(self._pump, far, near, pair)

    def _pump(self, source: socket.socket, sink: socket.socket, pair: threading.Barrier) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        pair.wait(10)

    def _close(self, *sockets: socket.socket) -> None:
        with self._lock:
            self._open -= set(sockets)
        for one in sockets:
            one.close()
