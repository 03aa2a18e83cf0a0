"""Every bet of an event by bettor and bet id: what stage 3, dedupe, asks, and `evolve` fills.

Bet ids are the bettors' own, and nearly all differ. So a bet is kept under its bet id alone, which
takes 70 bytes less than a pair; only where bettors use the same id are the later ones kept under
the pair. Either way all stand in the order in which they came.
"""

from collections.abc import Iterator, ValuesView
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.shard.state import AnyBet

__all__ = ["BetKey", "BetTable"]

BetKey = tuple[str, str]  # client id, bet id


class BetTable:
    """A mapping from (client id, bet id) to bets, without their keys.

    `by_id` and `clashed` are read where a call costs too much: while nothing has clashed, a bet
    that is not in `by_id` is in no other place.
    """

    __slots__ = ("by_id", "clashed")

    def __init__(self) -> None:
        self.by_id: dict[str | BetKey, AnyBet] = {}
        self.clashed = False  # whether any bet was ever kept under a pair

    def of(self, client_id: str, bet_id: str) -> "AnyBet | None":
        """Return a bettor's bet, None where there is none."""
        found = self.by_id.get(bet_id)
        if found is None:
            return self.by_id.get((client_id, bet_id)) if self.clashed else None
        if found.client_id == client_id:
            return found
        return self.by_id.get((client_id, bet_id))

    def get(self, key: BetKey) -> "AnyBet | None":
        """Return the bet of a pair, None where there is none."""
        return self.of(*key)

    def __getitem__(self, key: BetKey) -> "AnyBet":
        found = self.of(*key)
        if found is None:
            raise KeyError(key)
        return found

    def __contains__(self, key: BetKey) -> bool:
        return self.of(*key) is not None

    def __len__(self) -> int:
        return len(self.by_id)

    def values(self) -> "ValuesView[AnyBet]":
        """Return the bets, in the order in which they came."""
        return self.by_id.values()

    def items(self) -> "Iterator[tuple[BetKey, AnyBet]]":
        """Iterate over pairs and bets, in the order in which they came."""
        return (((bet.client_id, bet.bet_id), bet) for bet in self.by_id.values())

    def add(self, bet: "AnyBet") -> None:
        """Keep a bet; one of the same bettor and id stands where the former stood."""
        bets, bet_id = self.by_id, bet.bet_id
        key = (bet.client_id, bet_id)
        if self.clashed and key in bets:
            bets[key] = bet
            return
        former = bets.setdefault(bet_id, bet)
        if former is bet:
            return
        if former.client_id == bet.client_id:
            bets[bet_id] = bet
            return
        self.clashed = True
        bets[key] = bet

    def __delitem__(self, key: BetKey) -> None:
        former = self.by_id.get(key[1])
        if former is not None and former.client_id == key[0]:
            del self.by_id[key[1]]
        else:
            del self.by_id[key]
