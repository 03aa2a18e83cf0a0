"""Each input record left its entries, and each bet has exactly one first answer.

The journal's positions say which entries belong to which input: all from the one that moves
`bets_next` past a record until a position moves again. Timers that fire in between are told by
their kind.
"""

from collections import deque
from typing import Final

from pipelines.audit.firsts import FirstAnswers
from pipelines.audit.inputs import Inputs
from pipelines.audit.links import Links
from pipelines.audit.replies import Replies
from pipelines.audit.tally import Place, Tally
from pipelines.messages import bettor_entries as be
from pipelines.messages import cash_out_entries as co
from pipelines.messages import entries as e
from pipelines.messages import isolation_entries as ie
from pipelines.messages import order_entries as oe
from pipelines.messages.transfers import Forwarded
from pipelines.ports import Record
from pipelines.topics import BETS

__all__ = ["Answers"]

#: What time or another order brings about; it may stand among the entries of any record.
_TIMED: Final = (
    e.BetConfirmed,
    e.BetPartlyConfirmed,
    e.BetDeclined,
    e.EventIsStarting,
    e.EventRetired,
    oe.OrderConfirmed,
    oe.BetMatched,  # of orders that waited for the one that came
    oe.OrderLapsed,
    be.CouponDeclined,
    be.CouponRetired,
    be.FundsReleased,
    # chunks of a settlement, rollback or refund, and operations that waited for their end
    e.SettlementWentOn,
    e.OperationTaken,
    e.OperationRefused,
    e.MarketResulted,
    e.BetSettled,
    e.MarketSettled,
    e.RollbackBegan,
    e.BetUnsettled,
    e.MarketUnsettled,
    e.RefundBegan,
    e.RefundEnded,
    e.SelectionWasResulted,
    e.SelectionResultEnded,
    e.SelectionWasRemoved,
    oe.BetVoided,
    oe.OddsReduced,
    oe.StartingPricesSet,
    oe.CommissionCharged,
    oe.CommissionReturned,
    oe.DiscountsWereSet,
    oe.AccountSettled,
    oe.AccountUnsettled,
    oe.ExposureRaised,
    be.LegSettled,
    be.LegUnsettled,
    be.TransferSent,  # follows whatever sent it
)
#: What only a record of `bets` brings about.
_REPLIES: Final = (
    e.BetEntry,
    e.BetCancelled,
    e.CancelRejected,
    e.BetRepeated,
    e.BetConflict,
    e.RequestRefused,
    oe.OrderCancelled,
    oe.OrderUpdated,
    oe.ChangeRejected,
    be.CouponEntry,
    co.CashOutQuoted,
    co.BetCashedOut,
    co.BetPartlyCashedOut,
    co.CashOutRejected,
)


class Answers:
    """Follows one partition's inputs and journal together."""

    def __init__(
        self, tally: Tally, bets: Inputs, events: Inputs, transfers: Inputs, links: Links
    ) -> None:
        self._tally = tally
        self._transfers = transfers
        self._links = links
        self._transfers_next = 0
        self._bets = bets
        self._events = events
        self._bets_next = 0
        self._events_next = 0
        self.firsts = FirstAnswers()
        self._handed: tuple[Record, Forwarded] | None = None
        self._waiting: dict[tuple[str, str], deque[Forwarded]] = {}
        self._open: tuple[Record, Replies] | None = None
        self.bets = 0
        self.operations = 0
        self._unknown = False  # the present input is a bet record that is not there any more

    def see(self, place: Place, record: e.JournalRecord) -> None:
        """Look at the next record of the journal."""
        if record.bets_next > self._bets_next:
            self._close()
            self._bets_next = record.bets_next
            self._next_bet(place, record.bets_next - 1)
        if record.events_next > self._events_next:
            self._close()
            self._events_next = record.events_next
            self._next_operation(place, record.events_next - 1)
        if record.transfers_next > self._transfers_next:
            self._close()
            self._transfers_next = record.transfers_next
            self._next_transfer(place, record.transfers_next - 1)
        entry = record.entry
        self._elsewhere(entry)
        if self._open is not None:
            sent_on = isinstance(entry, be.TransferSent) and isinstance(entry.body, Forwarded)
            if sent_on or not isinstance(entry, (*_TIMED, be.TransferReceived, ie.RequestTaken)):
                self._open[1].add(entry)
        elif isinstance(entry, _REPLIES) and not self._unknown:
            self._tally.fail(place, f"{type(entry).__name__} answers no record of bets")
        problem = self.firsts.see(entry)
        if problem:
            self._tally.fail(place, problem)

    def _elsewhere(self, entry: e.Entry) -> None:
        """Follow what came for markets of other shards: it is answered where the market is."""
        if isinstance(entry, be.TransferReceived):
            (record, item), self._handed = self._handed or (None, None), None
            if record is not None and item is not None and not entry.code:
                self._open_item(record, item)
        elif isinstance(entry, ie.RequestWaits):
            where = (entry.event_id, entry.market_id)
            self._waiting.setdefault(where, deque()).append(entry.waiting)
        elif isinstance(entry, ie.RequestTaken):
            self._close()
            waiting = self._waiting.get((entry.event_id, entry.market_id))
            if not waiting:
                place = Place("bets", -1, -1)
                self._tally.fail(place, f"what is taken for {entry.market_id!r} did not wait")
            else:
                record = Record(BETS, -1, -1, 0, None, None)
                self._open_item(record, waiting.popleft())

    def _open_item(self, record: Record, item: Forwarded) -> None:
        if item.topic == BETS:
            key, client_id = item.event_id.encode(), item.client_id
            asked = record._replace(key=key, value=item.value, client_id=client_id)
            self._open = (record, Replies(asked, self.firsts))

    def finish(self, complete: bool) -> None:
        """The journal ends here; with `complete`, nothing may wait any more."""
        self._close()
        for inputs in (self._bets, self._events, self._transfers):
            for record in inputs.rest():
                self._tally.count("inputs that still wait")
                if complete:
                    self._unanswered(record)
        for event_id, (client_id, bet_id), due_ms in self.firsts.pending():
            self._tally.count("bets that still wait for their delay")
            if complete:
                place = Place("bets", -1, -1)
                what = f"bet {bet_id!r} of {client_id!r} on {event_id!r} is pending until {due_ms}"
                self._tally.fail(place, what)

    def _next_bet(self, place: Place, offset: int) -> None:
        self._unknown = self._bets.gone(offset)
        if self._unknown:
            self._tally.count("bet records deleted by retention")
            return
        record = self._bets.take(offset, self._unanswered)
        if record is None:
            self._tally.fail(place, f"answers record {offset} of bets, which is not there")
            self._unknown = True
            return
        self._tally.count("bet records")
        self.bets += 1
        self._open = (record, Replies(record, self.firsts))

    def _next_operation(self, place: Place, offset: int) -> None:
        self._unknown = False
        if self._events.gone(offset):
            self._tally.count("operations deleted by retention")
        elif self._events.take(offset, self._unanswered) is None:
            self._tally.fail(place, f"answers record {offset} of events, which is not there")
        else:
            self._tally.count("operations")
            self.operations += 1

    def _next_transfer(self, place: Place, offset: int) -> None:
        self._unknown = False
        if self._transfers.gone(offset):
            self._tally.count("transfers deleted by retention")
            self._links.lost()
            return
        record = self._transfers.take(offset, self._unanswered)
        if record is None:
            self._tally.fail(place, f"answers record {offset} of transfers, which is not there")
        else:
            self._tally.count("transfers")
            transfer = self._links.received(record)
            if transfer is not None and isinstance(transfer.body, Forwarded):
                self._handed = (record, transfer.body)

    def _unanswered(self, record: Record) -> None:
        place = Place(record.topic, record.partition, record.offset)
        self._tally.fail(place, "has no entry in the journal")

    def _close(self) -> None:
        if self._open is None:
            return
        record, replies = self._open
        self._open = None
        self._tally.count("requests", len(replies.requests))
        problem = replies.problem()
        if problem:
            self._tally.fail(Place(record.topic, record.partition, record.offset), problem)
