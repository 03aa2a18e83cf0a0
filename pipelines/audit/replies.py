"""Which entries an input record of `bets` must have left, and whether it did.

Reads the record as the shard does (stage 1, decode), then asks of each request in it for exactly
one reply of the right kind to the right bettor, in the same order.
"""

from typing import Final

from pipelines.audit.firsts import FirstAnswers
from pipelines.limits import ENVELOPE_MESSAGES_MAX, ID_LENGTH_MAX
from pipelines.messages import bettor_entries as be
from pipelines.messages import cash_out_entries as co
from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe
from pipelines.messages.bettor_entries import TransferSent
from pipelines.messages.coupon_requests import CouponRequest
from pipelines.messages.isolation_entries import RequestWaits
from pipelines.messages.requests import (
    BetRequest,
    CancelRequest,
    CashOutRequest,
    ReplaceRequest,
    UpdateRequest,
)
from pipelines.messages.transfers import Forwarded
from pipelines.ports import Record
from pipelines.shard.decode import Incoming, Unreadable, decode_bets
from pipelines.shard.forward import incoming_of

__all__ = ["REPLIES_MAX", "Replies", "same_body"]

#: A dead letter and a refusal for every message of the largest envelope.
REPLIES_MAX: Final = 2 * ENVELOPE_MESSAGES_MAX + 2


class Replies:
    """The entries that one input record left, apart from timers. Used once."""

    def __init__(self, record: Record, firsts: FirstAnswers) -> None:
        """Read the record; `firsts` is as before its replies."""
        key = record.key or b""
        self.requests = decode_bets(record.value, record.client_id)
        self._offset = record.offset
        self._event_id = _event_id(key)
        self._entries: list[e.Entry] = []
        self._known: list[e.BetEntry | None] = []
        self._firsts = firsts
        self._dropped = 0

    def add(self, entry: e.Entry) -> None:
        """The record left this entry; call it before `firsts` sees the entry."""
        if len(self._entries) >= REPLIES_MAX:
            self._dropped += 1
            return
        known = None
        if isinstance(entry, e.BetRepeated | e.BetConflict):
            known = self._firsts.known(entry.event_id, entry.client_id, entry.bet_id)
        self._entries.append(entry)
        self._known.append(known)

    def problem(self) -> str:
        """Say what is wrong with the replies, "" where nothing is."""
        at = 0
        if self._event_id is None:
            if not self._is_letter(0):
                return "a record without a usable key has no dead letter"
            at = 1
            wanted = [one for one in self.requests if one.client_id]
            for one in wanted:
                if not self._is_refusal(at, one.client_id):
                    return f"{one.client_id!r} got no refusal of a record without a usable key"
                at += 1
        else:
            for one in self.requests:
                taken = self._taken(at, one)
                if not taken:
                    return self._missing(at, one)
                at += taken
        extra = len(self._entries) - at + self._dropped
        return f"{extra} more entries than the record asks for" if extra else ""

    def _taken(self, at: int, one: Incoming) -> int:
        """Return how many entries from `at` on reply to a request; 0 where they do not."""
        if not one.client_id:
            return 1 if self._is_letter(at) else 0
        request = one.request
        if at >= len(self._entries):
            return 0
        entry = self._entries[at]
        if isinstance(entry, TransferSent | RequestWaits):
            return self._elsewhere(entry, one)
        if isinstance(request, BetRequest):
            return 1 if self._answers(entry, self._known[at], one.client_id, request) else 0
        if isinstance(request, CancelRequest):
            cancelled = isinstance(entry, e.BetCancelled | e.CancelRejected | oe.OrderCancelled)
            return 1 if cancelled and _of(entry) == (one.client_id, request.bet_id) else 0
        if isinstance(request, CashOutRequest):
            kinds = co.AnyCashOutEntry | e.BetRepeated
            hedge = f"{request.bet_id}/cash-out"  # begins the id of the order that hedges it
            if str(getattr(entry, "bet_id", "")).startswith(hedge):
                return int(isinstance(entry, oe.OrderEntry | e.BetRepeated))
            return int(isinstance(entry, kinds) and _of(entry) == (one.client_id, request.bet_id))
        if isinstance(request, ReplaceRequest | UpdateRequest):
            return self._changed(at, one.client_id, request)
        if isinstance(request, CouponRequest) and not self._is_letter(at):
            return self._coupon(at, one.client_id, request)
        if self._is_letter(at):
            return 2 if self._is_refusal(at + 1, one.client_id) else 0
        assert isinstance(request, Unreadable)
        answered = isinstance(entry, e.BetRejected | e.BetRepeated | e.BetConflict)
        whose = (one.client_id, request.fields.get("bet_id"))
        return 1 if answered and _of(entry) == whose else 0

    def _elsewhere(self, entry: TransferSent | RequestWaits, one: Incoming) -> int:
        """A request for a market of another shard is answered there; it left as it came."""
        item = entry.body if isinstance(entry, TransferSent) else entry.waiting
        if not isinstance(item, Forwarded) or item.event_id != self._event_id:
            return 0
        sent, request = incoming_of(item).request, one.request
        if isinstance(request, Unreadable):
            same = isinstance(sent, Unreadable) and item.bet_id == request.fields.get("bet_id")
        else:
            same = sent == request
        return int(same and item.client_id == one.client_id)

    def _coupon(self, at: int, client_id: str, coupon: CouponRequest) -> int:
        """Count the replies to a coupon: one, and the hold of its stake in an account."""
        entry = self._entries[at]
        if _of(entry) != (client_id, coupon.bet_id):
            return 0
        if isinstance(entry, be.CouponPending):
            following = self._entries[at + 1] if at + 1 < len(self._entries) else None
            held = isinstance(following, be.FundsReserved)
            return 2 if held and _of(following) == (client_id, coupon.bet_id) else 1
        answers = be.CouponRejected | e.BetRepeated | e.BetConflict
        return 1 if isinstance(entry, answers) else 0

    def _changed(self, at: int, client_id: str, request: ReplaceRequest | UpdateRequest) -> int:
        """Count the replies to a replace (a cancel and a new order) or an update."""
        entry = self._entries[at]
        if isinstance(entry, oe.ChangeRejected | oe.OrderUpdated):
            return 1 if _of(entry) == (client_id, request.bet_id) else 0
        if isinstance(request, UpdateRequest):
            return 0
        anew = (client_id, request.new_bet_id)
        if isinstance(entry, e.BetRepeated | e.BetConflict):
            return 1 if _of(entry) == anew else 0
        following = self._entries[at + 1] if at + 1 < len(self._entries) else None
        placed = isinstance(following, oe.OrderEntry) and _of(following) == anew
        gone = isinstance(entry, oe.OrderCancelled) and _of(entry) == (client_id, request.bet_id)
        return 2 if placed and gone else 0

    def _answers(
        self, entry: e.Entry, known: e.BetEntry | None, client_id: str, bet: BetRequest
    ) -> bool:
        if _of(entry) != (client_id, bet.bet_id) or entry.event_id != self._event_id:
            return False
        if isinstance(entry, e.BetEntry):
            in_part = isinstance(entry, e.BetPending) and entry.accept_partial
            return same_body(entry, bet) and (bet.accept_partial or not in_part)
        if isinstance(entry, e.BetRepeated):
            return known is None or same_body(known, bet)
        if isinstance(entry, e.BetConflict):
            return known is None or not same_body(known, bet)
        return False

    def _is_letter(self, at: int) -> bool:
        entry = self._entries[at] if at < len(self._entries) else None
        return isinstance(entry, e.RecordDeadLettered) and entry.offset == self._offset

    def _is_refusal(self, at: int, client_id: str) -> bool:
        entry = self._entries[at] if at < len(self._entries) else None
        return isinstance(entry, e.RequestRefused) and entry.client_id == client_id

    def _missing(self, at: int, one: Incoming) -> str:
        request = one.request
        fields = request.fields if isinstance(request, Unreadable) else {}
        bet_id = getattr(request, "bet_id", "") or fields.get("bet_id", "")
        who = f"bet {bet_id!r} of {one.client_id!r}" if bet_id else "an unreadable request"
        found = type(self._entries[at]).__name__ if at < len(self._entries) else "nothing"
        return f"{who} has no fitting answer: found {found}"


def same_body(entry: e.BetEntry, bet: BetRequest) -> bool:
    """Return whether the entry holds the bet as it was asked for."""
    if isinstance(entry, oe.OrderEntry) and not _same_terms(entry, bet):
        return False
    asked = entry.stake_minor
    if isinstance(entry, e.BetPartlyAccepted):
        in_part = bet.accept_partial or bet.price_limit_e6
        if not (in_part and 0 < asked < entry.asked_stake_minor):
            return False
        asked = entry.asked_stake_minor
    return (
        entry.market_id == bet.market_id
        and entry.selection_id == bet.selection_id
        and asked == bet.stake_minor
        and entry.asked_odds_e4 == bet.odds_e4
        and entry.price_policy == bet.price_policy
        and entry.tolerance_e4 == bet.tolerance_e4
        and entry.market_version == bet.market_version
    )


def _same_terms(entry: oe.OrderEntry, bet: BetRequest) -> bool:
    return (
        entry.side == bet.side
        and entry.order_type == bet.order_type
        and entry.persistence == bet.persistence
        and entry.time_in_force == bet.time_in_force
        and entry.min_fill_minor == bet.min_fill_minor
        and not entry.replaces
    )


def _of(entry: e.Entry | None) -> tuple[str, str]:
    return getattr(entry, "client_id", ""), getattr(entry, "bet_id", "")


def _event_id(key: bytes) -> str | None:
    try:
        text = key.decode()
    except UnicodeDecodeError:
        return None
    return text if 0 < len(text) <= ID_LENGTH_MAX else None
