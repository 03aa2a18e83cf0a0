"""Random lives of automated market makers against the cost function itself, in many digits."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction

from pipelines.messages import cash_out_entries as co
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
    shares: int
    void: bool = False
    sold: bool = False

    def stands(self) -> bool:
        return not self.void and not self.sold


class MakerLife(Life):
    """One market of two to six selections; the model is the list of bets taken."""

    expected_of_all = frozenset({
        "accepted", "odds changed", "nothing to win", "sensitive", "given", "voided", "removed",
        "settled", "dead heat", "refund", "rolled back", "up to a price", "at the price already",
        "sold back", "sold back in part", "quoted", "worth nothing",
    })  # fmt: skip

    def __init__(self, number: int) -> None:
        super().__init__(number, Desk())
        chance = self.chance
        self.length = chance.randrange(3, STEPS_MAX)
        self.taken: list[Bought] = []
        self.kept = 0  # what those who sold back have left of their stakes, or taken
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
        return [self.bet] * 12 + [self.sell] * 5 + [self.void, self.remove]

    # --- the model

    def shares(self, selection: int) -> int:
        return sum(b.shares for b in self.taken if b.selection == selection and b.stands())

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
        return self.can_buy(selection, stake, stake * odds)

    def can_buy(self, selection: int, stake: int, shares: Fraction) -> bool:
        """Whether the stake buys so many shares."""
        return self.cost(selection, shares) - self.cost() <= stake

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
        limit_e6 = chance.choice([0, 0, 0, chance.randrange(1, 1_000_000)])
        entry = self.desk.bet(
            f"b{number}", selection_id=selection, stake_minor=stake, odds_e4=asked,
            price_policy=policy, tolerance_e4=tolerance, price_limit_e6=limit_e6,
            market_version=self.desk.market().version,
        )  # fmt: skip
        where = f"sequence {self.number}, bet {number}"
        if limit_e6:
            price = Fraction(limit_e6, 1_000_000)
            taken = self.up_to_a_price(entry, selection, stake, price, where)
            if taken is None:
                return
            stake = taken
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
        assert isinstance(entry, e.BetAccepted | e.BetPartlyAccepted), where
        odds = Fraction(entry.odds_e4, 10_000)
        assert self.can_pay(selection, stake, odds), where
        capped = odds == ODDS_MAX or (policy == "exact" and entry.odds_e4 == asked)
        assert capped or not self.can_pay(selection, stake, odds + TOO_LITTLE_MAX), where
        wish = Fraction(asked, 10_000)
        agreed = fixed.acceptable(wish, odds, policy, Fraction(tolerance, 10_000))
        assert agreed == odds, where
        shares = entry.shares_minor
        assert self.can_buy(selection, stake, Fraction(shares)), where
        most = shares + 1 + Fraction(1, 1_000)  # the engine works with floats
        assert capped or not self.can_buy(selection, stake, most), where
        now_ms = self.desk.now_ms
        self.taken.append(Bought(f"b{number}", selection, stake, odds, now_ms, shares))
        self.seen.add("accepted")

    def price(self, selection: int, shares: Fraction) -> Decimal:
        """What the next share costs after so many more."""
        step = Fraction(1, 10**12)
        with localcontext() as context:
            context.prec = oracle.DIGITS
            slope = self.cost(selection, shares + step) - self.cost(selection, shares)
            return slope * step.denominator

    def up_to_a_price(
        self, entry: e.Entry, selection: int, stake: int, limit: Fraction, where: str
    ) -> int | None:
        """The stake that a bet up to a price takes; None where it takes nothing."""
        wanted = Decimal(limit.numerator) / limit.denominator
        near = Decimal("0.000002")
        if isinstance(entry, e.BetRejected):
            cheap = self.price(selection, Fraction(0)) < wanted - near
            if entry.code == "ODDS_CHANGED" and not cheap:
                self.seen.add("at the price already")
            return None  # else the odds, or less than a unit up to the price
        assert isinstance(entry, e.BetAccepted | e.BetPartlyAccepted), where
        after = self.price(selection, Fraction(entry.shares_minor))
        assert after <= wanted + near, where
        if isinstance(entry, e.BetPartlyAccepted):
            assert (entry.asked_stake_minor, entry.stake_minor < stake) == (stake, True), where
            if entry.odds_e4 in (10_000_000, entry.asked_odds_e4):
                return entry.stake_minor  # lower odds than it pays for: at most those asked for
            # Two units of stake more, which buy no more than this, would have been too many.
            more = entry.shares_minor + 2 / Fraction(after) + 1
            assert self.price(selection, more) >= wanted - near, where
            self.seen.add("up to a price")
        return entry.stake_minor

    def sell(self) -> None:
        standing = [b for b in self.taken if b.stands() and b.selection in self.living]
        if not standing:
            return
        bought = self.chance.choice(standing)
        keep = self.chance.choice([0, 0, bought.stake // 2, bought.stake // 3])
        amount = self.chance.choice([0, 1, 1])
        (entry,) = self.desk.bets(
            {
                "type": "cash_out", "bet_id": bought.id, "event_id": EVENT, "market_id": MARKET,
                "amount_minor": amount, "keep_stake_minor": keep,
            }
        )  # fmt: skip
        where = f"sequence {self.number}, sale of {bought.id}"
        if isinstance(entry, e.BetRepeated):
            assert bought.stake == keep, where
            return
        closed = bought.stake - keep
        shares = bought.shares * closed // bought.stake
        exact = self.cost() - self.cost(bought.selection, Fraction(-shares))
        if isinstance(entry, co.CashOutRejected):
            assert entry.code == "CASH_OUT_UNAVAILABLE", where
            assert exact < Decimal("1.001"), where
            self.seen.add("worth nothing")
            return
        assert isinstance(entry, co.CashOutQuoted | co.BetCashedOut | co.BetPartlyCashedOut), where
        paid = entry.amount_minor
        assert paid <= exact < paid + Decimal("1.001"), where
        if isinstance(entry, co.CashOutQuoted):
            self.seen.add("quoted")
            return
        self.kept += closed - paid
        bought.shares -= shares
        bought.stake = keep
        bought.sold = not keep
        if isinstance(entry, co.BetPartlyCashedOut):
            assert (entry.stake_minor, entry.shares_minor) == (keep, bought.shares), where
        self.seen.add("sold back in part" if keep else "sold back")

    def void(self) -> None:
        self.desk.now_ms += 1_000
        from_ms = self.desk.now_ms - self.chance.choice([1_000, 3_000])
        entries = self.desk.operate_market(
            "bets_voided", from_ms=from_ms, to_ms=self.desk.now_ms - 1
        )
        found = {x.bet_id for x in entries if isinstance(x, e.BetSettled)}
        right = [b for b in self.taken if b.stands() and from_ms <= b.at_ms < self.desk.now_ms]
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
            bought.void |= bought.selection == selection and bought.stands()
        self.seen.add("removed")

    def compare(self) -> None:
        """Odds shown are one by the price, to a ten-thousandth; the worst loss is exact."""
        image = self.desk.images[EVENT, MARKET]
        staked = sum(b.stake for b in self.taken if b.stands()) + self.kept
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
            if not bought.stands():
                continue
            won = bought.shares // len(winners)
            right[bought.id] = won if bought.selection in winners else 0
            if void:
                right[bought.id] = bought.stake
        assert found == right, f"sequence {self.number}"
        self.seen.update({"settled", "refund" if void else "settled"})
        self.seen.update({"dead heat"} if len(winners) > 1 else set())
