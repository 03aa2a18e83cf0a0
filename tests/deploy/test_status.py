"""The table of actors: nothing that matters is cut on a narrow screen."""

from typing import Any

from rich.console import Console

from deploy.status import render_status


def actor(name: str, why: str = "", **status: Any) -> dict[str, Any]:
    health = {"pid": 123_456, "status": {"state": "running", **status}}
    return {"name": name, "verdict": "well", "why": why, "restarts": 12, "health": health}


def shown(*actors: dict[str, Any]) -> str:
    console = Console(width=80)
    with console.capture() as captured:
        console.print(render_status({"actors": list(actors)}))
    return captured.get()


FIGURES = {"bets_next": 1_326_522, "events_next": 61, "shard_seq": 9_469_333, "open_bets": 310_444}


def test_names_and_numbers_are_whole_on_eighty_columns() -> None:
    said = shown(actor("shard-000", **FIGURES, lag={"bets": 7}), actor("metrics-06cb3c23"))
    for word in ("metrics-06cb3c23", "1,326,522", "9,469,333", "310,444", "12", "123456"):
        assert word in said
    assert "note" not in said


def test_a_note_is_shown_as_it_is_and_gives_way() -> None:
    said = shown(actor("publisher", "port [red]9464[/] taken"), actor("shard-000", **FIGURES))
    assert "[red]" in said
    assert "123456" in said
