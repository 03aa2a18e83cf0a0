"""Pari-mutuel pool: bettors share what all staked, less the takeout (betting.md 1.1).

Standard price: net pool N = G(1-t); net split d_k = (N/m)/W_k, profit split
d_k = 1 + (N - sum of placed W)/m/W_k; dividends rounded down to the breakage unit.
"""

from collections.abc import Container, Sequence
from fractions import Fraction

from pipelines.books.book import Outcome
from pipelines.books.exotic import consolations
from pipelines.books.rounding import floor_to, payout_minor
from pipelines.codes import Code
from pipelines.limits import ODDS_MAX_E4, ODDS_ONE
from pipelines.messages.operations import Market
from pipelines.messages.requests import BetRequest
from pipelines.messages.rules import PoolRules

__all__ = ["PoolBook"]


class PoolBook:
    """Stakes by selection; no prices are promised, so none can be stale."""

    __slots__ = (
        "breakage",
        "carried",
        "combination",
        "dead_heat_floors",
        "floors",
        "gross",
        "minimum",
        "nearest",
        "no_winner",
        "places",
        "profit",
        "removed",
        "rules",
        "stakes",
        "takeout",
    )

    moves_on_bets = True
    needs_odds = False
    sells_shares = False

    def __init__(self, market: Market) -> None:
        self.takeout = market.takeout_e4
        self.breakage = market.breakage_e4
        self.minimum = market.minimum_dividend_e4
        self.profit = market.split == "profit"
        self.places = market.number_of_winners
        rules = market.pool or PoolRules()
        self.rules = rules
        self.combination = rules.combination
        self.carried = rules.carry_in_minor
        self.no_winner = rules.no_winner
        self.nearest = rules.rounding == "nearest"
        self.floors = tuple(sorted(rules.floors))
        self.dead_heat_floors = tuple(sorted(rules.dead_heat_floors))
        self.stakes = {s.selection_id: 0 for s in market.selections}
        self.removed: set[int] = set()
        self.gross = 0

    def quote(self, selection_id: int) -> int:
        return 0

    def price(self, request: BetRequest) -> int | Code:
        return 0

    def take(
        self, selection_id: int, stake_minor: int, odds_e4: int, shares_minor: int = 0
    ) -> None:
        self.stakes[selection_id] += stake_minor
        self.gross += stake_minor

    def give_back(
        self, selection_id: int, stake_minor: int, odds_e4: int, shares_minor: int = 0
    ) -> None:
        self.stakes[selection_id] -= stake_minor
        self.gross -= stake_minor

    def set_prices(self, prices: tuple[tuple[int, int], ...]) -> None:
        raise AssertionError("a pool has no prices to set")

    def remove(self, selection_id: int, deduction_e4: int = -1) -> None:
        self.removed.add(selection_id)

    def net(self) -> int:
        """Return the pool after the takeout, the takeout rounded up to the minor unit."""
        return self.gross * (ODDS_ONE - self.takeout) // ODDS_ONE

    def odds(self, selection_id: int) -> int:
        """Return the approximate odds: the dividend if this selection alone shares its place."""
        return self.shown()[selection_id][0]

    def shown(self) -> dict[int, tuple[int, int]]:
        # In place pools each place has its part of the net pool; the rounding is the dividend's.
        net_e4 = (self.net() + self.carried) * ODDS_ONE // self.places
        breakage, minimum, removed = self.breakage, self.minimum, self.removed
        by_rules = bool(self.floors) or self.nearest
        found = {}
        for selection_id, stake in self.stakes.items():
            if not stake or selection_id in removed:
                found[selection_id] = (0, stake)
                continue
            odds = net_e4 // stake
            if by_rules:
                odds = self._paid_e4(odds)
            else:
                odds -= odds % breakage
                if odds < minimum:
                    odds = minimum
            found[selection_id] = (odds if odds < ODDS_MAX_E4 else ODDS_MAX_E4, stake)
        return found

    def outcome(self, winners: tuple[int, ...]) -> Outcome:
        """Return the dividends where all winners share alike."""
        shared = winners if len(winners) > self.places else ()
        return self._dividends([((winner,), Fraction(1)) for winner in winners], shared)

    def combined(self, winners: tuple[int, ...], finish: tuple[tuple[int, ...], ...]) -> Outcome:
        """Return the dividends of an exotic pool: of the winning orders, or who comes next."""
        if self.no_winner == "next" and not any(self.stakes[winner] for winner in winners):
            for sets in consolations(self.rules, finish):
                if any(self.stakes[s] for of in sets for s in of):
                    return self._dividends([(of, Fraction(1)) for of in sets])
        return self.outcome(winners)

    def shared(self, finish: tuple[tuple[int, ...], ...]) -> Outcome:
        """Return the dividends by the order of finish: each place has an equal part of the pool.

        Tied selections share the parts of the places they take up (Wisconsin Game 9.04: in a dead
        heat for second half goes to the first, the other half to those tied). A selection that
        takes several places, as coupled runners do, has the part of each (Oklahoma 325:65-9-4).
        """
        parts: dict[int, Fraction] = {}
        before = 0
        for group in finish:
            places = min(self.places - before, len(group))
            before += len(group)
            if places <= 0:
                if self.no_winner != "next" or any(self.stakes[s] for s in parts):
                    break
                parts, places = {}, len(group)  # nobody staked on the placed: whoever came next
            for selection_id in group:
                part = parts.get(selection_id, Fraction(0))
                parts[selection_id] = part + Fraction(places, len(group))
        shared = [s for s, part in parts.items() if part < 1]
        return self._dividends([((s,), part) for s, part in parts.items()], shared)

    def _dividends(
        self, parts: Sequence[tuple[tuple[int, ...], Fraction]], shared: Container[int] = ()
    ) -> Outcome:
        """Return what selections with stakes pay: those of each set alike, by its part of all.

        `shared` are those in a dead heat for a place.
        """
        staked = [(of, part, sum(self.stakes[s] for s in of)) for of, part in parts]
        staked = [one for one in staked if one[2]]
        if not staked:
            reason = "no stakes on the winners"
            if self.no_winner == "carry_over":
                return Outcome(refund=False, dividends=(), reason=f"{reason}: carried over")
            return Outcome(refund=True, dividends=(), reason=reason)
        net, whole = self.net() + self.carried, sum(part for _, part, _ in staked)
        if self.profit:
            net -= sum(stake for _, _, stake in staked)
        dividends: list[tuple[int, int]] = []
        for of, part, stake in staked:
            unbroken = net * ODDS_ONE * part // (whole * stake)
            unbroken += ODDS_ONE if self.profit else 0
            paid = self._paid_e4(max(unbroken, 0), of[0] in shared)
            dividends += [(s, paid) for s in of if self.stakes[s]]
        return Outcome(refund=False, dividends=tuple(dividends), reason="")

    def _paid_e4(self, unbroken_e4: int, shared: bool = False) -> int:
        """Return what is paid for a calculated dividend: a floor, or broken, never below minimum.

        UK Tote: from 0.90 to 1.10 pays 1.10, up to 0.90 pays 1.02, in a dead heat up to 0.60 pays
        0.60 (betting.md 1.1).
        """
        by_dead_heat = shared and bool(self.dead_heat_floors)
        for below, pays in self.dead_heat_floors if by_dead_heat else self.floors:
            if unbroken_e4 < below:
                return pays
        broken = floor_to(unbroken_e4 + self.breakage // 2 * self.nearest, self.breakage)
        return max(broken, 0 if by_dead_heat else self.minimum)

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
        if self.no_winner == "carry_over" and not paid_minor:
            parts = (("house:commission", takeout), ("house:carry-over", staked_minor - takeout))
            return tuple((name, amount) for name, amount in parts if amount)
        carried = self.carried if staked_minor else 0
        breakage = staked_minor + carried - paid_minor - takeout
        account = "house:breakage" if breakage >= 0 else "house:minus-pool"
        postings = (
            ("house:commission", takeout),
            (account, breakage),
            ("house:carry-over", -carried),
        )
        return tuple((name, amount) for name, amount in postings if amount)

    def hashed(self) -> object:
        return ("pool", self.gross, list(self.stakes.items()), sorted(self.removed))
