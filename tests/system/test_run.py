"""`overround run` as a user sees it: it starts, shows figures, serves, stops, and goes on later."""

import json
import re
import socket
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.browser import page as pages
from tests.browser.conftest import browser as browser
from tests.system.conftest import Running, Start

pytestmark = [pytest.mark.kafka, pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(400)]

FIGURES = re.compile(r"(\d+) bets/s +(\d+) odds/s +bet to odds p50 (\S+) ms p99 (\S+) ms")
RECORDING = Path(__file__).parents[2] / "deploy/replay/recordings/generated-1.bz2"


@pytest.fixture(scope="module")
def running(start: Start) -> Running:
    """The system, with its simulator betting."""
    made = start()
    made.wait_for("Ctrl-C stops everything")
    return made


def test_it_says_where_to_look_and_shows_live_figures(running: Running) -> None:
    for where in ("/pages/", "/metrics", "Ray dashboard", "data"):
        running.wait_for(where)
    line = running.wait_for("bets/s")
    found = FIGURES.search(line)
    assert found is not None, line
    assert int(found[1]) > 0
    assert float(found[3]) > 0


def test_status_tells_of_every_actor(running: Running) -> None:
    done = running.overround("status", "--json")
    assert done.returncode == 0, done.stderr
    actors = {actor["name"]: actor for actor in json.loads(done.stdout)["actors"]}
    assert {"shard-000", "shard-001", "shard-002", "publisher", "notifier"} <= set(actors)
    assert {actor["verdict"] for actor in actors.values()} == {"well"}


def test_ray_lets_nobody_in_without_its_token(running: Running) -> None:
    folder = Path(running.environment["OVERROUND_DATA_DIR"])
    assert (folder / "ray-token").stat().st_mode & 0o777 == 0o600
    stranger = replace(running, environment=running.environment | {"RAY_AUTH_MODE": "disabled"})
    done = stranger.overround("status")
    assert done.returncode == 1
    assert "does not answer" in done.stderr
    assert "Traceback" not in done.stderr
    dashboard = f"http://127.0.0.1:{running.environment['OVERROUND_RAY_DASHBOARD_PORT']}"
    listed = f"{dashboard}/api/prometheus/sd"
    assert httpx.get(listed, trust_env=False).status_code == 401
    token = {"Authorization": f"Bearer {(folder / 'ray-token').read_text()}"}
    assert httpx.get(listed, trust_env=False, headers=token).json()


@pytest.mark.browser
def test_a_person_bets_on_a_live_race(running: Running, browser: Browser) -> None:
    faults: list[str] = []
    page = pages.open_page(browser, running.edge_url, "visitor", faults=faults)
    try:
        page.locator("#events .event", has_text="Open").first.click()
        button = page.locator(".market .odds:enabled").first
        button.click()
        page.locator("#slip-stake").fill("5")
        policy = page.locator("input[name=policy][value=any]")
        if policy.is_visible():
            policy.check()
        page.locator("#slip-place").click()
        card = pages.newest_bet(page)
        answered = re.compile("Accepted|Won|Lost|Rejected|Refunded")
        expect(card.locator(".bet-status")).to_have_text(answered, timeout=20_000)
        assert faults == []
    finally:
        page.context.close()


def test_a_recording_is_replayed_through_it(running: Running) -> None:
    done = running.overround("replay", str(RECORDING), "--speed", "0", "--bettors", "3")
    if done.returncode:
        pytest.fail(done.stdout + done.stderr + running.overround("status", "--json").stdout)
    assert "markets settled" in done.stdout
    assert "missing" not in done.stdout


def test_the_audit_holds_while_it_runs(running: Running) -> None:
    done = running.overround("audit", "--edge", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert {check["result"] for check in report["checks"]} == {"holds"}


def test_a_second_one_on_the_same_data_is_refused_in_words(running: Running) -> None:
    done = running.overround("run")
    assert done.returncode == 1
    assert "already runs" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_leaves_nothing_and_the_next_start_goes_on(running: Running, start: Start) -> None:
    before = json.loads(running.overround("status", "--json").stdout)
    decided = sum(actor["health"]["status"].get("bets_next", 0) for actor in before["actors"])
    assert decided > 0
    assert running.stop() == []
    assert running.process.returncode == 0, "".join(running.lines[-20:])
    for port in running.ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 2)

    again = start()
    again.wait_for("Ctrl-C stops everything")
    after = json.loads(again.overround("status", "--json").stdout)
    assert (
        sum(actor["health"]["status"].get("bets_next", 0) for actor in after["actors"]) >= decided
    )
    assert httpx.get(f"{again.edge_url}/time").status_code == 200
    assert again.stop() == []
