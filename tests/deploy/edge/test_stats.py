"""Figures by minute, recorded and as fixtures, alone and over REST."""

import json

import httpx
import pytest

from deploy.edge.app import App
from deploy.edge.meta import STATISTICS, MetaChannels
from deploy.edge.stats import Stats, interval_id, interval_start
from pipelines.errors import EdgeError

MINUTE_MS = 60_000


def test_minutes_add_up_to_greater_units_and_peaks_do_not() -> None:
    now = [1_700_000_000_000]
    stats = Stats(lambda: now[0])
    for minute in range(3):
        now[0] = 1_700_000_000_000 + minute * MINUTE_MS
        stats.inbound("rest", "messages", 2, 100)
        stats.outbound("messages", 5, 10)
        stats.level("channels", minute + 1)
    minutes = stats.intervals("minute", "0", "9")
    assert len(minutes) == 3
    (hour,) = stats.intervals("hour", "0", "9").values()
    assert hour["messages.inbound.rest.messages.count"] == 6
    assert hour["messages.all.all.count"] == 21
    assert hour["messages.inbound.all.all.data"] == 300
    assert hour["channels.peak"] == 3


def test_a_minute_that_is_over_is_told_once() -> None:
    now = [1_700_000_000_000]
    app = App("a", (), (), str, lambda: now[0])
    meta = MetaChannels(app)
    app.stats.inbound("rest", "messages", 2, 100)
    meta.tell_statistics()
    assert STATISTICS not in app.channels  # the minute is not over
    for _ in range(3):
        now[0] += MINUTE_MS
        meta.tell_statistics()
        meta.tell_statistics()
        app.forget(now[0])
    (entry,) = app.channels[STATISTICS].history.after("")
    (message,) = entry.messages
    told = json.loads(str(message.data))
    assert message.name == "update"
    assert told["intervalId"] == interval_id(1_700_000_000_000, "minute")
    assert told["entries"]["messages.inbound.rest.messages.count"] == 2


@pytest.mark.parametrize("unit", ["minute", "hour", "day", "month"])
def test_an_interval_has_one_name(unit: str) -> None:
    name = interval_id(1_700_000_000_000, unit)
    assert interval_id(int(interval_start(name).timestamp() * 1000), unit) == name


@pytest.mark.parametrize("bad", ["", "yesterday", "2024-13", "2024-01-01:25"])
def test_what_is_no_interval_is_refused(bad: str) -> None:
    with pytest.raises(EdgeError):
        interval_start(bad)


def test_fixtures_come_back_page_by_page(rest: httpx.Client) -> None:
    fixtures = [
        {
            "intervalId": f"2023-02-03:15:0{minute}",
            "inbound": {"realtime": {"messages": {"count": 10 * minute, "data": 5}}},
            "connections": {"tls": {"peak": minute, "opened": 1}},
            "tokenRequests": {"succeeded": 6},
        }
        for minute in (3, 4, 5)
    ]
    assert rest.post("/stats", json=fixtures).status_code == 201
    query: dict[str, str] = {
        "start": "2023-02-03:15:03",
        "end": "2023-02-03:15:05",
        "direction": "forwards",
        "limit": "2",
    }
    response = rest.get("/stats", params=query)
    found = response.json()
    response = rest.get(str(response.url.join(response.links["next"]["url"])))
    assert "next" not in response.links
    found += response.json()
    counts = [one["entries"]["messages.inbound.all.messages.count"] for one in found]
    assert counts == [30, 40, 50]
    (hour,) = rest.get("/stats", params={"end": "2023-02-03:15", "unit": "hour"}).json()
    assert hour["intervalId"] == "2023-02-03:15"
    assert hour["entries"]["connections.all.peak"] == 5
    assert hour["entries"]["apiRequests.tokenRequests.succeeded"] == 18
    assert rest.get("/stats", params={"start": "2", "end": "1"}).status_code == 400
    assert rest.get("/stats", params={"limit": "1001"}).status_code == 400


def test_what_happens_is_recorded(rest: httpx.Client) -> None:
    rest.post("/channels/counted/messages", json=[{"data": "abc"}, {"data": "d"}])
    newest = rest.get("/stats", params={"unit": "hour"}).json()[0]
    entries = newest["entries"]
    assert entries["messages.inbound.rest.messages.count"] == 2
    assert entries["messages.inbound.rest.messages.data"] == 4
    assert entries["apiRequests.other.succeeded"] >= 1
    assert newest["inProgress"].startswith(newest["intervalId"])
