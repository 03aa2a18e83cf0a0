"""Pari-mutuel pool: bettors share what all staked, less the takeout (betting.md 1.1).

Standard price: net pool N = G(1-t); net split d_k = (N/m)/W_k, profit split
d_k = 1 + (N - sum of placed W)/m/W_k; dividends rounded down to the breakage unit.
"""

from pipelines.books.book import Outcome
from pipelines.books.rounding import floor_to, payout_minor
from pipelines.codes import Code
from pipelines.limits import ODDS_MAX_E4, ODDS_ONE
from pipelines.messages.operations import Market
from pipelines.messages.requests import BetRequest

__all__ = ["PoolBook"]


class PoolBook:
    """Stakes by selection; no prices are promised, so none can be stale."""

    __slots__ = ("breakage", "gross", "minimum", "places", "profit", "removed", "stakes", "takeout")

    moves_on_bets = True
    needs_odds = False

    def __init__(self, market: Market) -> None:
        self.takeout = market.takeout_e4
        self.breakage = market.breakage_e4
        self.minimum = market.minimum_dividend_e4
        self.profit = market.split == "profit"
        self.places = market.number_of_winners
        self.stakes = {s.selection_id: 0 for s in market.selections}
        self.removed: set[int] = set()
        self.gross = 0

    def quote(self, selection_id: int) -> int:
        return 0

    def price(self, request: BetRequest) -> int | Code:
        return 0

    def take(self, selection_id: int, stake_minor: int, odds_e4: int) -> None:
        self.stakes[selection_id] += stake_minor
        self.gross += stake_minor

    def give_back(self, selection_id: int, stake_minor: int, odds_e4: int) -> None:
        self.stakes[selection_id] -= stake_minor
        self.gross -= stake_minor

    def set_prices(self, prices: tuple[tuple[int, int], ...]) -> None:
        raise AssertionError("a pool has no prices to set")

    def remove(self, selection_id: int) -> None:
        self.removed.add(selection_id)

    def net(self) -> int:
        """Return the pool after the takeout, the takeout rounded up to the minor unit."""
        return self.gross * (ODDS_ONE - self.takeout) // ODDS_ONE

    def odds(self, selection_id: int) -> int:
        """Return the approximate odds: the dividend if this selection alone shares its place."""
        return self.shown()[selection_id][0]

    def shown(self) -> dict[int, tuple[int, int]]:
        # In place pools each place has its part of the net pool; the rounding is the dividend's.
        net_e4 = self.net() * ODDS_ONE // self.places
        breakage, minimum, removed = self.breakage, self.minimum, self.removed
        found = {}
        for selection_id, stake in self.stakes.items():
            if not stake or selection_id in removed:
                found[selection_id] = (0, stake)
                continue
            odds = net_e4 // stake
            odds -= odds % breakage
            if odds < minimum:
                odds = minimum
            found[selection_id] = (odds if odds < ODDS_MAX_E4 else ODDS_MAX_E4, stake)
        return found

    def outcome(self, winners: tuple[int, ...]) -> Outcome:
        placed = [w for w in winners if self.stakes[w] > 0]
        if not placed:
            return Outcome(refund=True, dividends=(), reason="no stakes on the winners")
        net, m = self.net(), len(placed)
        placed_stakes = sum(self.stakes[w] for w in placed)
        dividends = []
        for winner in placed:
            stake = self.stakes[winner]
            if self.profit:
                unbroken = ODDS_ONE + (net - placed_stakes) * ODDS_ONE // (m * stake)
            else:
                unbroken = net * ODDS_ONE // (m * stake)
            broken = floor_to(max(unbroken, 0), self.breakage)
            dividends.append((winner, max(broken, self.minimum)))
        return Outcome(refund=False, dividends=tuple(dividends), reason="")

    def payout(
        self,
        stake_minor: int,
        odds_e4: int,
        selection_id: int,
        winners: tuple[int, ...],
        dividends: tuple[tuple[int, int], ...],
    ) -> int:
        for winner, dividend in dividends:
            if winner == selection_id:
                return payout_minor(stake_minor, dividend)
        return 0

    def house_postings(
        self, staked_minor: int, paid_minor: int, refund: bool
    ) -> tuple[tuple[str, int], ...]:
        if refund:
            return ()
        takeout = staked_minor - self.net()
        breakage = staked_minor - paid_minor - takeout
        account = "house:breakage" if breakage >= 0 else "house:minus-pool"
        postings = (("house:commission", takeout), (account, breakage))
        return tuple((name, amount) for name, amount in postings if amount)

    def hashed(self) -> object:
        return ("pool", self.gross, list(self.stakes.items()), sorted(self.removed))
