from typing import Any

import pytest

from deploy.edge.annotations import Annotations, check_annotation
from deploy.edge.wire import Annotation
from pipelines.errors import EdgeError


def note(kind: str, client: str | None, name: str | None = None, **more: Any) -> Annotation:
    return Annotation(
        message_serial="m", type=kind, client_id=client, name=name, **{"action": 0, **more}
    )


def summary(*notes: Annotation) -> Any:
    kept = Annotations()
    for one in notes:
        kept.add(one)
    return kept.summary("m")


def test_distinct_counts_each_client_once_a_name() -> None:
    kind = "reaction:distinct.v1"
    found = summary(
        note(kind, "ann", "up"),
        note(kind, "ann", "up"),
        note(kind, "ann", "down"),
        note(kind, "bob", "up"),
        note(kind, "ann", "down", action=1),
    )[kind]
    assert found == {"up": {"total": 2, "clientIds": ["ann", "bob"], "clipped": False}}


def test_unique_moves_a_client_to_its_last_name() -> None:
    kind = "vote:unique.v1"
    found = summary(note(kind, "ann", "a"), note(kind, "ann", "b"))[kind]
    assert {name: one["total"] for name, one in found.items()} == {"b": 1}


def test_multiple_adds_counts_and_knows_the_unidentified() -> None:
    kind = "clap:multiple.v1"
    found = summary(
        note(kind, "ann", "c", count=3), note(kind, "ann", "c"), note(kind, None, "c", count=2)
    )[kind]["c"]
    assert (found["total"], found["clientIds"], found["totalUnidentified"]) == (6, {"ann": 4}, 2)


def test_total_and_flag() -> None:
    found = summary(
        note("seen:total.v1", None),
        note("seen:total.v1", None),
        note("seen:total.v1", None, action=1),
        note("like:flag.v1", "ann"),
        note("like:flag.v1", "ann"),
    )
    assert found["seen:total.v1"] == {"total": 1}
    assert found["like:flag.v1"]["total"] == 1


@pytest.mark.parametrize(
    "bad",
    [
        Annotation(),
        note("a:nope.v1", "ann"),
        note("a:distinct.v1", "ann"),
        note("a:distinct.v1", None, "up"),
        note("a:flag.v1", None),
    ],
)
def test_what_cannot_be_counted_is_refused(bad: Annotation) -> None:
    with pytest.raises(EdgeError):
        check_annotation(bad)
