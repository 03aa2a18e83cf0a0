"""A shard's engine as tests use it: real bytes in, journal values out, what must hold checked."""

from collections.abc import Iterable
from typing import Any

import msgspec

from pipelines.messages import cash_out_entries as co
from pipelines.messages import entries as e
from pipelines.messages.apart import apart
from pipelines.messages.dead_letters import DeadLetter
from pipelines.messages.images import OddsImage
from pipelines.ports import Record
from pipelines.shard.engine import Engine
from pipelines.shard.fold import fold
from pipelines.shard.hash import state_hash
from pipelines.shard.state import MarketState, ShardState
from pipelines.topics import BETS, DEAD_LETTERS, EVENTS, JOURNAL, ODDS

EVENT = "race"
MARKET = "1.1"
START_MS = 1_700_000_000_000

_image = msgspec.msgpack.Decoder(OddsImage).decode
_letter = msgspec.msgpack.Decoder(DeadLetter).decode
_record = msgspec.msgpack.Decoder(e.JournalRecord).decode


def bet(bet_id: str = "b1", **changes: object) -> dict[str, object]:
    """A good bet on `fixed_market`, with changes."""
    return {
        "type": "bet",
        "bet_id": bet_id,
        "event_id": EVENT,
        "market_id": MARKET,
        "selection_id": 1,
        "stake_minor": 1_000,
        "odds_e4": 30_000,
        "market_version": 1,
        **changes,
    }


def fixed_market(**changes: object) -> dict[str, object]:
    """A book of four selections at 3.0, 4.0, 5.0 and no price."""
    odds = {1: 30_000, 2: 40_000, 3: 50_000, 4: 0}
    return {
        "market_id": MARKET,
        "engine": "fixed",
        "selections": [{"selection_id": s, "odds_e4": o} for s, o in odds.items()],
        **changes,
    }


def pool_market(runners: int = 4, **changes: object) -> dict[str, object]:
    """A pool of so many selections, numbered from 1."""
    return {
        "market_id": MARKET,
        "engine": "pool",
        "selections": [{"selection_id": s} for s in range(1, runners + 1)],
        **changes,
    }


class Desk:
    """One engine, its clock and offsets; `journal`, `images` and `dead` hold what it wrote."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.engine = Engine(ShardState(0))
        self.now_ms = now_ms
        self.offsets = {BETS: 0, EVENTS: 0}
        self.journal: list[bytes] = []
        self.images: dict[tuple[str, str], OddsImage] = {}
        self.dead: list[DeadLetter] = []
        self.sent: list[Record | int] = []  # records, and times that passed

    @property
    def state(self) -> ShardState:
        return self.engine.state

    def market(self, market_id: str = MARKET, event_id: str = EVENT) -> MarketState:
        return self.state.events[event_id].markets[market_id]

    def send(
        self, topic: str, key: bytes | None, value: bytes | None, client_id: str = ""
    ) -> list[e.Entry]:
        """Process one record of raw bytes; return its entries."""
        offset = self.offsets[topic]
        self.offsets[topic] = offset + 1
        record = Record(topic, 0, offset, self.now_ms, key, value, client_id)
        self.sent.append(record)
        self.engine.process(record)
        return self.drain()

    def bets(
        self, value: object, client_id: str = "ann", key: bytes | None = EVENT.encode()
    ) -> list[e.Entry]:
        """Send to `bets`, as JSON unless it is bytes already."""
        body = value if isinstance(value, bytes) else msgspec.json.encode(value)
        return self.send(BETS, key, body, client_id)

    def bet(self, bet_id: str = "b1", client_id: str = "ann", **changes: object) -> e.Entry:
        """Send one bet and return its only entry."""
        (entry,) = self.bets(bet(bet_id, **changes), client_id)
        return entry

    def operate(
        self, kind: str, event_id: str = EVENT, key: str | None = None, **fields: Any
    ) -> list[e.Entry]:
        """Send one operation, as JSON."""
        body = msgspec.json.encode({"type": kind, "event_id": event_id, **fields})
        return self.send(EVENTS, (event_id if key is None else key).encode(), body)

    def operate_market(self, kind: str, **fields: Any) -> list[e.Entry]:
        return self.operate(kind, market_id=MARKET, **fields)

    def open(self, market: dict[str, object] | None = None, **event: Any) -> "Desk":
        """Open the event and a market; return self."""
        assert isinstance(self.operate("event_opened", **event)[0], e.EventWasOpened)
        opened = self.operate("market_opened", market=market or fixed_market())[0]
        assert isinstance(opened, e.MarketWasOpened), opened
        return self

    def tick(self, now_ms: int) -> list[e.Entry]:
        """Let wall time come to `now_ms`."""
        self.now_ms = now_ms
        self.sent.append(now_ms)
        self.engine.tick(now_ms)
        return self.drain()

    def drain(self) -> list[e.Entry]:
        """Take what was written; check counts and order on the way."""
        drained = self.engine.drain()
        journal = [value for topic, _, value in drained.outputs if topic == JOURNAL]
        assert len(journal) == len(drained.journal_records)
        self.journal += journal
        images = [_image(value) for topic, _, value in drained.outputs if topic == ODDS]
        assert len(images) == drained.images
        for image in images:
            before = self.images.get((image.event_id, image.market_id))
            assert before is None or before.seq < image.seq
            self.images[image.event_id, image.market_id] = image
        self.dead += [
            _letter(value) for topic, _, value in drained.outputs if topic == DEAD_LETTERS
        ]
        return [part for record in drained.journal_records for part in apart(record.entry)]

    def records(self) -> list[e.JournalRecord]:
        return [_record(value) for value in self.journal]

    def hash(self) -> str:
        return state_hash(self.state)

    def check(self) -> None:
        """Assert what must hold at any moment."""
        folded = fold(0, self.journal)
        assert state_hash(folded) == self.hash()
        records = self.records()
        check_journal(records)
        for event in self.state.events.values():
            for market in event.markets.values():
                taken = sum(b.stake_minor for b in market.bets)
                paid = sum(b.payout_minor for b in market.bets)
                posted = sum(amount for _, amount in market.postings)
                assert market.escrow_minor == taken - paid - posted - market.cashed_out_minor
                assert not market.settled or market.escrow_minor == 0


def check_journal(records: Iterable[e.JournalRecord]) -> None:
    """Assert dense numbers, time that goes forward, one first answer a bet, sums of zero."""
    events: dict[str, int] = {}
    markets: dict[tuple[str, str], int] = {}
    answered: set[tuple[str, str, str]] = set()
    escrow: dict[tuple[str, str], int] = {}
    stakes: dict[tuple[str, str, str], int] = {}
    feeds: set[str] = set()
    clocks: dict[str, int] = {}  # by feed event, "" for the wall
    for shard_seq, record in enumerate(records, 1):
        entry = record.entry
        if isinstance(entry, e.EventWasOpened) and entry.clock == "feed":
            feeds.add(entry.event_id)
        if isinstance(entry, e.EventRetired):
            feeds.discard(entry.event_id)
        clock = entry.event_id if entry.event_id in feeds else ""
        assert record.at_ms >= clocks.get(clock, record.at_ms), "time ran backwards"
        clocks[clock] = record.at_ms
        assert record.shard_seq == shard_seq
        if entry.event_seq:
            assert entry.event_seq == events.get(entry.event_id, 0) + 1, entry
            events[entry.event_id] = entry.event_seq
        where = (entry.event_id, entry.market_id)
        if entry.market_seq:
            assert entry.market_seq == markets.get(where, 0) + 1, entry
            markets[where] = entry.market_seq
        if isinstance(entry, e.BetEntry):
            who = (entry.event_id, entry.client_id, entry.bet_id)
            assert who not in answered, f"a second first answer: {entry}"
            answered.add(who)
            stakes[who] = entry.stake_minor
        if isinstance(entry, e.EventRetired):  # answers are kept as long as their event
            answered = {who for who in answered if who[0] != entry.event_id}
        if isinstance(entry, e.BetAccepted | e.BetPartlyAccepted):
            escrow[where] = escrow.get(where, 0) + entry.stake_minor
        elif isinstance(entry, e.BetConfirmed | e.BetPartlyConfirmed):
            who = (entry.event_id, entry.client_id, entry.bet_id)
            if isinstance(entry, e.BetPartlyConfirmed):
                assert 0 < entry.stake_minor < entry.asked_stake_minor == stakes[who]
                stakes[who] = entry.stake_minor
            escrow[where] = escrow.get(where, 0) + stakes[who]
        elif isinstance(entry, co.BetCashedOut | co.BetPartlyCashedOut):
            escrow[where] -= entry.amount_minor + sum(amount for _, amount in entry.postings)
        elif isinstance(entry, e.BetSettled):
            escrow[where] -= entry.payout_minor
        elif isinstance(entry, e.BetUnsettled):
            escrow[where] += entry.payout_minor
        elif isinstance(entry, e.MarketSettled):
            escrow[where] = escrow.get(where, 0) - sum(amount for _, amount in entry.postings)
            assert escrow[where] == 0, "postings of a settled market sum to zero"
        elif isinstance(entry, e.MarketUnsettled):
            escrow[where] -= sum(amount for _, amount in entry.postings)
