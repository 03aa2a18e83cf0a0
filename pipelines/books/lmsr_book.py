"""The book of an automated market maker: bets buy shares, and each moves the prices.

Shares are whole numbers, rounded down, and so is the state; what is shown is worked out from them.
A bet's odds are its shares over its stake. The maker loses at most b ln n, whatever is bought and
sold back, as long as no bet is voided.
"""

from math import ceil, floor, log

from pipelines.books.acceptable import acceptable_odds
from pipelines.books.book import Outcome
from pipelines.books.lmsr import (
    loss_bound,
    prices,
    sell_proceeds_minor,
    sensitive_cost,
    sensitive_prices,
    sensitive_shares,
    sensitive_shares_to_price,
    shares_for,
    shares_to_price,
    trade_cost,
)
from pipelines.books.lmsr_rules import liquidity_of, prior_of
from pipelines.books.rounding import dead_heat_payout_minor, payout_minor
from pipelines.codes import Code
from pipelines.limits import ODDS_MAX_E4, ODDS_ONE, STAKE_MAX_MINOR
from pipelines.messages.operations import Market
from pipelines.messages.requests import BetRequest

__all__ = ["LmsrBook"]


class LmsrBook:
    """Shares and stakes by selection."""

    __slots__ = (
        "_base",
        "_bought",
        "_ids",
        "_index",
        "_q",
        "alpha",
        "b",
        "owed",
        "removed",
        "seed",
        "shift",
        "staked",
        "total",
    )

    moves_on_bets = True
    needs_odds = True
    sells_shares = True

    def __init__(self, market: Market) -> None:
        rules = market.lmsr
        assert rules is not None, "checked when the market was opened"
        ids = [s.selection_id for s in market.selections]
        self.alpha = rules.alpha_e6 / 1_000_000
        self.seed = rules.seed_minor
        self.b = 0.0 if rules.alpha_e6 else liquidity_of(rules, len(ids))
        # Unequal probabilities are as if shares had been sold before: b ln p of each.
        prior = dict(zip([s for s, _ in rules.probabilities], prior_of(rules), strict=True))
        self.shift = [self.b * log(prior[s]) if prior else 0.0 for s in ids]
        self.owed = dict.fromkeys(ids, 0)  # shares, each a unit to pay
        self.staked = dict.fromkeys(ids, 0)
        self.total = 0
        self.removed: set[int] = set()
        self._begin()

    def _begin(self) -> None:
        """List the selections that take part; each bet changes one of `_q` only."""
        self._bought = (-1, 0, 0.0)  # what was last asked for: selection, stake, shares
        self._ids = [s for s in self.owed if s not in self.removed]
        self._index = {s: index for index, s in enumerate(self._ids)}
        self._base = [
            shift + self.seed
            for s, shift in zip(self.owed, self.shift, strict=True)
            if s not in self.removed
        ]
        self._q = [base + self.owed[s] for s, base in zip(self._ids, self._base, strict=True)]

    def quote(self, selection_id: int) -> int:
        return self.odds(selection_id)

    def price(self, request: BetRequest) -> int | Code:
        """Return the odds of the whole stake: lower than those shown, the more so the larger it is.

        How far below the odds asked for they may lie is the request's tolerance.
        """
        odds = self.odds_for(request.selection_id, request.stake_minor)
        if not odds:
            return Code.ODDS_CHANGED
        if request.price_policy != "any" and request.odds_e4 <= ODDS_ONE:
            return Code.INVALID_ODDS
        return acceptable_odds(request, odds)

    def odds_for(self, selection_id: int, stake_minor: int) -> int:
        """Return the odds that a stake gets as a whole, 0 where it would win nothing."""
        bought = self._shares_for(selection_id, stake_minor)
        odds = min(int(bought * ODDS_ONE / stake_minor), ODDS_MAX_E4)
        return odds if odds > ODDS_ONE else 0

    def _shares_for(self, selection_id: int, stake_minor: int) -> float:
        """Return the shares that a stake buys, less than floats can be wrong by."""
        asked = (selection_id, stake_minor)
        if self._bought[:2] == asked:
            return self._bought[2]
        q, index = self._q, self._index[selection_id]
        if self.alpha:
            bought = sensitive_shares(q, self.alpha, index, stake_minor)
            # The difference of two costs is as wrong as a float of their size can be.
            bought -= 1e-12 * sensitive_cost(q, self.alpha) + 1e-9
        else:
            bought = shares_for(q, self.b, index, stake_minor)
            bought -= 1e-9 + 1e-14 * max(abs(one) for one in q)
        bought -= 1e-11 * abs(bought)
        self._bought = (*asked, bought)
        return bought

    def shares_at(self, selection_id: int, stake_minor: int, odds_e4: int) -> int:
        """Return the shares of a bet that is taken at these odds: all that its stake buys.

        Fewer only where the bettor takes lower odds than were to be had.
        """
        least = payout_minor(stake_minor, odds_e4)
        if odds_e4 == ODDS_MAX_E4 or odds_e4 != self.odds_for(selection_id, stake_minor):
            return least
        return max(self.bought_minor(selection_id, stake_minor), least)

    def bought_minor(self, selection_id: int, stake_minor: int) -> int:
        """Return the whole shares that a stake buys now, rounded down."""
        return max(floor(self._shares_for(selection_id, stake_minor)), 0)

    def stake_to_price(self, selection_id: int, price: float) -> int:
        """Return what it costs to buy until the next share has this price, rounded down, or 0.

        Source: Hanson, trade to a price.
        """
        q, index = self._q, self._index[selection_id]
        if len(q) < 2:
            return 0
        if self.alpha:
            shares = sensitive_shares_to_price(q, self.alpha, index, price)
            after = list(q)
            after[index] += shares
            before = sensitive_cost(q, self.alpha)
            exact = sensitive_cost(after, self.alpha) - before - 1e-12 * before - 1e-9
        else:
            shares = shares_to_price(q, self.b, index, price)
            if shares <= 0:
                return 0
            exact = trade_cost(q, self.b, index, shares)
            exact -= 1e-9 + 1e-11 * exact
        return min(max(floor(exact), 0), STAKE_MAX_MINOR)

    def proceeds_minor(self, selection_id: int, shares_minor: int) -> int:
        """Return what is paid for shares that are sold back now, rounded down."""
        q, index = self._q, self._index[selection_id]
        if not self.alpha:
            return sell_proceeds_minor(q, self.b, index, shares_minor)
        after = list(q)
        after[index] -= shares_minor
        before = sensitive_cost(q, self.alpha)
        exact = before - sensitive_cost(after, self.alpha)
        return max(floor(exact - 1e-12 * before - 1e-9), 0)

    def take(
        self, selection_id: int, stake_minor: int, odds_e4: int, shares_minor: int = 0
    ) -> None:
        self.total += stake_minor
        self.staked[selection_id] += stake_minor
        self._owe(selection_id, shares_minor or payout_minor(stake_minor, odds_e4))

    def give_back(
        self, selection_id: int, stake_minor: int, odds_e4: int, shares_minor: int = 0
    ) -> None:
        self.total -= stake_minor
        self.staked[selection_id] -= stake_minor
        self._owe(selection_id, -(shares_minor or payout_minor(stake_minor, odds_e4)))

    def keep(
        self, selection_id: int, stake_minor: int, odds_e4: int, shares_minor: int = 0
    ) -> None:
        """What is left of a bet that was sold back in part stays."""
        self.take(selection_id, stake_minor, odds_e4, shares_minor)

    def _owe(self, selection_id: int, shares: int) -> None:
        self.owed[selection_id] += shares
        self._bought = (-1, 0, 0.0)
        index = self._index.get(selection_id)
        if index is not None:  # from whole numbers each time, so that no error adds up
            self._q[index] = self._base[index] + self.owed[selection_id]

    def set_prices(self, prices: tuple[tuple[int, int], ...]) -> None:
        raise AssertionError("a market maker has no prices to set")

    def remove(self, selection_id: int, deduction_e4: int = -1) -> None:
        self.removed.add(selection_id)
        self._begin()

    def odds(self, selection_id: int) -> int:
        return self.shown()[selection_id][0]

    def shown(self) -> dict[int, tuple[int, int]]:
        found = {s: (0, staked) for s, staked in self.staked.items()}
        for s, price in self.prices().items():
            # A hair more than the price is a hair less odds: 0.5 shows 2.0, and no more.
            odds = int(ODDS_ONE / price + 1e-6) if price > 1e-9 else ODDS_MAX_E4
            odds = min(odds, ODDS_MAX_E4)
            found[s] = (odds if odds > ODDS_ONE else 0, self.staked[s])
        return found

    def prices(self) -> dict[int, float]:
        """Return what the next share of each selection that takes part costs."""
        q = self._q
        if not q:
            return {}
        each = sensitive_prices(q, self.alpha) if self.alpha else prices(q, self.b)
        return dict(zip(self._ids, each, strict=True))

    def liquidity(self) -> float:
        """Return b, which grows with the shares where it is liquidity-sensitive."""
        return self.alpha * sum(self._q) if self.alpha else self.b

    def worst_loss_minor(self) -> int:
        """Return what the maker loses on the bets it has, in the worst result, 0 for none."""
        return max(*self.owed.values(), self.total) - self.total

    def loss_bound_minor(self) -> int:
        """Return what it can lose at most, whatever is bet, rounded up.

        Liquidity-sensitive: its cost at the seed, because the cost is never below what is owed.
        """
        count = len(self.owed)
        if self.alpha:
            return ceil(sensitive_cost([float(self.seed)] * count, self.alpha) - self.seed)
        if any(self.shift):
            return ceil(-min(self.shift) - 1e-6)
        return ceil(loss_bound(self.b, count) - 1e-6)

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
        return dead_heat_payout_minor(stake_minor, odds_e4, 1, len(winners))

    def house_postings(
        self, staked_minor: int, paid_minor: int, refund: bool
    ) -> tuple[tuple[str, int], ...]:
        rest = staked_minor - paid_minor
        return (("house:book", rest),) if rest else ()

    def hashed(self) -> object:
        return (
            "lmsr",
            self.total,
            list(self.owed.items()),
            list(self.staked.items()),
            sorted(self.removed),
        )
