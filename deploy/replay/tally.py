"""What became of each bet, from the receipts that its bettor got: sent, answered, settled. Pure.

Receipts may come twice, and `event_seq` rises with every decision on an event, so a receipt that is
not newer than the last one of its bet changes nothing.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from deploy.replay.latency import Latencies
from pipelines.messages.requests import BetRequest

__all__ = ["ANSWERS", "Placed", "Tally"]

#: Receipts that are an answer to a bet.
ANSWERS: Final = frozenset({"accepted", "pending", "rejected", "cancelled", "conflict", "settled"})
FINAL: Final = frozenset({"rejected", "cancelled", "conflict", "settled"})


@dataclass(slots=True)
class Placed:
    """One bet on its way. `status` is "sent" until the first answer."""

    client_id: str
    request: BetRequest
    sent_s: float
    status: str = "sent"
    code: str = ""
    result: str = ""
    payout_minor: int = 0
    settlement: int = 0
    event_seq: int = 0
    was_accepted: bool = False

    @property
    def final(self) -> bool:
        """Whether nothing more is to come."""
        return self.status in FINAL


@dataclass(slots=True)
class Tally:
    """All bets of a run, and counts of what became of them."""

    bets: dict[tuple[str, str], Placed] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)  # accepted, rejected, ...
    codes: Counter[str] = field(default_factory=Counter)  # of the rejected
    results: Counter[str] = field(default_factory=Counter)  # win, loss, void
    placed: int = 0
    answered: int = 0
    answer_latency: Latencies = field(default_factory=Latencies)
    odds_latency: Latencies = field(default_factory=Latencies)
    _unseen: dict[tuple[str, str], list[Placed]] = field(default_factory=dict)

    def sent(self, client_id: str, request: BetRequest, at_s: float) -> Placed:
        """Note that a bet is sent, or was to be sent, at `at_s`."""
        bet = Placed(client_id, request, at_s)
        self.bets[client_id, request.bet_id] = bet
        self.placed += 1
        return bet

    def forget(self, bet: Placed) -> None:
        """Drop a bet that is over, or given up; its counts stay."""
        self.bets.pop((bet.client_id, bet.request.bet_id), None)

    def forget_event(self, event_id: str) -> None:
        """No more images of this event will come."""
        for key in [key for key in self._unseen if key[0] == event_id]:
            del self._unseen[key]

    def receipt(
        self, client_id: str, name: str, data: dict[str, Any], at_s: float
    ) -> Placed | None:
        """Take a receipt; return its bet where it changed, None where it says nothing new."""
        bet = self.bets.get((client_id, str(data.get("bet_id", ""))))
        event_seq = int(data.get("event_seq", 0))
        if bet is None or (event_seq and event_seq <= bet.event_seq):
            return None
        bet.event_seq = max(event_seq, bet.event_seq)
        if name == "unsettled":
            self.results[bet.result] -= 1
            bet.status, bet.result, bet.payout_minor = "accepted", "", 0
            return bet
        if name not in ANSWERS or (bet.final and name != "settled"):
            return None
        if bet.status == "sent":
            self.answered += 1
            self.answer_latency.add(at_s - bet.sent_s)
        self._count(bet, name, data)
        bet.status = name
        return bet

    def image(self, event_id: str, market_id: str, event_seq: int, at_s: float) -> None:
        """Take an odds image: bets that it includes have reached the odds."""
        waiting = self._unseen.get((event_id, market_id))
        if not waiting:
            return
        still = []
        for bet in waiting:
            if bet.event_seq <= event_seq:
                self.odds_latency.add(at_s - bet.sent_s)
            else:
                still.append(bet)
        self._unseen[event_id, market_id] = still

    def moves_odds(self, bet: Placed, seen_event_seq: int, at_s: float) -> None:
        """The bet's book moves on bets: time it until an image has it."""
        key = (bet.request.event_id, bet.request.market_id)
        self._unseen.setdefault(key, []).append(bet)
        self.image(*key, seen_event_seq, at_s)

    def open(self) -> list[Placed]:
        """Return the bets that wait for something."""
        return [bet for bet in self.bets.values() if not bet.final]

    def _count(self, bet: Placed, name: str, data: dict[str, Any]) -> None:
        if name == "accepted" and not bet.was_accepted:
            bet.was_accepted = True
            self.answers["accepted"] += 1
        elif name in ("rejected", "cancelled", "conflict"):
            self.answers[name] += 1
            bet.code = str(data.get("code", ""))
            if bet.code:
                self.codes[bet.code] += 1
        elif name == "settled":
            if not bet.was_accepted:  # its answer was overtaken by a repeated one
                bet.was_accepted = True
                self.answers["accepted"] += 1
            bet.result = str(data.get("result", ""))
            bet.payout_minor = int(data.get("payout_minor", 0))
            bet.settlement = int(data.get("settlement", 0))
            self.results[bet.result] += 1
