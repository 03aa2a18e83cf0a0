"""What subscribers got against what `odds` says, on messages as the publisher makes them."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pipelines.audit.channels import HistoryBounds, HistoryMessage, check_channel
from pipelines.audit.odds import Seen
from pipelines.audit.report import Check
from pipelines.audit.tally import Place, Tally
from pipelines.messages.images import OddsImage
from pipelines.publisher.odds import odds_of
from tests.pipelines.audit.topics import Topics

EVENT = "race"


def _images(topics: Topics) -> list[OddsImage]:
    images = [msgspec.msgpack.decode(r.value or b"", type=OddsImage) for r in topics.odds]
    return [image for image in images if image.event_id == EVENT]


def _history(images: list[OddsImage]) -> list[HistoryMessage]:
    publications = [odds_of(image) for image in images]
    return [HistoryMessage(p.id, p.name, p.data, 1_000 + i) for i, p in enumerate(publications)]


def _newest(images: list[OddsImage]) -> dict[str, Seen]:
    return {
        image.market_id: Seen(image, Place("odds", 0, i), 1_000 + i)
        for i, image in enumerate(images)
    }


def _checked(
    newest: dict[str, Seen], history: list[HistoryMessage], *bounds: HistoryBounds
) -> tuple[Check, int]:
    tally = Tally("channels", "")
    behind = check_channel(tally, EVENT, newest, history, *bounds)
    return tally.check(), len(behind.missing)


def test_an_intact_history_holds_also_where_images_were_passed_over(topics: Topics) -> None:
    images = _images(topics)
    newest = _newest(images)
    assert len(newest) == 2
    found, behind = _checked(newest, _history(images))
    assert (found.failures, behind) == (0, 0)
    assert dict(found.compared) == {"messages": len(images), "newest images": 2}
    last = {image.market_id: image for image in images}
    conflated = sorted(last.values(), key=lambda image: image.event_seq)
    found, behind = _checked(newest, _history([images[0], *conflated]))
    assert (found.failures, behind) == (0, 0)


def _swapped(messages: list[HistoryMessage]) -> None:
    same = [i for i, m in enumerate(messages) if m.data["market_id"] == "w"]
    first, second = same[:2]
    messages[first], messages[second] = messages[second], messages[first]


def _twice(messages: list[HistoryMessage]) -> None:
    messages.insert(3, messages[2])


def _altered(messages: list[HistoryMessage]) -> None:
    data: dict[str, Any] = messages[-1].data
    selections = list(data["selections"])
    selections[0] = selections[0] | {"odds_e4": selections[0]["odds_e4"] + 100}
    messages[-1] = messages[-1]._replace(data=data | {"selections": selections})


def _other_id(messages: list[HistoryMessage]) -> None:
    messages[2] = messages[2]._replace(id=f"{EVENT}:9999")


def _no_image(messages: list[HistoryMessage]) -> None:
    messages[2] = messages[2]._replace(data={"odds": "high"})


@pytest.mark.parametrize("corrupt", [_swapped, _twice, _altered, _other_id, _no_image])
def test_a_corrupted_history_is_found(
    topics: Topics, corrupt: Callable[[list[HistoryMessage]], None]
) -> None:
    images = _images(topics)
    history = _history(images)
    corrupt(history)
    found, _ = _checked(_newest(images), history)
    assert found.failures
    assert found.examples[0].topic == f"outbound:odds:{EVENT}"


def test_what_has_not_arrived_is_named_and_left_to_the_caller(topics: Topics) -> None:
    images = _images(topics)
    found, behind = _checked(_newest(images), _history(images[:-1]))
    assert (found.failures, behind) == (0, 1)
    assert _checked(_newest(images), []) == (Tally("channels", "").check(), 2)


def test_a_market_that_moved_on_since_is_no_failure(topics: Topics) -> None:
    images = _images(topics)
    found, behind = _checked(_newest(images[:-2]), _history([*images[:2], *images[-2:]]))
    assert (found.failures, behind) == (0, 0)
    assert dict(found.compared)["markets that moved on"] >= 1


def test_a_full_history_has_let_go_of_what_is_older_than_it(topics: Topics) -> None:
    images = _images(topics)
    newest = _newest([i for i in images if i.market_id == "p"][:1])
    history = [m for m in _history(images) if m.data["market_id"] == "w"][-3:]
    assert _checked(newest, history)[1] == 1
    found, behind = _checked(newest, history, HistoryBounds(messages=3))
    assert (found.failures, behind) == (0, 0)
    assert dict(found.compared)["newest images no longer retained"] == 1
