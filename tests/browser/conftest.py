"""A running edge and a running Chromium for the page's tests, gone when the tests are."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import page as pages
from tests.browser.backend import Backend
from tests.edge_process import running_edge

ROOT = Path(__file__).parents[2]
ABLY_JS = ROOT / "deploy/pages/static/vendor/ably.min.js"


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
    """The real edge, and the backend that plays the engine's part on it."""
    (port,) = free_ports(1)
    with (
        running_edge(port, tmp_path_factory.mktemp("edge")) as running,
        Backend(running.url, running.key) as backend,
    ):
        yield backend


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
