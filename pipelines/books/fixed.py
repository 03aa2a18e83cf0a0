"""Fixed odds: the house offers a price, keeps a liability ledger and bounds its loss.

Liability ledger (betting.md 1.2): with T staked in all and payout_i owed if i wins, the house's
worst case is T less the largest payouts of as many selections as can win.
"""

from pipelines.books.acceptable import acceptable_odds
from pipelines.books.book import Outcome
from pipelines.books.fixed_terms import RULE_4_MAX_E4, rule_4_e4
from pipelines.books.ladder import LADDERS
from pipelines.books.liability_line import opening_odds
from pipelines.books.rounding import dead_heat_payout_minor, factor_payout_minor, payout_minor
from pipelines.codes import Code
from pipelines.limits import ODDS_ONE
from pipelines.messages.operations import Market
from pipelines.messages.requests import BetRequest
from pipelines.messages.rules import FixedRules

__all__ = ["FixedBook"]


class FixedBook:
    """Offered odds and liabilities by selection."""

    __slots__ = (
        "ladder",
        "loss_limit",
        "owed",
        "owed_places",
        "places",
        "prices",
        "rules",
        "taken",
        "total",
        "withdrawals",
    )

    moves_on_bets = False
    needs_odds = True
    sells_shares = False

    def __init__(self, market: Market) -> None:
        self.ladder = LADDERS[market.ladder]
        self.loss_limit = market.loss_limit_minor
        self.places = market.number_of_winners
        self.rules = market.fixed or FixedRules()
        self.prices = {s.selection_id: s.odds_e4 for s in market.selections}
        if self.rules.probabilities:
            self.prices.update(opening_odds(self.rules, self.ladder))
        self.owed = {s.selection_id: 0 for s in market.selections}
        # Each-way: what a place alone would pay, a part of what is owed to a winner.
        self.owed_places = dict.fromkeys(self.owed, 0) if self.rules.each_way_divisor else {}
        self.total = 0
        self.taken = 0
        self.withdrawals: list[tuple[int, int]] = []  # bets taken before it, deduction

    def quote(self, selection_id: int) -> int:
        return self.prices[selection_id]

    def price(self, request: BetRequest) -> int | Code:
        """Return the acceptable odds if the limits have room for the bet at them."""
        if request.odds_e4 not in self.ladder.valid:
            return Code.INVALID_ODDS
        offered = self.quote(request.selection_id)
        odds = acceptable_odds(request, offered) if offered else Code.ODDS_CHANGED
        if isinstance(odds, Code):
            return odds
        selection_id, stake_minor = request.selection_id, request.stake_minor
        payout_max = self.rules.payout_max_minor
        if payout_max and payout_minor(stake_minor, odds) > payout_max:
            return Code.ABOVE_MAX_BET_AMOUNT
        if self.loss_limit and not self._has_room(selection_id, stake_minor, odds):
            return Code.LOSS_LIMIT_EXCEEDED
        return odds

    def stake_max_minor(self, selection_id: int, odds_e4: int, up_to_minor: int) -> int:
        """Return the largest stake up to `up_to_minor` that the limits have room for now."""
        low, high = 0, up_to_minor
        if self.rules.payout_max_minor:
            high = min(high, ((self.rules.payout_max_minor + 1) * ODDS_ONE - 1) // odds_e4)
        if not self.loss_limit or self._has_room(selection_id, high, odds_e4):
            return high
        # With one winner it is room / (odds - 1), but for rounding: look near that first.
        room = max(self.loss_limit + self.total - self.owed[selection_id], 0)
        near = room * self.rules.stake_factor_e4 // max(odds_e4 - ODDS_ONE, 1)
        for guess in (near - 3, near + 3):
            if low < guess < high:
                if self._has_room(selection_id, guess, odds_e4):
                    low = guess
                else:
                    high = guess
        while high - low > 1:
            middle = (low + high) // 2
            if self._has_room(selection_id, middle, odds_e4):
                low = middle
            else:
                high = middle
        return low

    def _has_room(self, selection_id: int, stake_minor: int, odds_e4: int) -> bool:
        """Return whether so much at these odds keeps the worst case within the loss limit.

        The stake factor is the share of that room that one bet may take.
        """
        if not self.rules.stake_factor_e4:
            return stake_minor == 0
        stake_minor = -(-stake_minor * ODDS_ONE // self.rules.stake_factor_e4)
        owed = dict(self.owed)
        owed[selection_id] += payout_minor(stake_minor, odds_e4)
        owed_places = dict(self.owed_places)
        if owed_places:
            parts = self._parts(stake_minor, odds_e4)
            owed[selection_id] = self.owed[selection_id] + sum(parts)
            owed_places[selection_id] += parts[1]
        return self._worst(self.total + stake_minor, owed, owed_places) >= -self.loss_limit

    def worst_loss_minor(self, selection_id: int, stake_minor: int, odds_e4: int) -> int:
        """Return what the house loses in the worst case, 0 for none, with a bet more if any."""
        owed, owed_places = self.owed, self.owed_places
        if stake_minor:
            owed, owed_places = dict(owed), dict(owed_places)
            if owed_places:
                win, place = self._parts(stake_minor, odds_e4)
                owed[selection_id] += win + place
                owed_places[selection_id] += place
            else:
                owed[selection_id] += payout_minor(stake_minor, odds_e4)
        return max(0, -self._worst(self.total + stake_minor, owed, owed_places))

    def _worst(self, total: int, owed: dict[int, int], owed_places: dict[int, int]) -> int:
        """Return the house's result on these in the worst case, negative for a loss."""
        if not owed_places:
            if self.places == 1:
                return total - max(owed.values())
            return total - sum(sorted(owed.values(), reverse=True)[: self.places])
        # Each-way: one wins, and the others that are placed get their place money.
        others = self.rules.each_way_places - 1
        worst = 0
        for winner, amount in owed.items():
            rest = sorted((p for s, p in owed_places.items() if s != winner), reverse=True)
            worst = max(worst, amount + sum(rest[:others]))
        return total - worst

    def _parts(self, stake_minor: int, odds_e4: int) -> tuple[int, int]:
        """Return what an each-way bet is paid at most for a win, and for a place, rounded up."""
        divisor = self.rules.each_way_divisor
        place = stake_minor * (odds_e4 + (divisor - 1) * ODDS_ONE)
        return -(-stake_minor * odds_e4 // (2 * ODDS_ONE)), -(-place // (2 * divisor * ODDS_ONE))

    def take(
        self, selection_id: int, stake_minor: int, odds_e4: int, shares_minor: int = 0
    ) -> None:
        self.taken += 1
        self.total += stake_minor
        self._owe(selection_id, stake_minor, odds_e4, 1)

    def give_back(
        self, selection_id: int, stake_minor: int, odds_e4: int, shares_minor: int = 0
    ) -> None:
        self.total -= stake_minor
        self._owe(selection_id, stake_minor, odds_e4, -1)

    def keep(
        self, selection_id: int, stake_minor: int, odds_e4: int, shares_minor: int = 0
    ) -> None:
        """What is left of a bet that was given back stays: it is no new bet."""
        self.total += stake_minor
        self._owe(selection_id, stake_minor, odds_e4, 1)

    def _owe(self, selection_id: int, stake_minor: int, odds_e4: int, sign: int) -> None:
        if not self.owed_places:
            self.owed[selection_id] += sign * payout_minor(stake_minor, odds_e4)
            return
        win, place = self._parts(stake_minor, odds_e4)
        self.owed[selection_id] += sign * (win + place)
        self.owed_places[selection_id] += sign * place

    def set_prices(self, prices: tuple[tuple[int, int], ...]) -> None:
        self.prices.update(prices)

    def deduction_for_e4(self, selection_id: int) -> int:
        """Return what Rule 4 deducts if this selection is withdrawn at its odds of now."""
        return rule_4_e4(self.quote(selection_id)) if self.rules.rule_4 else 0

    def remove(self, selection_id: int, deduction_e4: int = -1) -> None:
        if deduction_e4 < 0:
            deduction_e4 = self.deduction_for_e4(selection_id)
        if deduction_e4:
            self.withdrawals.append((self.taken, deduction_e4))
        self.prices[selection_id] = 0

    def odds(self, selection_id: int) -> int:
        return self.prices[selection_id]

    def shown(self) -> dict[int, tuple[int, int]]:
        return {selection_id: (odds, 0) for selection_id, odds in self.prices.items()}

    def deduction_e4(self, number: int) -> int:
        """Return Rule 4's deduction from the winnings of the market's bet of this number, from 0.

        It is for withdrawals after the bet was struck; several add up.
        """
        return min(sum(d for taken, d in self.withdrawals if number < taken), RULE_4_MAX_E4)

    def deduction_since_e4(self, withdrawals: int) -> int:
        """Return Rule 4's deduction for a leg held when so many withdrawals had come."""
        return min(sum(d for _, d in self.withdrawals[withdrawals:]), RULE_4_MAX_E4)

    def terms(
        self, winners: tuple[int, ...], factors: tuple[tuple[int, int, int, int], ...]
    ) -> dict[int, tuple[int, int, int]]:
        """Return the settlement factors of every selection."""
        if factors:
            return {s: (a, b, d) for s, a, b, d in factors}
        tied = len(winners)
        won = (1, 0, 1) if tied <= self.places else (self.places, 0, tied)
        return {s: won if s in winners else (0, 0, 1) for s in self.owed}

    def settled(
        self, stake_minor: int, odds_e4: int, terms: tuple[int, int, int], number: int
    ) -> tuple[str, int]:
        """Return a bet's result (win, loss, void) and payout by its selection's factors."""
        a, b, d = terms
        paid = factor_payout_minor(stake_minor, odds_e4, terms, self.deduction_e4(number))
        if a:  # too small a share of too small a stake pays nothing
            return ("win" if paid else "loss"), paid
        return ("void" if b == d else "loss"), paid

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
        return (
            "fixed",
            self.total,
            list(self.prices.items()),
            list(self.owed.items()),
            list(self.owed_places.items()),
            self.taken,
            self.withdrawals,
        )
