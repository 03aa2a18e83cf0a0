"""ably-js in Chromium, on a page that another server gave: both transports, REST beside them."""

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, sync_playwright

from tests.edge_process import RunningEdge

pytestmark = pytest.mark.browser

VENDOR = Path(__file__).parents[3] / "deploy/pages/static/vendor"
CONVERSE = """async ([key, port, transport, useBinaryProtocol]) => {
  const options = { key, port, endpoint: "127.0.0.1", tls: false, useBinaryProtocol };
  const client = new Ably.Realtime({ ...options, transports: [transport], clientId: "me" });
  const channel = client.channels.get(`${transport}:${useBinaryProtocol}`);
  const heard = [];
  await channel.subscribe((message) => heard.push(message.data));
  const dropped = client.connection.once("disconnected");
  await channel.presence.enter("here");
  await channel.publish("a", { n: 1 });
  client.connection.connectionManager.disconnectAllTransports();
  await dropped;
  await channel.publish("b", "two");
  await client.connection.ping();
  const history = await channel.history({ direction: "forwards" });
  const members = await channel.presence.get();
  const first = await channel.history({ direction: "forwards", limit: 1 });
  const second = await first.next();
  const wrong = new Ably.Rest({ ...options, key: `${key}x` }).channels.get("c");
  const refused = [
    await wrong.publish("a", "x").catch((error) => error.code),
    await wrong.history().catch((error) => error.code),
  ];
  client.close();
  await client.connection.whenState("closed");
  return {
    heard, refused, members: members.map((one) => one.data),
    history: history.items.map((one) => one.name),
    pages: [first, second].map((page) => [page.items[0].name, page.hasNext()]),
  };
}"""


@pytest.fixture(scope="module")
def page(chromium: str, free_ports: Callable[[int], list[int]]) -> Iterator[Page]:
    """A page of another origin, with ably-js."""
    if not (VENDOR / "ably.min.js").is_file():
        pytest.skip("ably-js is not fetched (make pages)")
    (port,) = free_ports(1)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(VENDOR))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            opened = browser.new_page()
            opened.goto(f"http://127.0.0.1:{port}/")
            opened.add_script_tag(path=VENDOR / "ably.min.js")
            yield opened
        finally:
            browser.close()
            server.shutdown()
            server.server_close()


@pytest.mark.parametrize("is_binary", [True, False], ids=["msgpack", "json"])
@pytest.mark.parametrize("transport", ["web_socket", "xhr_polling"])
def test_a_page_of_another_server_converses(
    page: Page, app_edge: RunningEdge, transport: str, is_binary: bool
) -> None:
    given = [app_edge.key, app_edge.port, transport, is_binary]
    assert page.evaluate(CONVERSE, given) == {
        "heard": [{"n": 1}, "two"],
        "refused": [40101, 40101],
        "members": ["here"],
        "history": ["a", "b"],
        "pages": [["a", True], ["b", False]],
    }
