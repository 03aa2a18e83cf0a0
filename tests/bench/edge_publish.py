"""Publishing odds to the edge: one batch of REST against the SDK's one request a channel.

Run with `python -m tests.bench.edge_publish`; prints its conditions. Both publish the same images
to the same channels of one edge on this machine, one request in flight.
"""

import asyncio
import platform
import tempfile
import time
from pathlib import Path

from ably import AblyRest
from ably.types.message import Message

from pipelines.clock import SystemClock
from pipelines.edge_client import EdgeClient
from pipelines.ports import Publication
from tests.conftest import free_ports
from tests.edge_process import RunningEdge, running_edge

CHANNELS = 100
ROUNDS = 20
IMAGE = {"selections": [{"selection_id": n, "odds_e4": 20_000 + n} for n in range(8)]}


def by_batch(edge: RunningEdge) -> float:
    client = EdgeClient(edge.url, edge.key, SystemClock())
    began_s = time.perf_counter()
    for number in range(ROUNDS):
        batch = [Publication(f"batch:{c}", f"{c}:{number}", "odds", IMAGE) for c in range(CHANNELS)]
        assert all(taken.code == 0 for taken in client.publish(batch))
    took_s = time.perf_counter() - began_s
    client.close()
    return CHANNELS * ROUNDS / took_s


async def by_sdk(edge: RunningEdge) -> float:
    client = AblyRest(
        key=edge.key, use_token_auth=True, endpoint="127.0.0.1", port=edge.port, tls=False
    )
    async with client as rest:
        began_s = time.perf_counter()
        for number in range(ROUNDS):
            for c in range(CHANNELS):
                message = Message(name="odds", data=IMAGE, id=f"{c}:{number}")
                await rest.channels.get(f"sdk:{c}").publish(message)
        return CHANNELS * ROUNDS / (time.perf_counter() - began_s)


def main() -> None:
    (port,) = free_ports(1)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_edge(port, Path(folder)) as edge,
    ):
        batch, sdk = by_batch(edge), asyncio.run(by_sdk(edge))
    print(
        f"{platform.machine()} {platform.python_version()}, {CHANNELS} channels x {ROUNDS} images"
    )
    print(f"REST batch {batch:,.0f} images/s, SDK {sdk:,.0f} images/s, ratio {batch / sdk:.1f}")


if __name__ == "__main__":
    main()
