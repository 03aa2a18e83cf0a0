"""`overround audit` as it is typed: where it looks, what it prints, and channels at a real edge."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from deploy.audit import audit_command, run_audit
from deploy.audit_edge import LOCAL_BOUNDS, check_edge, history_start_ms
from deploy.audit_table import print_report
from pipelines.audit.history import ChannelHistory
from pipelines.audit.odds import Odds, Seen
from pipelines.audit.report import Check
from pipelines.audit.tally import Place, Tally
from pipelines.clock import SystemClock
from pipelines.edge_client import EdgeClient
from pipelines.errors import EdgeError, StackError
from pipelines.messages.images import OddsImage
from pipelines.publisher.odds import odds_of
from pipelines.settings import Settings
from tests.edge_process import RunningEdge, running_edge
from tests.pipelines.audit.topics import Topics, day, decide


@pytest.fixture
def topics() -> Topics:
    return decide(day())


def test_where_nothing_runs_it_says_what_to_do(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path))
    with pytest.raises(StackError, match=r"overround run.*KAFKA_BOOTSTRAP_SERVERS"):
        audit_command(settings, edge=False, as_json=False, complete=False)
    (tmp_path / "kafka").mkdir()
    with pytest.raises(StackError, match=r"is stopped.*start it with `overround run`"):
        audit_command(settings, edge=False, as_json=False, complete=False)


def test_the_edge_needs_a_key(tmp_path: Path) -> None:
    settings = Settings(data_dir=str(tmp_path), kafka_bootstrap_servers="127.0.0.1:1")
    with pytest.raises(StackError, match="ABLY_API_KEY"):
        run_audit(settings, edge=True, complete=False)


def test_an_empty_system_holds_and_is_json(
    fresh_topics: Callable[[int], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data_dir=str(tmp_path), kafka_bootstrap_servers=fresh_topics(1))
    assert audit_command(settings, edge=False, as_json=True, complete=True) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["holds"] is True
    assert {one["name"]: one["result"] for one in printed["checks"]} == {
        "answers": "holds",
        "sequences": "holds",
        "odds": "holds",
        "money": "holds",
        "bettors": "holds",
        "transfers": "holds",
        "state hash": "not checked",
        "channels": "not checked",
    }
    assert printed["figures"]["partitions"] == 1
    assert audit_command(settings, edge=False, as_json=False, complete=False) == 0
    assert "all checks hold" in capsys.readouterr().out


def test_the_table_names_what_fails_and_the_records_that_show_it(topics: Topics) -> None:
    topics.change_image(2, lambda image: msgspec.structs.replace(image, version=99))
    out = StringIO()
    print_report(topics.audit(), Console(file=out, width=160))
    text = out.getvalue()
    assert "fails 1 times" in text
    assert "the audit fails" in text
    assert f"odds/3 offset {topics.odds[2].offset}" in text
    assert "version is 99" in text


@pytest.fixture(scope="module")
def edge(
    free_ports: Callable[[int], list[int]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningEdge]:
    """A real edge without Kafka, in its own process."""
    (port,) = free_ports(1)
    with running_edge(port, tmp_path_factory.mktemp("edge")) as running:
        yield running


def _images(topics: Topics, event_id: str) -> list[OddsImage]:
    """The day's images, under another event's id."""
    images = [msgspec.msgpack.decode(r.value or b"", type=OddsImage) for r in topics.odds]
    return [
        msgspec.structs.replace(image, event_id=event_id)
        for image in images
        if image.event_id == "race"
    ]


def _publish(edge: RunningEdge, images: list[OddsImage]) -> None:
    client = EdgeClient(edge.url, edge.key, SystemClock())
    try:
        answers = client.publish([odds_of(image) for image in images])
    finally:
        client.close()
    assert all(taken.code == 0 for taken in answers)


def _read(images: list[OddsImage]) -> list[Odds]:
    odds = Odds(Tally("odds", ""), iter(()))
    for offset, image in enumerate(images):
        where = (image.event_id, image.market_id)
        odds.newest[where] = Seen(image, Place("odds", 0, offset), 0)
    return [odds]


def _check(edge: RunningEdge, images: list[OddsImage], wait_s: float = 0.0) -> Check:
    tally = Tally("channels", "")
    check_edge(tally, _read(images), edge.url, edge.key, LOCAL_BOUNDS, wait_s)
    return tally.check()


def test_channels_at_the_edge_hold(edge: RunningEdge, topics: Topics) -> None:
    images = _images(topics, "held")
    _publish(edge, images)
    found = _check(edge, images)
    assert found.result == "holds", found
    assert dict(found.compared)["messages"] == len(images)
    assert dict(found.compared)["newest images"] == 2


def test_a_history_of_several_pages_is_read_in_order(edge: RunningEdge, topics: Topics) -> None:
    first = _images(topics, "long")[0]
    images = [
        msgspec.structs.replace(first, event_seq=first.event_seq + n, seq=first.seq + n)
        for n in range(2_300)
    ]
    _publish(edge, images)
    history = ChannelHistory(edge.url, edge.key)
    try:
        read = [message.id for message in history.messages("outbound:odds:long")]
    finally:
        history.close()
    assert read == [f"long:{image.event_seq}" for image in images]


def test_what_never_reached_the_edge_fails_after_a_wait(edge: RunningEdge, topics: Topics) -> None:
    images = _images(topics, "short")
    _publish(edge, images[:-1])
    found = _check(edge, images, wait_s=0.6)
    assert found.failures == 1
    assert "in odds at" in found.examples[0].what
    assert found.examples[0].topic == "outbound:odds:short"


def test_what_the_edge_got_in_another_order_fails(edge: RunningEdge, topics: Topics) -> None:
    images = _images(topics, "mixed")
    _publish(edge, list(reversed(images)))
    assert _check(edge, images).failures


def test_an_altered_message_at_the_edge_fails(edge: RunningEdge, topics: Topics) -> None:
    images = _images(topics, "altered")
    *rest, last = images
    _publish(edge, [*rest, msgspec.structs.replace(last, version=last.version + 1)])
    found = _check(edge, images)
    assert found.failures == 1
    assert "is not the one in odds" in found.examples[0].what


def test_events_from_before_the_history_are_only_counted(edge: RunningEdge) -> None:
    odds = _read([])
    odds[0].older.update({"yesterday", "last-week"})
    tally = Tally("channels", "")
    check_edge(tally, odds, edge.url, edge.key, LOCAL_BOUNDS)
    assert tally.check().result == "holds"
    assert dict(tally.check().compared) == {"events no longer retained": 2}


def test_a_wrong_key_is_an_error_and_no_failure(edge: RunningEdge, topics: Topics) -> None:
    stranger = replace(edge, key=edge.key[:-1] + ("a" if edge.key[-1] != "a" else "b"))
    with pytest.raises(EdgeError, match="401"):
        _check(stranger, _images(topics, "any"))


def test_the_history_of_the_cloud_is_two_minutes() -> None:
    now_ms = SystemClock().time_ms()
    assert now_ms - 120_000 < history_start_ms(None) <= now_ms
