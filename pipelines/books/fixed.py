"""Fixed odds: the house offers a price, keeps a liability ledger and bounds its loss.

Liability ledger (betting.md 1.2): with T staked in all and payout_i owed if i wins, the house's
worst case is T less the largest payouts of as many selections as can win.
"""

from pipelines.books.book import Outcome
from pipelines.books.ladder import LADDERS
from pipelines.books.rounding import dead_heat_payout_minor, payout_minor
from pipelines.codes import Code
from pipelines.messages.operations import Market
from pipelines.messages.requests import BetRequest

__all__ = ["FixedBook"]


class FixedBook:
    """Offered odds and liabilities by selection."""

    __slots__ = ("ladder", "loss_limit", "owed", "places", "prices", "total")

    moves_on_bets = False
    needs_odds = True

    def __init__(self, market: Market) -> None:
        self.ladder = LADDERS[market.ladder]
        self.loss_limit = market.loss_limit_minor
        self.places = market.number_of_winners
        self.prices = {s.selection_id: s.odds_e4 for s in market.selections}
        self.owed = {s.selection_id: 0 for s in market.selections}
        self.total = 0

    def quote(self, selection_id: int) -> int:
        return self.prices[selection_id]

    def price(self, request: BetRequest) -> int | Code:
        """Return the acceptable odds if the loss limit has room for the bet at them."""
        odds = self._acceptable(request)
        if self.loss_limit and not isinstance(odds, Code):
            return self._refusal(request.selection_id, request.stake_minor, odds) or odds
        return odds

    def _acceptable(self, request: BetRequest) -> int | Code:
        """Apply the price policy: the offer must be what was asked for, or acceptably near.

        A better offer is given to `better` and `any`; the tolerance is how far below the odds
        asked for the offer may lie (and for `exact` also how far above, at the odds asked for).
        """
        asked = request.odds_e4
        if asked not in self.ladder.valid:
            return Code.INVALID_ODDS
        offered = self.prices[request.selection_id]
        if not offered:
            return Code.ODDS_CHANGED
        if offered == asked:
            return offered
        policy = request.price_policy
        if policy == "any" or (policy == "better" and offered > asked):
            return offered
        if abs(offered - asked) <= request.tolerance_e4:
            # Within the tolerance the bettor gets the offer, never more than was on offer.
            return min(offered, asked) if policy == "exact" else offered
        return Code.ODDS_CHANGED

    def _refusal(self, selection_id: int, stake_minor: int, odds_e4: int) -> Code | None:
        owed = sorted(
            (
                amount + (payout_minor(stake_minor, odds_e4) if s == selection_id else 0)
                for s, amount in self.owed.items()
            ),
            reverse=True,
        )
        worst = self.total + stake_minor - sum(owed[: self.places])
        return Code.LOSS_LIMIT_EXCEEDED if worst < -self.loss_limit else None

    def take(self, selection_id: int, stake_minor: int, odds_e4: int) -> None:
        self.total += stake_minor
        self.owed[selection_id] += payout_minor(stake_minor, odds_e4)

    def give_back(self, selection_id: int, stake_minor: int, odds_e4: int) -> None:
        self.total -= stake_minor
        self.owed[selection_id] -= payout_minor(stake_minor, odds_e4)

    def set_prices(self, prices: tuple[tuple[int, int], ...]) -> None:
        self.prices.update(prices)

    def remove(self, selection_id: int) -> None:
        self.prices[selection_id] = 0

    def odds(self, selection_id: int) -> int:
        return self.prices[selection_id]

    def shown(self) -> dict[int, tuple[int, int]]:
        return {selection_id: (odds, 0) for selection_id, odds in self.prices.items()}

    def outcome(self, winners: tuple[int, ...]) -> Outcome:
        return Outcome(refund=False, dividends=(), reason="")

    def payout(
        self,
        stake_minor: int,
        odds_e4: int,
        selection_id: int,
        winners: tuple[int, ...],
        dividends: tuple[tuple[int, int], ...],
    ) -> int:
        if selection_id not in winners:
            return 0
        tied = len(winners)
        if tied <= self.places:
            return payout_minor(stake_minor, odds_e4)
        return dead_heat_payout_minor(stake_minor, odds_e4, self.places, tied)

    def house_postings(
        self, staked_minor: int, paid_minor: int, refund: bool
    ) -> tuple[tuple[str, int], ...]:
        rest = staked_minor - paid_minor
        return (("house:book", rest),) if rest else ()

    def hashed(self) -> object:
        return ("fixed", self.total, list(self.prices.items()), list(self.owed.items()))
