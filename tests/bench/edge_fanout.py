"""How much one edge process delivers: one channel to many, many channels to few, and REST batches.

Run with `python -m tests.bench.edge_fanout [SUBSCRIBERS]`; prints its conditions. Subscribers are
raw WebSockets in processes of their own that do nothing but cut the stream into frames; publisher
and edge share the machine with them. Delivery is timed from just before the publication is sent.
"""

import argparse
import asyncio
import base64
import json
import multiprocessing
import os
import platform
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import psutil
import uvloop

from tests.conftest import free_ports
from tests.edge_process import RunningEdge, running_edge

CLIENT_PROCESSES = 2
MESSAGES = 20
PAUSE_S = 0.1
IMAGE = json.dumps({"selections": [{"selection_id": n, "odds_e4": 20_000 + n} for n in range(8)]})
CLOSED = b'{"action":8}'


class Listener(asyncio.Protocol):
    """One subscriber: shakes hands, attaches, and notes when each message came."""

    def __init__(self, edge: RunningEdge, channel: str, ready: Callable[[], None]) -> None:
        self._edge = edge
        self._channel = channel
        self._ready = ready
        self._buffer = bytearray()
        self._is_open = False
        self.came_ns: list[int] = []
        self.sent_ns: list[int] = []

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        nonce = base64.b64encode(os.urandom(16)).decode()
        transport.write(
            f"GET /?key={quote(self._edge.key)}&v=5&format=json HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{self._edge.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {nonce}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        now_ns = time.monotonic_ns()
        buffer = self._buffer
        buffer += data
        if not self._is_open:
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            del buffer[: end + 4]
            self._is_open = True
            attach = json.dumps({"action": 10, "channel": self._channel}).encode()
            mask = b"\x00\x00\x00\x00"  # a mask all the same, as the protocol asks for one
            self._transport.write(bytes((0x81, 0x80 | len(attach))) + mask + attach)
        while len(buffer) >= 2:
            size, start = buffer[1], 2
            if size == 126:
                size, start = int.from_bytes(buffer[2:4], "big"), 4
            if len(buffer) < start + size:
                return
            self._frame(bytes(buffer[start : start + size]), now_ns)
            del buffer[: start + size]

    def _frame(self, frame: bytes, now_ns: int) -> None:
        if frame.startswith(b'{"action":11'):
            self._ready()
        elif frame.startswith(b'{"action":15'):
            at = frame.index(b'"name":"t') + 9
            self.sent_ns.append(int(frame[at : frame.index(b'"', at)]))
            self.came_ns.append(now_ns)


def listen(edge: RunningEdge, channels: list[str], pipe: Any) -> None:
    """Hold one subscriber a channel named; report when all are attached, and what they heard."""
    _raise_file_limit()
    uvloop.run(_listen(edge, channels, pipe))


async def _listen(edge: RunningEdge, channels: list[str], pipe: Any) -> None:
    loop = asyncio.get_running_loop()
    attached = asyncio.Semaphore(0)
    listeners = []
    for index, channel in enumerate(channels):
        listener = Listener(edge, channel, attached.release)
        await loop.create_connection(lambda made=listener: made, "127.0.0.1", edge.port)
        listeners.append(listener)
        if index >= 100:  # so many handshakes at a time
            await attached.acquire()
    for _ in range(min(100, len(channels))):
        await attached.acquire()
    pipe.send("attached")
    while not pipe.poll():  # noqa: ASYNC110 - a pipe has no event
        await asyncio.sleep(0.02)
    pipe.recv()
    delays = [
        came - sent
        for one in listeners
        for came, sent in zip(one.came_ns, one.sent_ns, strict=True)
    ]
    last = max((one.came_ns[-1] for one in listeners if one.came_ns), default=0)
    pipe.send((delays, last))


def _raise_file_limit() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def measure(
    title: str, edge: RunningEdge, process: psutil.Process, channels: list[str], rounds: int
) -> None:
    """Let subscribers listen to these channels, one each, and publish to each channel in turn."""
    idle_bytes = process.memory_info().rss
    pipes, workers = [], []
    for n in range(CLIENT_PROCESSES):
        here, there = multiprocessing.Pipe()
        share = channels[n::CLIENT_PROCESSES]
        worker = multiprocessing.Process(target=listen, args=(edge, share, there))
        worker.start()
        pipes.append(here)
        workers.append(worker)
    try:
        for pipe in pipes:
            assert pipe.recv() == "attached"
        held_bytes = process.memory_info().rss - idle_bytes
        name, _, secret = edge.key.partition(":")
        distinct = sorted(set(channels))
        cpu_before = sum(process.cpu_times()[:2])
        began_ns = time.monotonic_ns()
        with httpx.Client(base_url=edge.url, auth=(name, secret), timeout=60) as client:
            for _ in range(rounds):
                _publish(client, distinct)
                time.sleep(PAUSE_S)
            _wait_idle(process)
        cpu_s = sum(process.cpu_times()[:2]) - cpu_before
        for pipe in pipes:
            pipe.send("report")
        found = [pipe.recv() for pipe in pipes]
    finally:
        for worker in workers:
            worker.join(10)
            worker.kill()
    delays = sorted(delay for part, _ in found for delay in part)
    took_s = (max(last for _, last in found) - began_ns) / 1e9
    expected = len(channels) * rounds
    assert len(delays) == expected, f"{len(delays)} of {expected} messages arrived"
    print(
        f"{title}: {len(delays):,} deliveries in {took_s:.1f} s; "
        f"p50 {statistics.median(delays) / 1e6:.1f} ms, "
        f"p99 {delays[int(len(delays) * 0.99)] / 1e6:.1f} ms; "
        f"edge {cpu_s / len(delays) * 1e6:.1f} us CPU a delivery "
        f"({len(delays) / cpu_s:,.0f} deliveries a CPU second); "
        f"{held_bytes / len(channels) / 1024:.1f} KiB a connection"
    )


def _publish(client: httpx.Client, channels: list[str]) -> None:
    """Publish one image to each channel, in batches of a hundred."""
    for start in range(0, len(channels), 100):
        message = {"name": f"t{time.monotonic_ns()}", "data": IMAGE}
        batch = {"channels": channels[start : start + 100], "messages": message}
        client.post("/messages", json=batch).raise_for_status()


def _wait_idle(process: psutil.Process) -> None:
    """Wait until the edge has nothing left to do."""
    for _ in range(100):
        before = sum(process.cpu_times()[:2])
        time.sleep(0.2)
        if sum(process.cpu_times()[:2]) - before < 0.02:
            return


def measure_batches(edge: RunningEdge, process: psutil.Process) -> None:
    """Publish to a hundred channels that nobody hears."""
    name, _, secret = edge.key.partition(":")
    channels = [f"quiet:{n}" for n in range(100)]
    cpu_before, began = sum(process.cpu_times()[:2]), time.perf_counter()
    rounds = 50
    with httpx.Client(base_url=edge.url, auth=(name, secret), timeout=60) as client:
        for _ in range(rounds):
            _publish(client, channels)
    took_s = time.perf_counter() - began
    cpu_s = sum(process.cpu_times()[:2]) - cpu_before
    count = rounds * len(channels)
    print(
        f"REST batches of 100 channels: {count / took_s:,.0f} publications/s, "
        f"{cpu_s / count * 1e6:.0f} us CPU each"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("subscribers", nargs="?", type=int, default=5_000)
    subscribers = parser.parse_args().subscribers
    _raise_file_limit()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"image of {len(IMAGE)} bytes"
    )
    for title, channels, rounds in (
        (f"1 channel x {subscribers}", ["one"] * subscribers, MESSAGES),
        (
            f"{subscribers // 5} channels x 10",
            [f"many:{n}" for n in range(subscribers // 5)] * 10,
            3,
        ),
    ):
        (port,) = free_ports(1)
        with (
            tempfile.TemporaryDirectory() as folder,
            running_edge(port, Path(folder)) as edge,
        ):
            measure(title, edge, _process_of(port), channels, rounds)
    (port,) = free_ports(1)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_edge(port, Path(folder)) as edge,
    ):
        measure_batches(edge, _process_of(port))


def _process_of(port: int) -> psutil.Process:
    """Return the child that listens on the port."""
    for child in psutil.Process().children():
        if any(one.laddr.port == port for one in child.net_connections("tcp")):
            return child
    raise AssertionError("the edge is not there")


if __name__ == "__main__":
    main()
