"""A running edge and a running Chromium for the page's tests, gone when the tests are."""

import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import page as pages
from tests.browser.backend import Backend

ROOT = Path(__file__).parents[2]
ABLY_JS = ROOT / "deploy/pages/static/vendor/ably.min.js"
EDGE_START_S = 20.0


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """Headless Chromium; skips with a reason where ably-js was not fetched."""
    if not ABLY_JS.is_file():
        pytest.skip("ably-js is not fetched (make pages)")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=chromium, args=list(pages.CHROMIUM_ARGUMENTS)
        )
        try:
            yield running
        finally:
            running.close()


@pytest.fixture(scope="module")
def edge(
    free_ports: Callable[[int], list[int]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Backend]:
    """The real edge in its own process, and the backend that plays the engine's part on it."""
    from deploy.edge.keys import EdgeKeys  # here, so that tests without an edge need none

    folder = tmp_path_factory.mktemp("edge")
    keys_file = folder / "keys.json"
    keys = EdgeKeys.load_or_create(keys_file, secrets.token_urlsafe)
    (port,) = free_ports(1)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "deploy.edge",
                "--port",
                str(port),
                "--keys-file",
                str(keys_file),
            ],
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(port, process, folder / "log")
        with Backend(f"http://127.0.0.1:{port}", keys.backend_key) as backend:
            yield backend
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + EDGE_START_S
    while True:
        assert process.poll() is None, f"the edge ended: {log.read_text()[-2000:]}"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "the edge did not start in time"
            time.sleep(0.05)


@pytest.fixture
def faults() -> list[str]:
    """What the page logged as errors; a test looks at it at its end."""
    return []


@pytest.fixture
def opened(browser: Browser, edge: Backend, faults: list[str]) -> Iterator[Callable[..., Page]]:
    """Factory: `opened(name, event_id)` opens the page as a guest; closed after the test."""
    contexts = []

    def open_one(name: str = "", event_id: str = "", url: str = "") -> Page:
        page = pages.open_page(browser, url or edge.url, name, event_id, faults)
        contexts.append(page.context)
        return page

    yield open_one
    for context in contexts:
        context.close()
