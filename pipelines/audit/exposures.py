"""Exchange markets of accounts, over all partitions: both sides say the same of the money.

What a market's shard told an account to hold and to post is in its journal, as what it sent; what
the account held and posted is in the account's. Step by step they must be equal.
"""

from dataclasses import dataclass

from pipelines.audit.tally import Place, Tally
from pipelines.messages import bettor_entries as be
from pipelines.messages import entries as e
from pipelines.messages import transfers as t

__all__ = ["Exposures"]

Where = tuple[str, str, str]  # the bettor's key, event id, market id


@dataclass(slots=True)
class _Money:
    held_minor: int = 0
    posted_minor: int = 0
    steps: int = 0  # a hash over each hold and amount so far

    def step(self, held_minor: int, amount_minor: int) -> None:
        self.held_minor = held_minor
        self.posted_minor += amount_minor
        self.steps = hash((self.steps, held_minor, amount_minor))


class Exposures:
    """Shared by all partitions."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._told: dict[Where, _Money] = {}
        self._done: dict[Where, _Money] = {}

    def see(self, entry: e.Entry) -> None:
        """Look at the next entry of any journal; those of one journal in order."""
        if isinstance(entry, be.TransferSent):
            body = entry.body
            if isinstance(body, t.ExposureHeld | t.MarketPosted):
                told = self._told.setdefault((entry.to, body.event_id, body.market_id), _Money())
                told.step(body.held_minor, getattr(body, "amount_minor", 0))
        elif isinstance(entry, be.ExposureWasHeld):
            self._at(entry.event_id, entry.source, entry.of_market).step(entry.held_minor, 0)
        elif isinstance(entry, be.FundsPosted) and entry.of_market:
            done = self._at(entry.event_id, entry.source, entry.of_market)
            done.step(done.held_minor - entry.released_minor, entry.amount_minor)

    def _at(self, key: str, event_id: str, market_id: str) -> _Money:
        return self._done.setdefault((key, event_id, market_id), _Money())

    def finish(self, complete: bool) -> None:
        """All partitions were read; with `complete`, nothing may be under way."""
        if not complete:
            return
        for where in self._told.keys() | self._done.keys():
            self._tally.count("exposures")
            told, done = self._told.get(where, _Money()), self._done.get(where, _Money())
            if told != done:
                key, event_id, market_id = where
                what = f"{key} holds {done.held_minor} and was posted {done.posted_minor}"
                said = f"{told.held_minor} and {told.posted_minor}"
                place = Place("journal", -1, -1)
                self._tally.fail(place, f"{what} for {market_id!r} of {event_id!r}, not {said}")
