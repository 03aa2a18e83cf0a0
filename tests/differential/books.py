"""Random lives of pools and of fixed books, compared step by step with a slow, obvious model."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from pipelines.messages import entries as e
from tests.differential.answers import answer, money, taken_back
from tests.differential.life import Life
from tests.oracles.market import MarketModel, ModelBet, e4
from tests.oracles.pool import PoolRules
from tests.pipelines.shard.desk import EVENT, MARKET, Desk, bet

STEPS_MAX = 45
LADDER = [10_100, 15_000, 19_900, 20_000, 20_200, 29_800, 30_000, 30_500, 40_000, 64_000, 1_000_000]
OFF_LADDER = [10_000, 15_050, 30_100, 65_100, 10_010_000]
STATUSES = ["OPEN", "OPEN", "OPEN", "SUSPENDED", "SUSPENDED", "INACTIVE"]


class BookLife(Life):
    """One market: what is sent, and what the model says of it."""

    expected_of_all = frozenset({
        "accepted", "pending", "rejected", "repeated", "conflict", "confirmed", "declined",
        "voided", "settled", "refund", "dead heat", "rolled back", "quoted", "cashed out",
        "partly cashed out", "not cashed out", "settled early", "opened again", "early and settled",
        "void with some settled early", "rolled back with some settled early",
    })  # fmt: skip

    def __init__(self, number: int) -> None:
        super().__init__(number, Desk())
        self.is_pool = number % 2 == 0
        self.length = self.chance.randrange(8, STEPS_MAX)
        self.model = self._opened()
        self.requests: list[dict[str, object]] = []

    def _opened(self) -> MarketModel:
        chance = self.chance
        count = chance.choice([1, 2, 2, 3, 4, 5, 8])
        places = chance.choice([1, 1, 1, min(2, count), min(3, count)])
        odds = {s: 0 if self.is_pool else chance.choice([0, *LADDER]) for s in range(1, count + 1)}
        delay_ms = chance.choice([0, 0, 1_000, 5_000])
        rules: dict[str, Any] = {
            "takeout_e4": chance.choice([0, 1, 825, 1_425, 1_750, 3_000, 9_999]),
            "breakage_e4": chance.choice([1, 100, 100, 500, 1_000, 2_000, 10_000]),
            "minimum_dividend_e4": chance.choice([0, 6_000, 10_000, 10_500, 11_000]),
            "split": chance.choice(["net", "profit"]),
        }
        margin = chance.choice([0, 0, 500, 9_999])
        common = {
            "number_of_winners": places,
            "stake_min_minor": chance.choice([1, 1, 10]),
            "stake_max_minor": chance.choice([500, 10_000, 10**12]),
            "loss_limit_minor": 0 if self.is_pool else chance.choice([0, 0, 1_000, 50_000]),
            "in_play": chance.random() < 0.3,
            "bet_delay_ms": delay_ms,
        }
        market = {
            "market_id": MARKET,
            "engine": "pool" if self.is_pool else "fixed",
            "selections": [{"selection_id": s, "odds_e4": o} for s, o in odds.items()],
            **common,
            **(rules if self.is_pool else {"fixed": {"cash_out_margin_e4": margin}}),
        }
        self.desk.open(market)
        pool_rules = PoolRules(
            Fraction(rules["takeout_e4"], 10_000),
            Fraction(rules["breakage_e4"], 10_000),
            Fraction(rules["minimum_dividend_e4"], 10_000),
            rules["split"],
            places,
        )
        return MarketModel(
            rules=pool_rules if self.is_pool else None,
            places=places,
            loss_limit=int(common["loss_limit_minor"]),
            stake_min=int(common["stake_min_minor"]),
            stake_max=int(common["stake_max_minor"]),
            offered={s: Fraction(o, 10_000) for s, o in odds.items()},
            delay_ms=delay_ms,
            in_play=bool(common["in_play"]),
            margin=Fraction(margin, 10_000),
        )

    def steps(self) -> list[Callable[[], None]]:
        steps: list[Callable[[], None]] = [self.bet] * 30 + [self.repeat] * 3 + [self.conflict] * 2
        steps += [self.price] * 5 + [self.status] * 4 + [self.remove, self.void]
        steps += [self.result] * 2 + [self.roll_back] * 2 + [self.wait] * 4
        return steps + [self.cash_out] * 5 + [self.part] * 2

    def end(self) -> None:
        self.close()
        self.compare()
        self.desk.check()

    # --- steps

    def bet(self) -> None:
        chance = self.chance
        seen = self.desk.market()
        selection = chance.choice([*self.model.offered, *self.model.offered, 99])
        offered = e4(self.model.offered.get(selection, Fraction(0)))
        asked = chance.choice([offered, offered, offered, *LADDER, chance.choice(OFF_LADDER)])
        stake = chance.choice([chance.randrange(1, 100), chance.randrange(1, 20_000), 1, 10, 333])
        self.send(
            bet(
                f"b{len(self.requests)}",
                selection_id=selection,
                stake_minor=stake,
                odds_e4=min(asked, 10_000_000),
                price_policy=chance.choice(["exact", "exact", "better", "any"]),
                tolerance_e4=chance.choice([0, 0, 0, 200, 500, 10_000]),
                market_version=chance.choice(
                    [seen.version] * 6 + [seen.version - 1, seen.material_version, 0, 1, 999]
                ),
            )
        )

    def repeat(self) -> None:
        if self.requests:
            self.send(self.chance.choice(self.requests))

    def conflict(self) -> None:
        if self.requests:
            self.send(self.chance.choice(self.requests) | {"stake_minor": 77})

    def send(self, request: dict[str, object]) -> None:
        self.requests.append(request)
        client_id = self.client_of(request)
        expected = self.due()
        modelled = ModelBet(
            (client_id, str(request["bet_id"])),
            int(str(request["selection_id"])),
            int(str(request["stake_minor"])),
            Fraction(int(str(request["odds_e4"])), 10_000),
            str(request["price_policy"]),
            Fraction(int(str(request["tolerance_e4"])), 10_000),
            int(str(request["market_version"])),
        )
        expected.append(self.model.bet(modelled, self.desk.now_ms))
        self.expect([answer(entry) for entry in self.desk.bets(request, client_id)], expected)

    def price(self) -> None:
        selection = self.chance.choice(list(self.model.offered))
        odds = self.chance.choice([0, *LADDER, *LADDER, *OFF_LADDER[:-1]])
        expected = self.due()
        entries = self.desk.operate_market("prices", prices=[[selection, odds]])
        code = self.model.price(selection, Fraction(odds, 10_000))
        self.expect_done(entries, expected, code)

    def status(self) -> None:
        status = self.chance.choice(STATUSES)
        if self.chance.random() < 0.05:
            status = "CLOSED"
        in_play = self.model.in_play or self.chance.random() < 0.1
        self.change(status, in_play, self.chance.choice([self.model.delay_ms] * 4 + [0, 2_000]))

    def change(self, status: str, in_play: bool, delay_ms: int) -> None:
        expected = self.due()
        entries = self.desk.operate_market(
            "market_status", status=status, in_play=in_play, bet_delay_ms=delay_ms
        )
        self.expect_done(entries, expected, self.model.change(status, in_play, delay_ms))
        assert self.desk.market().version == self.model.version
        assert self.desk.market().material_version == self.model.material

    def wait(self) -> None:
        now_ms = self.desk.now_ms + self.chance.choice([1, 500, 1_000, 5_000])
        entries = self.desk.tick(now_ms)
        self.expect([answer(entry) for entry in entries], self.due())

    def remove(self) -> None:
        selection = self.chance.choice(list(self.model.offered))
        expected = self.due()
        entries = self.desk.operate_market("selection_removed", selection_id=selection)
        self.expect_money(entries, expected, self.model.remove(selection), skipped=1)

    def void(self) -> None:
        to_ms = self.desk.now_ms
        from_ms = to_ms - self.chance.choice([0, 1_000, 10_000])
        expected = self.due()
        entries = self.desk.operate_market("bets_voided", from_ms=from_ms, to_ms=to_ms)
        self.expect_money(entries, expected, self.model.void(from_ms, to_ms), skipped=0)

    def cash_out(self) -> None:
        chance = self.chance
        if not self.requests:
            return
        request = chance.choice(self.requests)
        client_id, bet_id = self.client_of(request), str(request["bet_id"])
        standing = [b for b in self.model.taken if b.status == "accepted"]
        if standing and chance.random() < 0.6:
            client_id, bet_id = chance.choice(standing).who
        before = self.due()
        amount, tolerance = chance.choice([0, 1, 1, 500, 10**6]), chance.choice([0, 0, 400, 10**6])
        keep = chance.choice([0, 0, 1, 5, chance.randrange(1, 20_000)])
        found = self.desk.bets(
            {
                "type": "cash_out", "bet_id": bet_id, "event_id": EVENT, "market_id": MARKET,
                "amount_minor": amount, "tolerance_minor": tolerance, "keep_stake_minor": keep,
            },
            client_id,
        )  # fmt: skip
        before.append(self.model.cash_out((client_id, bet_id), amount, tolerance, keep))
        self.expect([answer(entry) for entry in found], before)

    def fitting(self) -> list[int]:
        """Winners that agree with the selections settled early."""
        model = self.model
        won = [s for s, how in model.early.items() if how == "WINNER"]
        others = [s for s in model.offered if s not in model.early and s not in model.removed]
        return won + others[: model.places - len(won)]

    def part(self) -> None:
        selection = self.chance.choice([*self.model.offered, 99])
        how = self.chance.choice(["WINNER", "LOSER", "LOSER", "ACTIVE"])
        if self.model.early and self.chance.random() < 0.4:
            selection, how = self.chance.choice(list(self.model.early)), "ACTIVE"
        expected = self.due()
        entries = self.desk.operate_market("selection_resulted", selection_id=selection, result=how)
        found = self.model.part(selection, how)
        if isinstance(found, str):
            self.expect_done(entries, expected, found)
            return
        self.expect([answer(entry) for entry in entries[: len(expected)]], expected)
        assert (money(entries), taken_back(entries)) == found, f"sequence {self.number}"
        if found[0]:
            self.seen.add("settled early")
        if found[1]:
            self.seen.add("opened again")

    @staticmethod
    def client_of(request: dict[str, object]) -> str:
        return "ann" if str(request["bet_id"])[-1] in "02468" else "bob"

    def result(self, force: bool = False) -> None:
        everyone = list(self.model.offered)
        winners = self.chance.sample(everyone, self.chance.randrange(1, min(4, len(everyone)) + 1))
        if self.model.early and self.chance.random() < 0.7:
            winners = self.fitting()
        void = self.chance.random() < 0.1
        early = any(b.selection in self.model.early and b.status in ("won", "lost")
                    for b in self.model.taken)  # fmt: skip
        unfit = not winners or not set(winners).isdisjoint(self.model.removed)
        if force and (unfit or (self.model.early and set(winners) != set(self.fitting()))):
            void = True
        expected = self.due()
        waiting = len(self.model.waiting)
        entries = self.desk.operate_market("result", winners=winners, void=void)[len(expected) :]
        found = self.model.result(winners, void)
        if isinstance(found, str):
            self.expect_done(entries, [], found)
            return
        outcomes, postings = found
        assert sum(isinstance(entry, e.BetDeclined) for entry in entries) == waiting, self.number
        assert money(entries) == outcomes, self.number
        end = entries[-1]
        assert isinstance(end, e.MarketSettled)
        assert dict(end.postings) == postings, self.number
        assert end.staked_minor == end.paid_minor + sum(postings.values())
        self.seen.add("refund" if self.model.refund else "settled")
        if early:
            what = "void with some settled early" if void else "early and settled"
            self.seen.add(what)
        if len(winners) > self.model.places and end.paid_minor:
            self.seen.add("dead heat")

    def roll_back(self) -> None:
        expected = self.due()
        early = self.model.settled and bool(self.model.early)
        entries = self.desk.operate_market("result_rolled_back")
        found = self.model.roll_back()
        if isinstance(found, str):
            self.expect_done(entries, expected, found)
            return
        assert taken_back(entries) == found, self.number
        self.seen.add("rolled back with some settled early" if early else "rolled back")

    def close(self) -> None:
        """End the market with a result, whatever came before."""
        if not self.model.settled:
            if self.model.status == "OPEN":
                self.change("SUSPENDED", self.model.in_play, self.model.delay_ms)
            self.result(force=True)
        assert self.desk.market().settled, self.number
        assert self.desk.market().escrow_minor == 0
        if self.chance.random() < 0.3:
            self.roll_back()
            self.result()

    # --- comparing

    def due(self) -> list[tuple[object, ...]]:
        """What the model says of the timers that are due by now."""
        answers = self.model.pass_time(self.desk.now_ms)
        self.seen.update(str(found[0]) for found in answers)
        return answers

    def expect(self, found: list[tuple[object, ...]], expected: list[tuple[object, ...]]) -> None:
        assert found == expected, f"sequence {self.number}: {found}, should be {expected}"
        parts = [part for one in expected for part in one[:2] if isinstance(part, str)]
        self.seen.update(parts)

    def expect_done(
        self, entries: list[e.Entry], expected: list[tuple[object, ...]], code: str | None
    ) -> None:
        *before, last = entries
        self.expect([answer(entry) for entry in before], expected)
        found = last.code if isinstance(last, e.OperationRefused) else None
        assert found == code, f"sequence {self.number}: {last}"

    def expect_money(
        self,
        entries: list[e.Entry],
        expected: list[tuple[object, ...]],
        found: str | dict[tuple[str, str], tuple[str, int]],
        skipped: int,
    ) -> None:
        if isinstance(found, str):
            self.expect_done(entries, expected, found)
            return
        self.expect([answer(entry) for entry in entries[: len(expected)]], expected)
        assert money(entries) == found, f"sequence {self.number}"
        assert len(entries) == len(expected) + skipped + len(found)
        if found:
            self.seen.add("voided")

    def compare(self) -> None:
        image = self.desk.images[EVENT, MARKET]
        shown = {s.selection_id: (s.odds_e4, s.staked_minor) for s in image.selections}
        assert shown == self.model.shown(), f"sequence {self.number}"
        assert image.staked_minor == sum(staked for _, staked in shown.values())
        status = "SETTLED" if self.model.settled else self.model.status
        assert (image.status, image.version) == (status, self.model.version)
