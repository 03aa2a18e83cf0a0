"""Random lives of automated market makers against the cost function itself, in many digits."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from math import floor

from pipelines.messages import entries as e
from tests.differential.life import Life
from tests.oracles import fixed
from tests.oracles import lmsr as oracle
from tests.pipelines.shard.desk import EVENT, MARKET, Desk

STEPS_MAX = 16
ODDS_MAX = Fraction(1_000)
UNIT = Fraction(1, 10_000)
#: The engine may give this much less than exact: it works with floats and rounds to its own side.
TOO_LITTLE_MAX = 2 * UNIT


@dataclass
class Bought:
    """One bet that was taken."""

    id: str
    selection: int
    stake: int
    odds: Fraction
    at_ms: int
    void: bool = False

    def shares(self) -> int:
        return floor(self.stake * self.odds)


class MakerLife(Life):
    """One market of two to six selections; the model is the list of bets taken."""

    expected_of_all = frozenset({
        "accepted", "odds changed", "nothing to win", "sensitive", "given", "voided", "removed",
        "settled", "dead heat", "refund", "rolled back",
    })  # fmt: skip

    def __init__(self, number: int) -> None:
        super().__init__(number, Desk())
        chance = self.chance
        self.length = chance.randrange(3, STEPS_MAX)
        self.taken: list[Bought] = []
        self.living = list(range(1, chance.randrange(2, 7) + 1))
        self.b = Decimal(chance.choice([20, 500, 10_000, 300_000]))
        self.alpha = Decimal(0)
        self.base = dict.fromkeys(self.living, Decimal(0))
        rules: dict[str, object] = {"liquidity_minor": int(self.b)}
        if chance.random() < 0.4:
            seed, self.alpha = chance.choice([50, 1_000]), Decimal(chance.choice([1, 5, 20])) / 100
            self.base = dict.fromkeys(self.living, Decimal(seed))
            rules = {"alpha_e6": int(self.alpha * 1_000_000), "seed_minor": seed}
            self.seen.add("sensitive")
        elif chance.random() < 0.4:
            parts = {s: chance.randrange(1, 20) for s in self.living}
            total = sum(parts.values())
            self.base = {s: self.b * (Decimal(p) / total).ln() for s, p in parts.items()}
            rules["probabilities"] = [[s, p] for s, p in parts.items()]
            self.seen.add("given")
        self.desk.open(
            {
                "market_id": MARKET,
                "engine": "lmsr",
                "selections": [{"selection_id": s} for s in self.living],
                "lmsr": rules,
            }
        )

    def steps(self) -> list[Callable[[], None]]:
        return [self.bet] * 12 + [self.void, self.remove]

    # --- the model

    def shares(self, selection: int) -> int:
        return sum(b.shares() for b in self.taken if b.selection == selection and not b.void)

    def cost(self, selection: int = 0, more: Fraction = Fraction(0)) -> Decimal:
        """What all shares cost, with some more of one selection."""
        q = []
        for s in self.living:
            added = more if s == selection else Fraction(0)
            extra = Decimal(added.numerator) / added.denominator
            q.append(self.base[s] + self.shares(s) + extra)
        return oracle.sensitive_cost(q, self.alpha) if self.alpha else oracle.cost(q, self.b)

    def can_pay(self, selection: int, stake: int, odds: Fraction) -> bool:
        """Whether the stake buys shares for these odds."""
        return self.cost(selection, stake * odds) - self.cost() <= stake

    def exact_odds(self, selection: int) -> Decimal:
        """One by the price, which is the slope of the cost; at most the highest odds."""
        step = Fraction(1, 10**12)
        with localcontext() as context:
            context.prec = oracle.DIGITS
            price = (self.cost(selection, step) - self.cost()) * step.denominator
            return 1 / max(price, Decimal("0.001"))

    # --- steps

    def bet(self) -> None:
        chance = self.chance
        selection = chance.choice(self.living)
        stake = chance.choice([1, chance.randrange(1, 100), chance.randrange(1, 5_000)])
        shown = self.desk.images[EVENT, MARKET].selections[selection - 1].odds_e4
        policy = chance.choice(["any", "better", "exact"])
        tolerance = chance.choice([0, 100, 3_000, 30_000])
        asked = chance.choice([shown, shown, max(10_100, shown - 500), 30_000]) or 30_000
        number = len(self.desk.sent)
        entry = self.desk.bet(
            f"b{number}", selection_id=selection, stake_minor=stake, odds_e4=asked,
            price_policy=policy, tolerance_e4=tolerance,
            market_version=self.desk.market().version,
        )  # fmt: skip
        where = f"sequence {self.number}, bet {number}"
        if isinstance(entry, e.BetRejected):
            assert entry.code in ("ODDS_CHANGED", "INVALID_ODDS"), where
            if not self.can_pay(selection, stake, 1 + 3 * UNIT):
                self.seen.add("nothing to win")
                return
            limit = Fraction(asked - tolerance, 10_000)
            # No odds that the bettor would have taken were to be had, but for the rounding.
            if policy == "exact":
                above = Fraction(asked + tolerance, 10_000) + UNIT
                too_good = self.can_pay(selection, stake, above)
                assert too_good or not self.can_pay(selection, stake, limit + TOO_LITTLE_MAX), where
            elif asked > 10_000:
                assert policy == "better", where
                assert not self.can_pay(selection, stake, limit + TOO_LITTLE_MAX), where
            self.seen.add("odds changed")
            return
        assert isinstance(entry, e.BetAccepted), where
        odds = Fraction(entry.odds_e4, 10_000)
        assert self.can_pay(selection, stake, odds), where
        capped = odds == ODDS_MAX or (policy == "exact" and entry.odds_e4 == asked)
        assert capped or not self.can_pay(selection, stake, odds + TOO_LITTLE_MAX), where
        wish = Fraction(asked, 10_000)
        agreed = fixed.acceptable(wish, odds, policy, Fraction(tolerance, 10_000))
        assert agreed == odds, where
        self.taken.append(Bought(f"b{number}", selection, stake, odds, self.desk.now_ms))
        self.seen.add("accepted")

    def void(self) -> None:
        self.desk.now_ms += 1_000
        from_ms = self.desk.now_ms - self.chance.choice([1_000, 3_000])
        entries = self.desk.operate_market(
            "bets_voided", from_ms=from_ms, to_ms=self.desk.now_ms - 1
        )
        found = {x.bet_id for x in entries if isinstance(x, e.BetSettled)}
        right = [b for b in self.taken if not b.void and from_ms <= b.at_ms < self.desk.now_ms]
        assert found == {b.id for b in right}, f"sequence {self.number}"
        for bought in right:
            bought.void = True
            self.seen.add("voided")

    def remove(self) -> None:
        if len(self.living) < 3:
            return
        selection = self.chance.choice(self.living)
        self.desk.operate_market("selection_removed", selection_id=selection)
        self.living.remove(selection)
        for bought in self.taken:
            bought.void |= bought.selection == selection
        self.seen.add("removed")

    def compare(self) -> None:
        """Odds shown are one by the price, to a ten-thousandth; the worst loss is exact."""
        image = self.desk.images[EVENT, MARKET]
        staked = sum(b.stake for b in self.taken if not b.void)
        for shown in image.selections:
            s = shown.selection_id
            if s not in self.living:
                assert shown.odds_e4 == 0, f"sequence {self.number}"
                continue
            right = self.exact_odds(s) * 10_000
            if shown.odds_e4:
                assert abs(shown.odds_e4 - right) <= 2, f"sequence {self.number}, selection {s}"
            else:
                assert right < 10_002, f"sequence {self.number}, selection {s}"
        assert image.market_maker is not None
        worst = max(0, max(self.shares(s) for s in self.base) - staked)
        assert image.market_maker.worst_loss_minor == worst, f"sequence {self.number}"

    def end(self) -> None:
        self.desk.operate_market("market_status", status="SUSPENDED")
        for _ in range(2):
            count = min(self.chance.choice([1, 1, 2]), len(self.living))
            self.settle(sorted(self.chance.sample(self.living, count)), self.chance.random() < 0.2)
            self.desk.check()
            self.desk.operate_market("result_rolled_back")
            self.seen.add("rolled back")
        self.desk.check()

    def settle(self, winners: list[int], void: bool) -> None:
        entries = self.desk.operate_market("result", winners=winners, void=void)
        found = {x.bet_id: x.payout_minor for x in entries if isinstance(x, e.BetSettled)}
        right = {}
        for bought in self.taken:
            if bought.void:
                continue
            won = floor(bought.stake * bought.odds / len(winners))
            right[bought.id] = won if bought.selection in winners else 0
            if void:
                right[bought.id] = bought.stake
        assert found == right, f"sequence {self.number}"
        self.seen |= {"settled", "refund" if void else "settled"}
        self.seen |= {"dead heat"} if len(winners) > 1 else set()
