"""Dead letters on a real broker: listed, shown, and sent again once the cause is gone."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from deploy.cli import application
from deploy.dead_letter_records import RETRY_HEADER, Wanted, find_letters, retry_letters
from pipelines.kafka.single_records import SingleRecords
from pipelines.limits import DEAD_LETTER_VALUE_BYTES_MAX
from pipelines.settings import Settings
from pipelines.topics import BETS, DEAD_LETTERS, partition_of
from tests.pipelines.audit.test_audit_kafka import EVENT_IDS, PARTITIONS, Desk, Shards, wait

pytestmark = pytest.mark.kafka

RACE = EVENT_IDS[0]
HOME = partition_of(RACE.encode(), PARTITIONS)


@pytest.fixture
def settings(fresh_topics: Callable[[int], str], tmp_path: Path) -> Settings:
    return Settings(
        kafka_bootstrap_servers=fresh_topics(PARTITIONS),
        data_dir=str(tmp_path),
        partitions=PARTITIONS,
    )


@pytest.fixture
def shards(settings: Settings) -> Iterator[Shards]:
    running = Shards(settings)
    yield running
    running.stop()


def run(settings: Settings, *arguments: str) -> str:
    """What the command prints."""
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
        "OVERROUND_DATA_DIR": settings.data_dir,
        "COLUMNS": "200",
    }
    result = CliRunner().invoke(application, ["dead-letters", *arguments], env=environment)
    assert result.exit_code in (0, 1), result.output
    return result.output


def letters(settings: Settings) -> list[tuple[int, int]]:
    found = find_letters(settings.kafka_bootstrap_servers, Wanted())
    return [(one.partition, one.offset) for one in found]


def taken_bets(shards: Shards) -> list[tuple[str, str]]:
    """Bets that the fixed market of the race has taken."""
    event = shards.loops[HOME]._state.events.get(RACE)
    market = event.markets.get("fixed") if event else None
    return [(one.client_id, one.bet_id) for one in market.bets] if market else []


def test_a_record_is_sent_again_and_no_bet_is_taken_twice(
    settings: Settings, shards: Shards
) -> None:
    desk = Desk(settings.kafka_bootstrap_servers)
    desk.open()
    wait(lambda: sum(int(str(loop.status()["markets"])) for loop in shards.loops) == 6)
    good = {"type": "bet", "bet_id": "b1", "market_id": "fixed", "selection_id": 1,
            "stake_minor": 100, "odds_e4": 20_000, "market_version": 1}  # fmt: skip
    desk.forge(BETS, HOME, RACE.encode(), b"not a request")
    desk.say(BETS, RACE, good)  # nobody said who sent it
    desk.say(BETS, RACE, good, "ann")
    desk.flush()
    wait(lambda: len(letters(settings)) == 2 and len(taken_bets(shards)) == 1)

    listed = run(settings, "list")
    assert "PERMISSION_DENIED" in listed
    assert f"bets/{HOME}/0" in listed
    chosen = [
        json.loads(line)
        for line in run(settings, "list", "--json", "--code", "PERMISSION_DENIED").splitlines()
    ]
    assert [one["value"] for one in chosen[:1]] == ["not a request"]
    assert len(chosen) == 2
    assert run(settings, "list", "--json", "--code", "EVENT_KEY_MISMATCH") == ""
    place = (chosen[0]["letter_partition"], chosen[0]["letter_offset"])
    shown = json.loads(run(settings, "show", *map(str, place)))
    assert shown["record_is_there"]
    assert shown["reason"] == chosen[0]["reason"]

    assert "Send 2 records again?" in run(settings, "retry", "--all")
    assert len(letters(settings)) == 2, "nothing was sent without a yes"
    assert "1 sent again" in run(settings, "retry", f"{place[0]}/{place[1]}", "--yes")
    wait(lambda: len(letters(settings)) == 3)
    again = list(find_letters(settings.kafka_bootstrap_servers, Wanted()))[-1].letter
    records = SingleRecords(settings.kafka_bootstrap_servers)
    try:
        record = records.fetch(BETS, HOME, again.offset)
        taken = records.fetch(BETS, HOME, 2)
        assert record is not None
        assert taken is not None
        assert record.headers == ((RETRY_HEADER, f"bets/{HOME}/0".encode()),)
        # The bet itself once more, as an operator's mistake would: it is a repeat, no second bet.
        records.send([taken])
    finally:
        records.close()
    wait(lambda: shards.loops[HOME].status()["bets"] == 5)
    assert taken_bets(shards) == [("ann", "b1")]


def test_what_was_cut_cannot_be_sent_once_its_record_is_gone(settings: Settings) -> None:
    desk = Desk(settings.kafka_bootstrap_servers)
    shards = Shards(settings)
    try:
        desk.forge(BETS, HOME, RACE.encode(), b"x" * (DEAD_LETTER_VALUE_BYTES_MAX + 1))
        wait(lambda: len(letters(settings)) == 1)
    finally:
        shards.stop()
    (letter,) = find_letters(settings.kafka_bootstrap_servers, Wanted())
    gone = letter._replace(letter=msgspec.structs.replace(letter.letter, offset=99))
    first, second = retry_letters(settings.kafka_bootstrap_servers, [gone, letter])
    assert "only a part was kept" in first.why_not
    assert second == (letter.partition, letter.offset, "")


def test_what_is_no_letter_hides_none_behind_it(settings: Settings) -> None:
    desk = Desk(settings.kafka_bootstrap_servers)
    shards = Shards(settings)
    try:
        desk.forge(DEAD_LETTERS, HOME, b"", b"scribbled by somebody")
        desk.flush()
        desk.forge(BETS, HOME, RACE.encode(), b"not a request")
        wait(lambda: len(letters(settings)) == 2)
    finally:
        shards.stop()
    scribbled, real = find_letters(settings.kafka_bootstrap_servers, Wanted())
    assert "is no dead letter" in scribbled.letter.reason
    assert scribbled.letter.value == b"scribbled by somebody"
    assert real.letter.topic == BETS
    printed = run(settings, "retry", "--all", "--yes")
    assert f"not sent: {HOME}/0: records of dead-letters are not sent again" in printed
    assert "1 sent again, 1 not" in printed


def test_mistakes_are_told_in_a_line(settings: Settings) -> None:
    assert run(settings, "list") == "no dead letters\n"
    environment = {"KAFKA_BOOTSTRAP_SERVERS": settings.kafka_bootstrap_servers,
                   "OVERROUND_DATA_DIR": settings.data_dir}  # fmt: skip
    for arguments, words in (
        (["retry"], "or say --all"),
        (["retry", "x", "--yes"], "PARTITION/OFFSET"),
        (["show", "0", "7"], "no dead letter 0/7"),
    ):
        result = CliRunner().invoke(application, ["dead-letters", *arguments], env=environment)
        assert words in str(result.exception)
