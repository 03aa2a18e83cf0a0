"""Records as plain JSON objects: every field, integers, and a name that says what it is."""

from typing import Any, get_args

import msgspec
import pytest

from pipelines.errors import CodecError
from pipelines.messages import entries as e
from pipelines.messages.dead_letters import DeadLetter
from pipelines.messages.images import OddsImage, SelectionImage
from pipelines.messages.operations import Market, Selection
from pipelines.render import output_object, text_or_base64, type_name
from pipelines.topics import BETS, DEAD_LETTERS, JOURNAL, ODDS

encode = msgspec.msgpack.encode


def _shown(topic: str, value: bytes) -> dict[str, Any]:
    """The object as its reader gets it."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(output_object(topic, value)))
    return found


def test_names_are_those_of_the_classes_and_differ() -> None:
    names = [type_name(kind) for kind in get_args(e.Entry)]
    assert len(set(names)) == len(names)
    assert type_name(e.BetAccepted) == "bet_accepted"
    assert type_name(e.EventIsStarting) == "event_is_starting"


def test_a_journal_record_shows_all_its_fields_and_its_entrys() -> None:
    entry = e.MarketSettled("race", 5, "w", 4, 1, 2, 300, 250, (("house:book", 50),))
    shown = _shown(JOURNAL, encode(e.JournalRecord(1, 9, 1_000, 3, 4, entry)))
    assert shown == {
        "topic": "journal",
        "type": "market_settled",
        "shard_seq": 9,
        "at_ms": 1_000,
        "wall_ms": 0,
        "event_id": "race",
        "event_seq": 5,
        "market_id": "w",
        "market_seq": 4,
        "settlement": 1,
        "bets": 2,
        "staked_minor": 300,
        "paid_minor": 250,
        "postings": [["house:book", 50]],
        "bets_next": 3,
        "events_next": 4,
        "v": 1,
    }


def test_a_markets_definition_is_an_object_of_its_own() -> None:
    market = Market("w", (Selection(1, "A", 20_000),))
    entry = e.MarketWasOpened("race", 2, "w", 1, market)
    shown = _shown(JOURNAL, encode(e.JournalRecord(1, 1, 0, 0, 0, entry)))
    selection = {"selection_id": 1, "name": "A", "odds_e4": 20_000, "adjustment_factor_e4": 0}
    assert shown["market"]["selections"] == [selection]
    assert set(shown["market"]) == set(Market.__struct_fields__)


def test_the_topic_of_a_dead_lettered_record_has_a_name_of_its_own() -> None:
    entry = e.RecordDeadLettered("", 0, "", 0, "bets", 7, "INVALID_INPUT_DATA", "why")
    shown = _shown(JOURNAL, encode(e.JournalRecord(1, 1, 0, 0, 0, entry)))
    assert (shown["topic"], shown["input_topic"], shown["offset"]) == ("journal", "bets", 7)


def test_an_image_shows_all_its_fields() -> None:
    selection = SelectionImage(1, "A", "ACTIVE", 20_000, 0)
    image = OddsImage(
        "r", 1, "R", "w", 1, 1, "WIN", "", "fixed", "OPEN", False, 0, 0, 9, 0, 0, (selection,)
    )
    shown = _shown(ODDS, encode(image))
    assert list(shown) == ["topic", "type", *OddsImage.__struct_fields__]
    assert shown["selections"] == [msgspec.to_builtins(selection)]


def test_a_dead_letter_shows_bytes_as_text_or_base64() -> None:
    letter = DeadLetter("bets", 1, 2, 3, b"race", b"\xff\x00", 2, "INVALID_INPUT_DATA", "why")
    shown = _shown(DEAD_LETTERS, encode(letter))
    assert (shown["key"], shown["value"]) == ("race", {"base64": "/wA="})
    assert (shown["topic"], shown["input_topic"]) == ("dead-letters", "bets")
    assert text_or_base64(b"") == ""


@pytest.mark.parametrize("topic", [JOURNAL, ODDS, DEAD_LETTERS])
def test_what_is_no_such_record_is_an_error(topic: str) -> None:
    with pytest.raises(CodecError, match=topic):
        _shown(topic, b"\x00")


def test_topics_that_shards_do_not_write_are_an_error() -> None:
    with pytest.raises(CodecError, match="bets"):
        _shown(BETS, b"")
