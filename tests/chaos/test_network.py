"""The way from one shard to the broker is cut for longer than a transaction may last, then mended.

The broker has a second listener that tells clients to come through a proxy of this test, which
knows whose connection is whose.
"""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local.broker import FAST_START, Broker
from tests.chaos.conftest import IS_ALL, IS_LOADED, load_on
from tests.chaos.proxy import Proxy
from tests.chaos.strikes import busiest_shard, wait_for_bets
from tests.chaos.watch import audited, gap_after
from tests.system.conftest import Running, Start

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not IS_ALL, reason="make chaos does it"),
]

CUT_S = 14.0  # a transaction may last 10 s


class ProxiedBroker(Broker):
    """A broker whose listener CLIENTS, on `inner`, tells clients to connect to `outer`."""

    inner = 0
    outer = 0

    def _write_configuration(self) -> None:
        super()._write_configuration()
        file = self.data_dir / "server.properties"
        lines = []
        for line in file.read_text().splitlines():
            name = line.partition("=")[0]
            if name == "listeners":
                line += f",CLIENTS://127.0.0.1:{self.inner}"
            elif name == "advertised.listeners":
                line += f",CLIENTS://127.0.0.1:{self.outer}"
            elif name == "listener.security.protocol.map":
                line += ",CLIENTS:PLAINTEXT"
            lines.append(line)
        file.write_text("\n".join(lines) + "\n")


@pytest.fixture
def proxy(
    free_ports: Callable[[int], list[int]], loaded_environment: dict[str, str]
) -> Iterator[Proxy]:
    """The proxy before a running broker, and the system's settings pointed to it."""
    port, controller, inner, outer = free_ports(4)
    folder = Path(tempfile.mkdtemp(prefix="overround-kafka-"))
    broker = ProxiedBroker(folder, port, controller, 512, FAST_START)
    broker.inner, broker.outer = inner, outer
    try:
        with broker, Proxy(outer, inner) as made:
            loaded_environment["KAFKA_BOOTSTRAP_SERVERS"] = f"127.0.0.1:{outer}"
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def running(proxy: Proxy, start: Start) -> Iterator[Running]:
    """The system, whose every way to Kafka is the proxy; stopped before the broker is."""
    made = start()
    made.wait_for("bets/s")
    yield made
    made.stop()


def test_the_audit_holds_after_a_cut_cable(
    running: Running, proxy: Proxy, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = []

    def strike(system: Running) -> None:
        cut.append(proxy.cut(busiest_shard(system)["health"]["pid"]))
        time.sleep(CUT_S)
        proxy.mend()

    with load_on(running):
        wait_for_bets(running)
        gap = gap_after(running, strike, IS_LOADED)
        report = audited(running)
    with capsys.disabled():
        print("\n" + report.line(f"a shard cut off from the broker for {CUT_S:.0f} s", gap))
    assert cut[0] > 0
    assert not report.failed
