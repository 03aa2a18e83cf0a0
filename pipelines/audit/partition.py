"""Reads one partition's journal in order and shows every record to every check.

What a fold can tell (odds, hash) ends where the journal can no longer be folded; the other checks
go on to its end. Memory is that of the partition's open events, and one record of each topic.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from pipelines.audit.answers import Answers
from pipelines.audit.bettors import Bettors
from pipelines.audit.exposures import Exposures
from pipelines.audit.hashes import Hashes
from pipelines.audit.inputs import Inputs
from pipelines.audit.letters import Letters
from pipelines.audit.links import Links
from pipelines.audit.money import Money
from pipelines.audit.moves import Luggage, Moves
from pipelines.audit.odds import Odds
from pipelines.audit.report import AuditReport, Check
from pipelines.audit.sequences import Sequences
from pipelines.audit.tally import Place, Tally
from pipelines.audit.totals import Totals
from pipelines.messages.apart import apart
from pipelines.messages.bettor_entries import TransferSent
from pipelines.messages.entries import JournalRecord
from pipelines.messages.isolation_entries import MarketArrived, MarketHandedOver
from pipelines.ports import Positions, Record
from pipelines.shard.evolve import evolve
from pipelines.shard.state import ShardState
from pipelines.topics import JOURNAL

__all__ = ["Audit", "Sources", "audit_partition", "audit_partitions"]

_decode = msgspec.msgpack.Decoder(JournalRecord).decode
ROUND = 1_000  # records between two reports of progress


class Audit:
    """What all partitions share: a tally for each check, and the totals."""

    def __init__(self) -> None:
        self.answers = Tally("answers", "each input has its entry, each bet one first answer")
        self.sequences = Tally("sequences", "numbers of shard, events, markets are dense and rise")
        self.odds = Tally("odds", "odds equal those that folding the journal gives")
        self.transfers = Tally("transfers", "what shards sent each other came once, in order")
        self.bettors = Tally("bettors", "accounts balance, coupons pay what their legs say")
        self.links = Links(self.transfers)
        self.exposures = Exposures(self.bettors)
        self.moves = Moves(self.transfers)
        self.money = Tally("money", "postings of settled markets sum to zero, payouts are right")
        self.hashes = Tally("state hash", "each running shard's state is the fold of its journal")
        self.channels = Tally("channels", "subscribers got odds in order, the newest at last")
        self.totals = Totals()

    def report(self) -> AuditReport:
        """Return what was found so far."""
        checks: tuple[Check, ...] = tuple(
            tally.check()
            for tally in (
                self.answers,
                self.sequences,
                self.odds,
                self.money,
                self.bettors,
                self.transfers,
                self.hashes,
                self.channels,
            )
        )
        return AuditReport(checks, self.totals.figures())


@dataclass(frozen=True, slots=True)
class Sources:
    """One partition's topics, each in order and up to where it is to be read.

    `bets_first` and the like: the first offsets that Kafka still has; `odds_trimmed`,
    `odds_settled_end`, `odds_keep_from_ms`: see `Odds`; `letters_trimmed`: see `Letters`.
    `hash_answer` is what the running shard said, None where none runs; `journal_more` waits for
    what it had not committed yet, and yields that.
    """

    partition: int
    journal: Iterator[Record]
    bets: Iterator[Record]
    events: Iterator[Record]
    odds: Iterator[Record]
    letters: Iterator[Record]
    transfers: Iterator[Record] = field(default_factory=lambda: iter(()))
    transfers_first: int = 0
    bets_first: int = 0
    events_first: int = 0
    odds_trimmed: bool = False
    odds_settled_end: int | None = None
    odds_keep_from_ms: int | None = None
    letters_trimmed: bool = False
    hash_answer: tuple[int, str] | None = None
    journal_more: Callable[[], Iterator[Record]] = field(default=lambda: iter(()))


def audit_partition(
    audit: Audit,
    sources: Sources,
    complete: bool,
    newest: Callable[[Odds], None] = lambda odds: None,
    progress: Callable[[int], None] = lambda records: None,
) -> None:
    """Run all checks on one partition; what they find goes to `audit`.

    `newest` is handed the odds that were read, for the check of the channels.
    """
    audit_partitions(audit, [sources], complete, newest, progress)


def audit_partitions(
    audit: Audit,
    all_sources: Sequence[Sources],
    complete: bool,
    newest: Callable[[Odds], None] = lambda odds: None,
    progress: Callable[[int], None] = lambda records: None,
) -> None:
    """Run all checks on partitions that markets went between; one after another where they can.

    A partition waits where a market arrives whose former shard was not read so far.
    """
    going = [_steps(audit, s, complete, newest, progress) for s in all_sources]
    while going:
        before = audit.moves.settled
        left = [one for one in going if next(one, False)]
        if len(left) == len(going) and audit.moves.settled == before:
            audit.moves.stuck = True  # nobody goes on: what they wait for was not read
        going = left


def _steps(
    audit: Audit,
    sources: Sources,
    complete: bool,
    newest: Callable[[Odds], None],
    progress: Callable[[int], None],
) -> Iterator[bool]:
    """Audit a partition; yields True whenever it has to wait for another."""
    one = _Partition(audit, sources, complete)
    read = 0
    for record in sources.journal:
        journalled = one.decoded(record)
        if journalled is not None:
            while one.waits(journalled):
                yield True
            one.see(record, journalled)
        read += 1
        if not read % ROUND:
            progress(ROUND)
    progress(read % ROUND)
    one.finish(sources, complete)
    newest(one.odds)


class _Partition:
    def __init__(self, audit: Audit, sources: Sources, complete: bool) -> None:
        self._audit = audit
        self._complete = complete
        self._whole = True  # no market is here that came from where was not read
        self._partition = sources.partition
        self._state = ShardState(sources.partition)
        self._sequences = Sequences(audit.sequences)
        bets = Inputs(sources.bets, sources.bets_first)
        events = Inputs(sources.events, sources.events_first)
        transfers = Inputs(sources.transfers, sources.transfers_first)
        self._answers = Answers(audit.answers, bets, events, transfers, audit.links)
        self._bettors = Bettors(audit.bettors, audit.exposures)
        self._money = Money(audit.money, audit.totals)
        self._hashes = Hashes(audit.hashes, sources.partition, sources.hash_answer)
        self.odds = Odds(
            audit.odds,
            sources.odds,
            sources.odds_trimmed,
            sources.odds_settled_end,
            sources.odds_keep_from_ms,
        )
        self._letters = Letters(audit.answers, sources.letters, sources.letters_trimmed)
        self._positions = Positions()
        self._folds = True
        self._last_offset = -1
        self._hashes.see(self._state, -1)

    def decoded(self, record: Record) -> JournalRecord | None:
        """Return the next record of the journal, None where it cannot be read."""
        try:
            return _decode(record.value or b"")
        except msgspec.MsgspecError as error:
            place = Place(JOURNAL, self._partition, record.offset)
            self._ended_before(record)
            self._audit.sequences.fail(place, f"is no journal record: {error}")
            self._break(place, "a record of the journal cannot be read")
            return None

    def waits(self, journalled: JournalRecord) -> bool:
        """Return whether the partition that a market comes from must be read first."""
        entry, moves = journalled.entry, self._audit.moves
        return isinstance(entry, MarketArrived) and not moves.is_there(entry) and not moves.stuck

    def _ended_before(self, record: Record) -> None:
        """Note whether a transaction ended: its marker took an offset."""
        if self._folds and self._last_offset >= 0 and record.offset != self._last_offset + 1:
            self.odds.committed(self._state)
        self._last_offset = record.offset

    def see(self, record: Record, journalled: JournalRecord) -> None:
        place = Place(JOURNAL, self._partition, record.offset)
        self._ended_before(record)
        self._audit.totals.entry(journalled.entry)
        self._sequences.see(place, record.key or b"", journalled)
        if isinstance(journalled.entry, MarketArrived):
            self._arrived(place, journalled.entry)
        if self._whole:
            self._answers.see(place, journalled)
        self._letters.see(place, journalled.entry)
        self._positions = Positions(
            journalled.bets_next, journalled.events_next, journalled.transfers_next
        )
        if self._whole:
            for part in apart(journalled.entry):
                self._money.see(place, part, journalled.at_ms)
        if isinstance(journalled.entry, MarketHandedOver):
            self._left(place, journalled.entry)
        self._bettors.see(place, journalled.entry)
        if isinstance(journalled.entry, TransferSent):
            self._audit.links.sent(place, journalled.entry)
        if self._fold(place, journalled):
            self.odds.see(self._state, journalled.entry)
            self._hashes.see(self._state, record.offset)

    def _left(self, place: Place, entry: MarketHandedOver) -> None:
        """A market goes on to another partition, and so does what is known of it."""
        where = (entry.event_id, entry.market_id)
        firsts, ledger = self._answers.firsts.leave(*where), self._money.leave(*where)
        luggage = Luggage(firsts, ledger, entry.digest, entry.event_seq)
        self._audit.moves.left(place, entry, luggage)

    def _arrived(self, place: Place, entry: MarketArrived) -> None:
        luggage = self._audit.moves.arrived(place, entry, self._complete)
        if luggage is None:
            self._whole = False
            return
        self._answers.firsts.arrive(entry.event_id, luggage.firsts)
        self._money.arrive(entry.event_id, entry.market_id, luggage.ledger)

    def finish(self, sources: Sources, complete: bool) -> None:
        if self._folds:
            self.odds.committed(self._state)
        self.odds.finish(self._state)
        if self._whole:
            self._answers.finish(complete)
        self._bettors.finish(complete)
        self._letters.finish(self._positions)
        self._catch_up(sources)
        if self._folds:
            self._hashes.finish(self._state)
        self._audit.totals.count("partitions", 1)
        self._audit.totals.count("odds_images", self.odds.read)
        self._audit.totals.count("bets", self._answers.bets)
        self._audit.totals.count("operations", self._answers.operations)

    def _catch_up(self, sources: Sources) -> None:
        """Fold on to where the running shard was when it was asked: it was ahead of its journal."""
        wanted = self._hashes.wanted
        if wanted is None or not self._folds or self._state.shard_seq >= wanted:
            return
        for record in sources.journal_more():
            place = Place(JOURNAL, self._partition, record.offset)
            try:
                journalled = _decode(record.value or b"")
            except msgspec.MsgspecError as error:
                self._break(place, str(error))
                return
            if not self._fold(place, journalled):
                return
            self._hashes.see(self._state, record.offset)
            if self._hashes.wanted is None:
                return

    def _fold(self, place: Place, record: JournalRecord) -> bool:
        if not self._folds:
            return False
        try:
            evolve(self._state, record)
        except Exception as error:
            # A journal that was tampered with can break the fold in any way; each is a finding.
            self._break(place, f"{type(error).__name__}: {error}")
            return False
        return True

    def _break(self, place: Place, why: str) -> None:
        if self._folds:
            self._folds = False
            self.odds.broken(place, why)
            if self._hashes.wanted is not None:
                self._audit.hashes.fail(place, f"the journal does not fold from here on: {why}")
