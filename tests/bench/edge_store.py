"""What persisted history costs the edge: the same publisher to an edge with and without `--data`.

Run with `python -m tests.bench.edge_store [SECONDS]`; prints its conditions. One publisher with
one request in flight sends receipts to a hundred channels a request. Another process asks for
`/time` all the while: what its slowest answers took is how long the event loop stood still. Bytes
are those that the kernel counts as written by the edge (`write_bytes` in `/proc/PID/io`).
"""

import argparse
import http.client
import json
import multiprocessing
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from pipelines.clock import SystemClock
from pipelines.edge_client import EdgeClient
from pipelines.ports import Publication
from tests.conftest import free_ports
from tests.edge_process import RunningEdge, running_edge

CHANNELS = 500
CHANNELS_PER_REQUEST = 100
PING_PAUSE_S = 0.005
RECEIPT: dict[str, Any] = {
    "bet_id": "5f0c2e9a-0000-4000-8000-000000000000",
    "account_id": "account-000000",
    "selection_id": 47_972,
    "market_id": "1.200806927",
    "status": "accepted",
    "stake_minor": 1_000,
    "odds_e4": 20_000,
    "potential_payout_minor": 2_000,
    "placed_ms": 1_700_000_000_000,
    "sequence": 123_456,
}


def ping(port: int, pipe: Any) -> None:
    """Ask for the time until told to stop; reports what each answer took."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    took_s = []
    while not pipe.poll():
        began_s = time.perf_counter()
        connection.request("GET", "/time")
        connection.getresponse().read()
        took_s.append(time.perf_counter() - began_s)
        time.sleep(PING_PAUSE_S)
    pipe.send(took_s)


def written_bytes(pid: int) -> int:
    """Return what the kernel counts as sent to disk by a process so far."""
    lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    return next(int(one.split()[1]) for one in lines if one.startswith("write_bytes"))


def batches() -> Iterator[list[Publication]]:
    """Yield receipts for the next hundred channels, without end."""
    for number in count():
        start = number * CHANNELS_PER_REQUEST % CHANNELS
        yield [
            Publication(f"outbound:receipts:{c}", f"{c}:{number}", "receipt", RECEIPT)
            for c in range(start, start + CHANNELS_PER_REQUEST)
        ]


def measure(title: str, edge: RunningEdge, duration_s: float) -> None:
    """Publish for so long, and print what it took."""
    client = EdgeClient(edge.url, edge.key, SystemClock())
    publications = batches()
    for _ in range(2 * CHANNELS // CHANNELS_PER_REQUEST):  # all channels are there before it counts
        client.publish(next(publications))
    here, there = multiprocessing.Pipe()
    pinging = multiprocessing.Process(target=ping, args=(edge.port, there))
    pinging.start()
    written_before, began_s, messages = written_bytes(edge.pid), time.perf_counter(), 0
    while time.perf_counter() - began_s < duration_s:
        batch = next(publications)
        assert all(taken.code == 0 for taken in client.publish(batch))
        messages += len(batch)
    took_s = time.perf_counter() - began_s
    here.send("stop")
    pings_s = sorted(here.recv())
    pinging.join()
    client.close()
    written = written_bytes(edge.pid) - written_before
    print(
        f"{title}: {messages / took_s:,.0f} messages/s, {written / messages:,.0f} bytes written a "
        f"message; /time p50 {pings_s[len(pings_s) // 2] * 1e3:.1f} ms, "
        f"p99 {pings_s[int(len(pings_s) * 0.99)] * 1e3:.1f} ms, max {pings_s[-1] * 1e3:.1f} ms"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", nargs="?", type=float, default=20)
    duration_s = parser.parse_args().seconds
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"load {os.getloadavg()[0]:.1f} before; {duration_s:.0f} s each, {CHANNELS} channels, "
        f"{CHANNELS_PER_REQUEST} a request, receipts of {len(json.dumps(RECEIPT))} bytes"
    )
    for title, is_kept in (("in memory alone", False), ("with --data", True)):
        (port,) = free_ports(1)
        with tempfile.TemporaryDirectory() as folder:
            options = ("--data", str(Path(folder) / "edge.db")) if is_kept else ()
            with running_edge(port, Path(folder), *options) as edge:
                measure(title, edge, duration_s)


if __name__ == "__main__":
    main()
