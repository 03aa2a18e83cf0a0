"""A partition's topics as the real core writes them, in memory, for tests that corrupt them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from pipelines.audit.partition import Audit, Sources, audit_partition
from pipelines.audit.report import AuditReport, Check
from pipelines.messages.apart import apart
from pipelines.messages.entries import EntryBase, JournalRecord
from pipelines.messages.images import OddsImage
from pipelines.ports import Record
from pipelines.shard.engine import Engine
from pipelines.shard.hash import state_hash
from pipelines.shard.state import ShardState
from pipelines.topics import BETS, DEAD_LETTERS, EVENTS, JOURNAL, ODDS

_decode = msgspec.msgpack.Decoder(JournalRecord).decode
_decode_image = msgspec.msgpack.Decoder(OddsImage).decode
PARTITION = 3


@dataclass
class Topics:
    """What one partition of each topic holds; lists that tests may change."""

    bets: list[Record] = field(default_factory=list)
    events: list[Record] = field(default_factory=list)
    journal: list[Record] = field(default_factory=list)
    odds: list[Record] = field(default_factory=list)
    letters: list[Record] = field(default_factory=list)
    answer: tuple[int, str] | None = None

    def audit(self, complete: bool = False, **more: Any) -> AuditReport:
        """Run the whole audit on them."""
        audit = Audit()
        sources = Sources(
            PARTITION,
            iter(self.journal),
            iter(self.bets),
            iter(self.events),
            iter(self.odds),
            iter(self.letters),
            hash_answer=self.answer,
        )
        audit_partition(audit, replace(sources, **more), complete)
        return audit.report()

    def index(self, kind: type[EntryBase], nth: int = 0) -> int:
        """Return where the journal has the nth entry of a kind."""
        found = [i for i, r in enumerate(self.journal) if isinstance(entry_of(r), kind)]
        return found[nth]

    def change(self, index: int, make: Callable[[Any], EntryBase]) -> None:
        """Replace an entry of the journal by another."""
        record = self.journal[index]
        decoded = _decode(record.value or b"")
        changed = msgspec.structs.replace(decoded, entry=make(decoded.entry))
        self.journal[index] = record._replace(value=msgspec.msgpack.encode(changed))

    def change_image(self, index: int, make: Callable[[OddsImage], OddsImage]) -> None:
        """Replace an image by another."""
        image = make(_decode_image(self.odds[index].value or b""))
        self.odds[index] = self.odds[index]._replace(value=msgspec.msgpack.encode(image))

    def renumber(self) -> None:
        """Give all entries dense numbers again, as a clever forger would."""
        events: dict[str, int] = {}
        markets: dict[tuple[str, str], int] = {}
        for number, record in enumerate(self.journal, 1):
            decoded = _decode(record.value or b"")
            entry = decoded.entry
            where = (entry.event_id, entry.market_id)
            event_seq = market_seq = 0
            if entry.event_seq:
                event_seq = events[entry.event_id] = events.get(entry.event_id, 0) + 1
            if entry.market_seq:
                market_seq = markets[where] = markets.get(where, 0) + 1
            more = len(apart(entry)) - 1  # numbers that an entry of several parts has beside
            if more:
                events[entry.event_id] += more
                markets[where] += more
            entry = msgspec.structs.replace(entry, event_seq=event_seq, market_seq=market_seq)
            decoded = msgspec.structs.replace(decoded, shard_seq=number, entry=entry)
            self.journal[number - 1] = record._replace(value=msgspec.msgpack.encode(decoded))


def entry_of(record: Record) -> EntryBase:
    """Return the entry that a record of the journal holds."""
    return _decode(record.value or b"").entry


def decide(batches: Iterable[Sequence[Record | int]]) -> Topics:
    """Let the core decide records and ticks, each batch in a transaction of its own.

    Transactions leave a gap in the offsets of the topics they wrote to, as Kafka's markers do.
    """
    topics = Topics()
    state = ShardState(PARTITION)
    engine = Engine(state)
    ends = {JOURNAL: 0, ODDS: 0, DEAD_LETTERS: 0}
    into = {
        JOURNAL: topics.journal,
        ODDS: topics.odds,
        DEAD_LETTERS: topics.letters,
        BETS: topics.bets,
        EVENTS: topics.events,
    }
    for batch in batches:
        for one in batch:
            if isinstance(one, int):
                engine.tick(one)
                continue
            one = one._replace(offset=len(into[one.topic]), partition=PARTITION)
            into[one.topic].append(one)
            engine.process(one)
        written = set()
        for topic, key, value in engine.drain().outputs:
            into[topic].append(Record(topic, PARTITION, ends[topic], state.now_ms, key, value))
            ends[topic] += 1
            written.add(topic)
        for topic in written:
            ends[topic] += 1
    topics.answer = (state.shard_seq, state_hash(state))
    return topics


def operation(kind: str, at_ms: int = 1_000, event: str = "race", **fields: Any) -> Record:
    """A record of `events`."""
    value = msgspec.json.encode({"type": kind, "event_id": event} | fields)
    return Record(EVENTS, 0, 0, at_ms, event.encode(), value)


def bet(number: int, at_ms: int = 2_000, event: str = "race", **fields: Any) -> Record:
    """A record of `bets`, by default a good bet of 1.00 on selection 1 of market w."""
    body: dict[str, Any] = {
        "type": "bet",
        "bet_id": f"b{number}",
        "event_id": event,
        "market_id": "w",
        "selection_id": 1,
        "stake_minor": 100,
        "odds_e4": 20_000,
        "market_version": 1,
    }
    client_id = fields.pop("client_id", f"c{number % 5}")
    return Record(BETS, 0, 0, at_ms, event.encode(), msgspec.json.encode(body | fields), client_id)


def day() -> list[list[Record | int]]:
    """A day with everything in it: good and bad bets, delays, refunds, rollbacks, a retirement."""
    fixed = {
        "market_id": "w",
        "selections": [{"selection_id": s, "odds_e4": 20_000} for s in (1, 2, 3)],
    }
    pool = {
        "market_id": "p",
        "engine": "pool",
        "takeout_e4": 1_500,
        "selections": [{"selection_id": s} for s in (1, 2, 3)],
    }
    on_pool: dict[str, Any] = {"market_id": "p", "odds_e4": 0}
    closing: list[Record | int] = [
        operation("market_status", 12_000, market_id=m, status="CLOSED") for m in ("w", "p")
    ]
    return [
        [bet(1, at_ms=500, event="unknown"), bet(1, at_ms=500, event="unknown")],
        [operation("event_opened", start_ms=6_000), operation("market_opened", market=fixed)],
        [operation("market_opened", market=pool), operation("market_opened", market=pool)],
        [bet(n, selection_id=1 + n % 3) for n in range(20)],
        [bet(100 + n, selection_id=1 + n % 3, **on_pool) for n in range(20)],
        [bet(3, selection_id=1), bet(3, selection_id=2), bet(50, stake_minor=0)],
        [bet(51, odds_e4=20_001), bet(52, client_id=""), bet(53)._replace(value=b"{")],
        [bet(54)._replace(key=None), bet(55)._replace(value=None), operation("nonsense")],
        [
            operation("prices", 3_000, market_id="w", prices=[[1, 21_000]]),
            bet(60, 3_001),
            bet(61, 3_002, odds_e4=21_000),
        ],
        [operation("market_status", 4_000, market_id="w", in_play=True, bet_delay_ms=2_000)],
        [bet(70 + n, 4_100 + n, odds_e4=21_000, market_version=2) for n in range(4)],
        [
            bet(70, 4_200, type="cancel"),
            bet(2, 4_201, type="cancel"),
            bet(99, 4_202, type="cancel"),
            bet(99, 4_203, type="update", persistence="LAPSE"),
            bet(99, 4_204, type="cash_out"),
            bet(2, 4_205, type="cash_out", market_id="unknown"),
        ],
        [6_050, 6_200],
        [bet(75, 6_500, odds_e4=21_000, market_version=2)],
        [bet(76, 8_600, odds_e4=21_000, market_version=2)],
        [operation("market_status", 8_700, market_id="w", status="SUSPENDED"), 10_700],
        [operation("selection_removed", 11_000, market_id="p", selection_id=3)],
        [operation("bets_voided", 11_100, market_id="w", from_ms=3_000, to_ms=3_500)],
        closing,
        [operation("result", 12_100, market_id=m, winners=[1]) for m in ("w", "p")],
        [operation("result_rolled_back", 12_200, market_id=m) for m in ("w", "p")],
        [operation("result", 12_300, market_id="w", winners=[1, 2])],
        [operation("result", 12_400, market_id="p", winners=[2])],
        [bet(80, 12_500)],
        [operation("event_opened", 12_600, event="late"), bet(1, 12_700, event="late")],
    ]


def check(report: AuditReport, name: str) -> Check:
    """Return one check of a report."""
    return next(one for one in report.checks if one.name == name)


def failing(report: AuditReport) -> set[str]:
    """Return the names of the checks that failed."""
    return {one.name for one in report.checks if one.failures}
