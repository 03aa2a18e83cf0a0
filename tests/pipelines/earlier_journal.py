"""Journals as earlier programs wrote them: `python -m tests.pipelines.earlier_journal NAME`.

Written once a format, never again: what is kept must stay readable. Run it only for a new version
of the journal's records, with a new name.
"""

import json
import random
import sys
from pathlib import Path
from typing import Any, Final

from pipelines.archive.archive_file import write_archive
from pipelines.archive.chain import NO_HASH
from pipelines.ports import Record
from pipelines.shard.state import STATUS_NAMES, ShardState
from pipelines.topics import JOURNAL
from tests.differential.books import BookLife
from tests.differential.exchange import ExchangeLife
from tests.pipelines.shard.desk import Desk

FOLDER: Final = Path(__file__).parents[1] / "data"
VERSIONS: Final = {1: "journal-version-1"}
#: Lives of the differential tests that leave something of every kind behind.
LIVES: Final = {"books": range(6), "exchange": range(6)}


def files(version: int) -> dict[str, Path]:
    """The archives of a version by the name of what they hold."""
    return {p.name.split(".")[0]: p for p in sorted((FOLDER / VERSIONS[version]).glob("*.gz"))}


def facts(state: ShardState) -> dict[str, Any]:
    """What must come out of a journal in every later program: bets, money and markets."""
    return {
        event_id: {
            "bets": {
                f"{one.client_id}/{one.bet_id}": [STATUS_NAMES[one.status], one.stake_minor,
                                                  one.odds_e4, one.payout_minor]
                for one in event.bets.values()
            },
            "markets": {
                name: [market.status, market.settlement, market.settled, market.escrow_minor]
                for name, market in event.markets.items()
            },
        }
        for event_id, event in state.events.items()
    }  # fmt: skip


def write(folder: Path) -> None:
    """Write journals and what they come to."""
    folder.mkdir(parents=True)
    found = {}
    for name, numbers in LIVES.items():
        for number in numbers:
            life = (BookLife if name == "books" else ExchangeLife)(number)
            life.run()
            found[f"{name}-{number}"] = facts(life.desk.state)
            keep(folder / f"{name}-{number}.jsonl.gz", life.desk)
    (folder / "facts.json").write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


def keep(file: Path, desk: Desk) -> None:
    pace = random.Random(1)
    at_ms = 1_700_000_000_000
    records = []
    for offset, value in enumerate(desk.journal):
        at_ms += pace.randrange(5)
        records.append(Record(JOURNAL, 0, offset, at_ms, b"race", value))
    write_archive(file, 0, 0, NO_HASH, records)


if __name__ == "__main__":
    write(FOLDER / sys.argv[1])
