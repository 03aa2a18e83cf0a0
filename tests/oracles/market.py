"""A market's life as a plain model: every answer, the odds shown, every payout and posting."""

from dataclasses import dataclass, field
from fractions import Fraction
from math import floor

from tests.oracles import fixed, pool

HIGHEST = Fraction(1_000)
BANDS = (
    (1, 2, "0.01"), (2, 3, "0.02"), (3, 4, "0.05"), (4, 6, "0.1"), (6, 10, "0.2"),
    (10, 20, "0.5"), (20, 30, "1"), (30, 50, "2"), (50, 100, "5"), (100, 1_000, "10"),
)  # fmt: skip


def on_ladder(odds: Fraction) -> bool:
    """Whether the odds are on Betfair's classic ladder."""
    for first, last, step in BANDS:
        if first < odds <= last:
            return odds >= Fraction("1.01") and (odds - first) % Fraction(step) == 0
    return False


def e4(odds: Fraction) -> int:
    whole, rest = divmod(10_000 * odds.numerator, odds.denominator)
    assert not rest
    return whole


@dataclass
class ModelBet:
    """One bet and how it stands."""

    who: tuple[str, str]
    selection: int
    stake: int
    asked: Fraction
    policy: str
    tolerance: Fraction
    version: int
    status: str = ""
    odds: Fraction = Fraction(0)
    code: str = ""
    payout: int = 0
    struck_ms: int = 0
    due_ms: int = 0
    voided_early: bool = False
    asked_stake: int = 0  # 0: the stake, of which a part may have been bought back
    declined: bool = False

    def same(self, other: "ModelBet") -> bool:
        return (
            (self.selection, self.asked_stake or self.stake, self.asked)
            == (other.selection, other.stake, other.asked)
            and (self.policy, self.tolerance, self.version)
            == (other.policy, other.tolerance, other.version)
        )  # fmt: skip


@dataclass
class MarketModel:
    """`rules` of a pool, None for a fixed book."""

    rules: pool.PoolRules | None
    places: int
    loss_limit: int
    stake_min: int
    stake_max: int
    offered: dict[int, Fraction]
    delay_ms: int = 0
    in_play: bool = False
    status: str = "OPEN"
    version: int = 1
    material: int = 1
    removed: set[int] = field(default_factory=set)
    known: dict[tuple[str, str], ModelBet] = field(default_factory=dict)
    taken: list[ModelBet] = field(default_factory=list)
    waiting: list[ModelBet] = field(default_factory=list)
    ever_settled: bool = False
    settled: bool = False
    refund: bool = False
    paid_last: list[ModelBet] = field(default_factory=list)
    early: dict[int, str] = field(default_factory=dict)  # selections settled before the market
    margin: Fraction = Fraction(0)  # of a cash-out
    bought_back: int = 0  # what cash-outs left of their stakes

    # --- bets

    def bet(self, bet: ModelBet, now_ms: int) -> tuple[object, ...]:
        """The one answer to a bet."""
        before = self.known.get(bet.who)
        if before is not None:
            if not before.same(bet):
                return ("conflict",)
            return ("repeated", before.status, e4(before.odds), before.code)
        self.known[bet.who] = bet
        code = self._why_not(bet)
        if code is None and not self.stake_min <= bet.stake:
            code = "INVALID_BET_SIZE"
        if code is None and bet.stake > self.stake_max:
            code = "ABOVE_MAX_BET_AMOUNT"
        odds, code = (Fraction(0), code) if code else self._priced(bet)
        if code:
            bet.status, bet.code = "rejected", code
            return ("rejected", code)
        if self.in_play and self.delay_ms:
            bet.status, bet.due_ms, bet.struck_ms = "pending", now_ms + self.delay_ms, now_ms
            self.waiting.append(bet)
            return ("pending", bet.due_ms)
        self._take(bet, odds, now_ms)
        return ("accepted", e4(odds))

    def pass_time(self, now_ms: int) -> list[tuple[object, ...]]:
        """The second checks that are due, in order."""
        answers: list[tuple[object, ...]] = []
        for bet in sorted(self.waiting, key=lambda b: b.due_ms):  # sorting keeps arrival order
            if bet.due_ms > now_ms:
                continue
            self.waiting.remove(bet)
            code = self._why_not(bet)
            odds, code = (Fraction(0), code) if code else self._priced(bet)
            if code:
                bet.status, bet.code, bet.declined = "rejected", code, True
                answers.append(("declined", bet.who, code))
            else:
                self._take(bet, odds, bet.due_ms)
                answers.append(("confirmed", bet.who, e4(odds)))
        return answers

    def _why_not(self, bet: ModelBet) -> str | None:
        if self.status == "SUSPENDED":
            return "MARKET_SUSPENDED"
        if self.status != "OPEN":
            return "MARKET_NOT_OPEN_FOR_BETTING"
        if bet.selection not in self.offered:
            return "INVALID_RUNNER"
        if bet.selection in self.removed:
            return "RUNNER_REMOVED"
        if bet.selection in self.early:
            return "MARKET_NOT_OPEN_FOR_BETTING"
        stale = bet.version < self.material or bet.version > self.version
        if stale and (self.rules is None or bet.version != 0):
            return "INVALID_MARKET_VERSION"
        return None

    def _priced(self, bet: ModelBet) -> tuple[Fraction, str | None]:
        if self.rules is not None:
            return Fraction(0), None
        if not on_ladder(bet.asked):
            return Fraction(0), "INVALID_ODDS"
        offer = self.offered[bet.selection]
        odds = fixed.acceptable(bet.asked, offer, bet.policy, bet.tolerance)
        if odds is None:
            return Fraction(0), "ODDS_CHANGED"
        if self.loss_limit:
            bets = [(b.selection, b.stake, b.odds) for b in self._in_book()]
            bets.append((bet.selection, bet.stake, odds))
            worst = fixed.worst_case(self.offered, bets, self.places) + self.bought_back
            if worst < -self.loss_limit:
                return Fraction(0), "LOSS_LIMIT_EXCEEDED"
        return odds, None

    def _take(self, bet: ModelBet, odds: Fraction, at_ms: int) -> None:
        bet.status, bet.odds, bet.struck_ms = "accepted", odds, at_ms
        self.taken.append(bet)

    def _in_book(self) -> list[ModelBet]:
        return [b for b in self.taken if not b.voided_early and b.status != "cashed_out"]

    def cash_out(
        self, who: tuple[str, str], amount: int, tolerance: int, keep: int
    ) -> tuple[object, ...]:
        """The one answer to a bettor who asks what a bet is worth, or to be paid that."""
        bet = self.known.get(who)
        if bet is None or (bet.status == "rejected" and not bet.declined):
            return ("not cashed out", "INVALID_BET_ID", 0)
        if bet.status == "cashed_out" or (keep and bet.asked_stake and bet.stake == keep
                                          and bet.status == "accepted"):  # fmt: skip
            return ("repeated", bet.status, e4(bet.odds), bet.code)
        code = self._why_no_cash_out(bet, keep)
        if code:
            return ("not cashed out", code, 0)
        odds = self.offered[bet.selection]
        closed = bet.stake - keep
        worth = floor(closed * bet.odds / odds * (1 - self.margin)) if odds else 0
        if not worth:
            return ("not cashed out", "CASH_OUT_UNAVAILABLE", 0)
        if not amount:
            return ("quoted", worth)
        if worth < amount - tolerance:
            return ("not cashed out", "ODDS_CHANGED", worth)
        self.bought_back += closed - worth
        if keep:
            bet.asked_stake = bet.asked_stake or bet.stake
            bet.stake = keep
            return ("partly cashed out", worth, keep)
        bet.status = "cashed_out"
        return ("cashed out", worth)

    def _why_no_cash_out(self, bet: ModelBet, keep: int) -> str | None:
        if bet.status != "accepted":
            return "BET_IN_PROGRESS" if bet.status == "pending" else "BET_TAKEN_OR_LAPSED"
        if keep >= bet.stake:
            return "INVALID_BET_SIZE"
        if self.rules is not None or (self.in_play and self.delay_ms):
            return "CASH_OUT_UNAVAILABLE"
        if self.status != "OPEN":
            suspended = self.status == "SUSPENDED"
            return "MARKET_SUSPENDED" if suspended else "MARKET_NOT_OPEN_FOR_BETTING"
        gone = bet.selection in self.removed or bet.selection in self.early
        return "RUNNER_REMOVED" if gone else None

    # --- operations: a code where refused, else None or what follows

    def change(self, status: str, in_play: bool, delay_ms: int) -> str | None:
        if self.ever_settled or (self.status == "CLOSED" and status != "CLOSED"):
            return "INVALID_STATUS"
        if (status, in_play, delay_ms) == (self.status, self.in_play, self.delay_ms):
            return "UNCHANGED"
        self.version += 1
        if self.status == "SUSPENDED" or in_play != self.in_play:
            self.material = self.version
        self.status, self.in_play, self.delay_ms = status, in_play, delay_ms
        return None

    def price(self, selection: int, odds: Fraction) -> str | None:
        if self.rules is not None:
            return "INVALID_ODDS"
        if self.status == "CLOSED":
            return "MARKET_NOT_OPEN_FOR_BETTING"
        if odds and (selection in self.removed or selection in self.early):
            return "RUNNER_REMOVED"
        if odds and not on_ladder(odds):
            return "INVALID_ODDS"
        if self.offered[selection] == odds:
            return "UNCHANGED"
        self.offered[selection] = odds
        return None

    def remove(self, selection: int) -> str | dict[tuple[str, str], tuple[str, int]]:
        if selection in self.removed or selection in self.early:
            return "UNCHANGED"
        if self.ever_settled:
            return "ALREADY_SETTLED"
        self.removed.add(selection)
        self.offered[selection] = Fraction(0)
        self.version += 1
        self.material = self.version
        return self._void([b for b in self.taken if b.selection == selection])

    def void(self, from_ms: int, to_ms: int) -> str | dict[tuple[str, str], tuple[str, int]]:
        if self.settled:
            return "ALREADY_SETTLED"
        struck = [
            b for b in self.taken if b.status == "accepted" and from_ms <= b.struck_ms <= to_ms
        ]
        return self._void(struck) if struck else "UNCHANGED"

    def _void(self, bets: list[ModelBet]) -> dict[tuple[str, str], tuple[str, int]]:
        found = {}
        for bet in bets:
            if bet.status == "accepted":
                bet.status, bet.payout, bet.voided_early = "void", bet.stake, True
                found[bet.who] = ("void", bet.stake)
        return found

    def result(
        self, winners: list[int], void: bool
    ) -> str | tuple[dict[tuple[str, str], tuple[str, int]], dict[str, int]]:
        """Outcomes by bet and what the house is posted."""
        if self.settled:
            return "ALREADY_SETTLED"
        if self.status == "OPEN":
            return "MARKET_STILL_OPEN"
        living = set(self.offered) - self.removed
        if not void and (not winners or not set(winners) <= living):
            return "INVALID_RESULT"
        if not void and not self._agrees(winners):
            return "INVALID_RESULT"
        early = [b for b in self.taken if b.selection in self.early and b.status in ("won", "lost")]
        for bet in self.waiting:
            bet.status, bet.code = "rejected", "MARKET_NOT_OPEN_FOR_BETTING"
            bet.declined = True
        self.waiting.clear()
        open_bets = [b for b in self.taken if b.status == "accepted"]
        shares: dict[int, Fraction] | None = None
        if self.rules is not None and not void:
            live = [(b.selection, b.stake) for b in open_bets]
            shares = pool.dividends(self.rules, live, winners)
            void = shares is None
        outcomes = {}
        for bet in open_bets:
            if void:
                bet.status, bet.payout = "void", bet.stake
            else:
                bet.payout = self._payout(bet, winners, shares)
                bet.status = "won" if bet.payout else "lost"
            name = {"won": "win", "lost": "loss", "void": "void"}[bet.status]
            outcomes[bet.who] = (name, bet.payout)
        self.settled = self.ever_settled = True
        self.refund, self.paid_last, self.status = void, [*open_bets, *early], "CLOSED"
        self.version += 1
        self.material = self.version
        staked = sum(b.stake for b in self.paid_last)
        paid = sum(b.payout for b in self.paid_last)
        if void and not early:
            return outcomes, {}
        if self.rules is not None:
            return outcomes, dict(pool.postings(self.rules, staked, paid))
        return outcomes, {"house:book": staked - paid} if staked != paid else {}

    def _payout(self, bet: ModelBet, winners: list[int], shares: dict[int, Fraction] | None) -> int:
        if shares is not None:
            return floor(bet.stake * shares.get(bet.selection, Fraction(0)))
        return fixed.payout((bet.selection, bet.stake, bet.odds), winners, self.places)

    def _agrees(self, winners: list[int]) -> bool:
        """Whether those settled early get from the result what they have been given."""
        shared = len(winners) > self.places  # nobody is paid in full
        return all(
            selection not in winners if how == "LOSER" else selection in winners and not shared
            for selection, how in self.early.items()
        )

    def part(
        self, selection: int, how: str
    ) -> str | tuple[dict[tuple[str, str], tuple[str, int]], dict[tuple[str, str], int]]:
        """Outcomes by bet of a selection decided early, and payouts taken back where it is not."""
        if self.rules is not None:
            return "INVALID_RESULT"
        if selection not in self.offered:
            return "INVALID_RUNNER"
        if selection in self.removed:
            return "RUNNER_REMOVED"
        if self.settled:
            return "ALREADY_SETTLED"
        now = self.early.get(selection, "ACTIVE")
        if now == how:
            return "UNCHANGED"
        if now != "ACTIVE" and how != "ACTIVE":
            return "INVALID_RESULT"
        if how == "WINNER" and list(self.early.values()).count("WINNER") >= self.places:
            return "INVALID_RESULT"
        self.version += 1
        self.material = self.version
        outcomes: dict[tuple[str, str], tuple[str, int]] = {}
        back: dict[tuple[str, str], int] = {}
        on_it = [b for b in self.taken if b.selection == selection]
        if how == "ACTIVE":
            del self.early[selection]
            for bet in on_it:
                if bet.status in ("won", "lost"):
                    back[bet.who] = bet.payout
                    bet.status, bet.payout = "accepted", 0
            return outcomes, back
        self.early[selection] = how
        for bet in on_it:
            if bet.status == "accepted":
                bet.status = "won" if how == "WINNER" else "lost"
                bet.payout = floor(bet.stake * bet.odds) if how == "WINNER" else 0
                outcomes[bet.who] = ("win" if how == "WINNER" else "loss", bet.payout)
        return outcomes, back

    def roll_back(self) -> str | dict[tuple[str, str], int]:
        """Payouts taken back by bet."""
        if not self.settled:
            return "NOT_SETTLED"
        found = {}
        for bet in self.paid_last:
            found[bet.who] = bet.payout
            bet.status, bet.payout = "accepted", 0
        self.settled = self.refund = False
        self.early.clear()
        self.version += 1
        self.material = self.version
        return found

    # --- what bettors see

    def shown(self) -> dict[int, tuple[int, int]]:
        """Odds in ten-thousandths and stakes by selection."""
        if self.rules is None:
            return {s: (0 if s in self.early else e4(o), 0) for s, o in self.offered.items()}
        bets = [(b.selection, b.stake) for b in self._in_book()]
        return {
            s: (
                0 if s in self.removed else e4(pool.approximate(self.rules, bets, s, HIGHEST)),
                pool.stakes_on(bets, s),
            )
            for s in self.offered
        }
