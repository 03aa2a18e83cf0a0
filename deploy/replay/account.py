"""What the system wrote of a run: answers, money, odds images and pushes, from its topics. Pure.

Fed with the records of `journal`, `odds` and `notices` whose key is an event of the run.
"""

from collections import Counter
from dataclasses import dataclass, field

import msgspec

from pipelines.messages import entries as e
from pipelines.messages.notices import Notice
from pipelines.topics import JOURNAL, NOTICES, ODDS

__all__ = ["Account"]

_decode_journal = msgspec.msgpack.Decoder(e.JournalRecord).decode
_decode_notice = msgspec.msgpack.Decoder(Notice).decode


@dataclass(slots=True)
class Account:
    """Counts and sums, money in minor units."""

    journal_records: int = 0
    odds_images: int = 0
    settled_markets: set[tuple[str, str]] = field(default_factory=set)
    in_minor: int = 0  # stakes taken
    paid_minor: int = 0  # wins and refunds
    house_minor: int = 0  # what settled markets left to the house
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)  # operation, code
    dead_letters: int = 0
    pushes: Counter[str] = field(default_factory=Counter)  # by kind
    #: Event, market, bettor, settlement of every push that was noted.
    pushed: set[tuple[str, str, str, int]] = field(default_factory=set)
    _pending: dict[tuple[str, str, str], int] = field(default_factory=dict)

    @property
    def held_minor(self) -> int:
        """Stakes that no settlement has given to anybody yet."""
        return self.in_minor - self.paid_minor - self.house_minor

    def take(self, topic: str, value: bytes) -> None:
        """Count one record."""
        if topic == ODDS:
            self.odds_images += 1
        elif topic == NOTICES:
            notice = _decode_notice(value)
            self.pushes[notice.kind] += 1
            self.pushed.add(
                (notice.event_id, notice.market_id, notice.client_id, notice.settlement)
            )
        elif topic == JOURNAL:
            self.journal_records += 1
            self._entry(_decode_journal(value).entry)

    def _entry(self, entry: e.Entry) -> None:
        match entry:
            case e.BetAccepted() | e.BetPartlyAccepted():
                self.in_minor += entry.stake_minor
            case e.BetPending():
                key = (entry.event_id, entry.client_id, entry.bet_id)
                self._pending[key] = entry.stake_minor
            case e.BetConfirmed() | e.BetPartlyConfirmed():
                key = (entry.event_id, entry.client_id, entry.bet_id)
                stake_minor = self._pending.pop(key, 0)
                if isinstance(entry, e.BetPartlyConfirmed):
                    stake_minor = entry.stake_minor
                self.in_minor += stake_minor
            case e.BetSettled():
                self.paid_minor += entry.payout_minor
            case e.BetUnsettled():
                self.paid_minor -= entry.payout_minor
            case e.MarketSettled():
                self.settled_markets.add((entry.event_id, entry.market_id))
                self.house_minor += sum(amount for _, amount in entry.postings)
            case e.MarketUnsettled():
                self.house_minor += sum(amount for _, amount in entry.postings)
            case e.OperationRefused():
                self.refused[entry.operation, entry.code] += 1
            case e.RecordDeadLettered():
                self.dead_letters += 1
