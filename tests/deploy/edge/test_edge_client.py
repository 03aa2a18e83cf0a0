"""The publisher's and notifier's client against the real edge."""

from collections.abc import Iterator

import httpx
import pytest

from pipelines.clock import SystemClock
from pipelines.edge_client import EdgeClient
from pipelines.errors import EdgeError
from pipelines.ports import Publication, Push
from tests.edge_process import RunningEdge


@pytest.fixture
def client(edge: RunningEdge) -> Iterator[EdgeClient]:
    """The client with the backend's key."""
    made = EdgeClient(edge.url, edge.key, SystemClock())
    yield made
    made.close()


def history(edge: RunningEdge, channel: str) -> list[str]:
    name, _, secret = edge.key.partition(":")
    found = httpx.get(
        f"{edge.url}/channels/{channel}/messages?direction=forwards&limit=1000", auth=(name, secret)
    )
    return [message["id"] for message in found.json()]


def test_a_batch_is_published_in_order_and_once(edge: RunningEdge, client: EdgeClient) -> None:
    batch = [
        Publication(f"outbound:odds:ec{n % 3}", f"ec{n % 3}:{n}", "odds", {"seq": n})
        for n in range(300)
    ]
    for _ in range(2):  # the second time as after an answer that was lost
        assert all(taken.code == 0 for taken in client.publish(batch))
    for event in range(3):
        expected = [f"ec{event}:{n}" for n in range(300) if n % 3 == event]
        assert history(edge, f"outbound:odds:ec{event}") == expected


def test_one_bad_message_does_not_hold_up_the_others(edge: RunningEdge, client: EdgeClient) -> None:
    batch = [
        Publication("outbound:odds:mixed", "mixed:1", "odds", {}),
        Publication("outbound:odds:mixed", "mixed:2", "odds", {"text": "x" * 70_000}),
        Publication("outbound:odds:mixed", "mixed:3", "odds", {}),
    ]
    assert [(t.code, t.retry) for t in client.publish(batch)] == [
        (0, False),
        (40009, False),
        (0, False),
    ]
    assert history(edge, "outbound:odds:mixed") == ["mixed:1", "mixed:3"]


def test_pushes_arrive(edge: RunningEdge, client: EdgeClient) -> None:
    pushes = [Push(f"client-{n}", "You won", f"{n}", f"key-{n}", {"n": str(n)}) for n in range(50)]
    assert all(taken.code == 0 for taken in client.push(pushes))
    seen = httpx.get(f"{edge.url}/overround/push", params={"client_id": "client-7"}).json()
    assert seen[0]["payload"]["notification"]["body"] == "7"


def test_a_wrong_key_is_an_error_not_a_loss(edge: RunningEdge) -> None:
    made = EdgeClient(edge.url, edge.key.partition(":")[0] + ":wrong", SystemClock())
    with pytest.raises(EdgeError) as refusal:
        made.publish([Publication("outbound:odds:x", "x:1", "odds", {})])
    assert refusal.value.status == 401
    made.close()
