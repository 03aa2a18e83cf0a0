"""docs/messages.md is executed: its examples print what it says, no field or code is left out.

Where the engine was changed on purpose, `python -m tests.docs.rewrite` writes the new output.
"""

import re
from pathlib import Path
from typing import NamedTuple, get_args

import msgspec
import pytest

from deploy.decide import decide_command
from pipelines import limits
from pipelines.codes import SENTENCES
from pipelines.messages.dead_letters import DeadLetter
from pipelines.messages.entries import BetEntry, BetReference, Entry, EntryBase, JournalRecord
from pipelines.messages.images import ExchangeImage, OddsImage, SelectionImage
from pipelines.messages.inputs import AnyOperation, AnyRequest
from pipelines.messages.isolation_entries import AnyIsolationEntry
from pipelines.messages.notices import Notice
from pipelines.messages.operations import Market, Selection
from pipelines.messages.order_entries import OrderEntry
from pipelines.messages.rules import FixedRules, LmsrRules, PoolRules
from pipelines.publisher.receipts import RECEIPTS
from pipelines.render import type_name
from tests.docs.rewrite import EXAMPLE, PAGE

TEXT = PAGE.read_text()


class Example(NamedTuple):
    title: str
    options: list[str]
    given: str
    expected: str


def _examples() -> list[Example]:
    found = []
    for match in EXAMPLE.finditer(TEXT):
        title = re.findall(r"^### (.*)$", TEXT[: match.start()], re.M)[-1]
        found.append(Example(title, match[1].split(), match[2], match[3]))
    return found


EXAMPLES = _examples()


def test_every_block_of_the_page_is_executed() -> None:
    assert len(EXAMPLES) >= 8
    assert TEXT.count("```jsonl") == 2 * len(EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.title)
def test_an_example_prints_what_the_page_says(
    example: Example, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "input.jsonl"
    file.write_text(example.given)
    options = set(example.options)
    assert options <= {"--until-idle", "--hash"}
    assert decide_command(str(file), "--until-idle" in options, "--hash" in options) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    # Line by line: pytest then shows the first entry that differs.
    assert printed.out.splitlines() == example.expected.splitlines()
    assert printed.out == example.expected


def test_reference_numbers_of_pools_and_dead_heats_stand_on_the_page() -> None:
    """So that writing the output anew cannot hide a wrong dividend."""
    shown = {e.title: e.expected for e in EXAMPLES}
    for part in (
        '"dividends":[[1,66000]]',
        '"payout_minor":15755520',
        '"postings":[["house:commission",3472434],["house:breakage",63346]]',
    ):
        assert part in shown["A pool with its dividend"], part
    for part in ('"payout_minor":6250', '"dividends":[[1,35000],[2,18300]]'):
        assert part in shown["Dead heats"], part


#: Only a market of more bets than an example can have goes through them in chunks.
CHUNKS = {
    "settlement_went_on",
    "rollback_began",
    "refund_began",
    "refund_ended",
    "operation_waits",
    "operation_taken",
}


#: Only what several shards say to each other leads to these.
BETWEEN_SHARDS = {type_name(kind) for kind in get_args(AnyIsolationEntry)}


def test_the_examples_show_every_kind_of_entry_but_forgetting() -> None:
    shown = {
        msgspec.json.decode(line)["type"] for e in EXAMPLES for line in e.expected.split("\n")[:-1]
    }
    entries = {type_name(kind) for kind in get_args(Entry)}
    assert entries - shown == {"event_retired", "coupon_retired", *CHUNKS, *BETWEEN_SHARDS}
    assert {"odds", "dead_letter"} <= shown


def test_reference_numbers_of_the_exchange_stand_on_the_page() -> None:
    shown = {e.title: e.expected for e in EXAMPLES}
    order = shown["An exchange, from order to commission"]
    assert '"net_minor":17400,"base_rate_e4":700,"discount_e4":2000,"commission_minor":974' in order
    starting = shown["An exchange: virtual trade, withdrawal, starting price"]
    for part in (
        '"fills":[[20000,20000,true]]',
        '"factor_e4":2500,"average_odds_e4":60000,"returned_minor":20000',
        '"prices":[[1,70000],[2,0]]',
    ):
        assert part in starting, part


def _section(title: str) -> str:
    start = TEXT.index(f"\n{title}\n")
    level = title.split(" ")[0]
    following = re.search(rf"^#{{1,{len(level)}}} ", TEXT[start + len(title) + 2 :], re.M)
    return TEXT[start : start + len(title) + 2 + following.start()] if following else TEXT[start:]


@pytest.mark.parametrize("kind", get_args(AnyOperation), ids=lambda kind: kind.__name__)
def test_every_field_of_an_operation_is_described(kind: type[msgspec.Struct]) -> None:
    whole = _section("## Topic `events`")
    section = _section(f"### `{kind.__struct_config__.tag}`")
    common = {"event_id", "at_ms", "v"}
    for name in kind.__struct_fields__:
        assert f"`{name}`" in (whole if name in common else section), name


def test_every_field_of_a_market_is_described() -> None:
    section = _section("### `market_opened`")
    for name in (*Market.__struct_fields__, *Selection.__struct_fields__):
        assert f"`{name}`" in section, name


@pytest.mark.parametrize("kind", get_args(AnyRequest), ids=lambda kind: kind.__name__)
def test_every_field_of_a_request_is_described(kind: type[msgspec.Struct]) -> None:
    section = _section(f"### `{kind.__struct_config__.tag}`")
    for name in ("type", *kind.__struct_fields__):
        assert f"| `{name}` |" in section, name


@pytest.mark.parametrize("kind", get_args(Entry), ids=lambda kind: kind.__name__)
def test_every_entry_is_described_with_its_tag_and_fields(kind: type[EntryBase]) -> None:
    section = _section("## Topic `journal`")
    row = re.search(rf"^\| `{type_name(kind)}` \| (\d+) \| (.*)$", section, re.M)
    assert row is not None
    assert int(row[1]) == kind.__struct_config__.tag
    told_above: set[str] = set()
    if issubclass(kind, OrderEntry):
        told_above = set(OrderEntry.__struct_fields__)
    elif issubclass(kind, BetEntry):
        told_above = set(BetEntry.__struct_fields__)
    elif issubclass(kind, BetReference) and "`client_id`" not in row[2]:
        told_above = set(BetReference.__struct_fields__)
    own = [
        n for n in kind.__struct_fields__ if n not in {*EntryBase.__struct_fields__, *told_above}
    ]
    named = re.findall(r"`(\w+)`", row[2].split("|")[0])
    assert named == ["input_topic" if name == "topic" else name for name in own]


def test_every_field_of_the_other_messages_is_described() -> None:
    journal = _section("## Topic `journal`")
    for name in (*EntryBase.__struct_fields__, *JournalRecord.__struct_fields__):
        assert f"`{name}`" in journal, name
    for name in BetEntry.__struct_fields__:
        assert f"`{name}`" in _section("### Answers to requests") + journal, name
    for name in OrderEntry.__struct_fields__:
        assert f"`{name}`" in _section("### Orders and their trades") + journal, name
    pages = {
        "## Topic `odds`": (OddsImage, SelectionImage, ExchangeImage),
        "## Topic `notices`": (Notice,),
        "## Topic `dead-letters`": (DeadLetter,),
    }
    for title, kinds in pages.items():
        section = _section(title)
        for kind in kinds:
            for name in kind.__struct_fields__:
                assert f"`{name}`" in section, (title, name)


def test_every_receipt_is_described() -> None:
    section = _section("## Channels")
    for kind in RECEIPTS:
        assert f"| `{type_name(kind)}` |" in section


def test_the_table_of_codes_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.*) \| ([^|]+) \|$", _section("## Codes"), re.M)
    assert [(code, sentence) for code, sentence, _ in rows] == [
        (code.value, sentence) for code, sentence in SENTENCES.items()
    ]


def test_the_limits_are_those_of_the_code() -> None:
    named = {
        "selections a market": limits.SELECTIONS_PER_MARKET_MAX,
        "markets an event": limits.MARKETS_PER_EVENT_MAX,
        "events a shard": limits.EVENTS_PER_SHARD_MAX,
        "bets a market": limits.BETS_PER_MARKET_MAX,
        "messages in an envelope": limits.ENVELOPE_MESSAGES_MAX,
        "bet delay": limits.BET_DELAY_MS_MAX,
    }
    assert limits.MARKET_STAKES_MAX_MINOR == 10**14
    section = _section("### Limits")
    for name, value in named.items():
        assert re.search(rf"^\| {name} \| {value:,}( ms)? \|$", section, re.M), name
    assert f"{limits.ANSWERS_OUTSIDE_MARKETS_MAX:,}; " in section
    assert f"{limits.ORPHAN_ANSWERS_MAX:,} a shard" in section
    assert f"| record size | {limits.RECORD_BYTES_MAX:,} bytes" in TEXT
    assert f"the first {limits.DEAD_LETTER_VALUE_BYTES_MAX:,} bytes" in TEXT
    assert limits.STAKE_MAX_MINOR == 10**12
    assert limits.EVENT_RETENTION_MS == 24 * 3_600_000
    assert (limits.ODDS_MIN_E4, limits.ODDS_MAX_E4) == (10_100, 10_000_000)
    assert (limits.ID_LENGTH_MAX, limits.NAME_LENGTH_MAX, limits.REASON_LENGTH_MAX) == (
        128,
        256,
        512,
    )


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        (LmsrRules, "### An automated market maker"),
        (FixedRules, "### Further rules of a fixed book"),
        (PoolRules, "### Further rules of a pool"),
    ],
)
def test_every_further_rule_is_described(kind: type[msgspec.Struct], title: str) -> None:
    for name in kind.__struct_fields__:
        assert f"`{name}`" in _section(title), name


def test_reference_numbers_of_market_makers_and_terms_stand_on_the_page() -> None:
    """So that writing the output anew cannot hide a wrong payout."""
    shown = {e.title: e.expected for e in EXAMPLES}
    for title, parts in {
        "A market maker, priced by shares": ['"payout_minor":1000', '"loss_bound_minor":6932'],
        "Each-way, with a withdrawal and Rule 4": [
            '"payout_minor":1900', '"payout_minor":600', '"payout_minor":300',
        ],
        "A handicap of three quarters, a line that moves": ['"payout_minor":1450'],
        "An exacta with money carried over": ['"dividends":[[12,50000]]'],
    }.items():  # fmt: skip
        for part in parts:
            assert part in shown[title], part
