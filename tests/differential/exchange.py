"""Random orders on an exchange, compared step by step with a slow, obvious model."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from pipelines.books.ladder import CLASSIC
from pipelines.messages import cash_out_entries as co
from pipelines.messages import entries as e
from pipelines.messages import order_entries as oe
from tests.differential.life import Life
from tests.oracles.exchange import ExchangeModel, ModelOrder
from tests.pipelines.shard.desk import EVENT, MARKET
from tests.pipelines.shard.exchange_desk import ExchangeDesk, exchange_market

STEPS_MAX = 40
BETTORS = ("ann", "bob", "cem", "dan")
LADDER = tuple(Fraction(price, 10_000) for price in CLASSIC)


class ExchangeLife(Life):
    """One market with four bettors."""

    expected_of_all = frozenset({
        "fill", "virtual", "lapse", "cancel", "replace", "suspend", "sp", "settled", "commission",
        "dead heat", "LIMIT", "LIMIT_ON_CLOSE", "MARKET_ON_CLOSE", "filled or killed", "voided",
        "cashed out", "cashed out before", "not cashed out", "quoted", "rolled back",
    })  # fmt: skip

    def __init__(self, number: int, desk: ExchangeDesk | None = None) -> None:
        super().__init__(number, desk or ExchangeDesk())
        chance = self.chance
        self.length = chance.randrange(5, STEPS_MAX)
        count = chance.choice([1, 2, 2, 3, 3, 5])
        self.crossing = count > 1 and chance.random() < 0.5
        self.bsp = chance.random() < 0.5
        rule = chance.choice(["CANCEL_RESTING", "CANCEL_INCOMING", "ALLOW"])
        places = 1 if self.crossing else chance.choice([1, 1, min(2, count)])
        self.rate = chance.choice([0, 200, 500, 700])
        selections = list(range(1, count + 1))
        middle = chance.randrange(8, 300)
        self.prices = CLASSIC[middle - 4 : middle + 5]
        if self.crossing:  # around fair prices, so that virtual trades happen
            fair = count * 10_000
            self.prices = sorted(CLASSIC, key=lambda p: abs(p - fair))[:9]
        self.model = ExchangeModel(selections, places, rule, self.crossing, LADDER)
        self.desk: ExchangeDesk
        self.model.now = self.desk.now_ms
        self.desk.open(
            exchange_market(
                count,
                self_match=rule,
                cross_matching=self.crossing,
                bsp_market=self.bsp,
                number_of_winners=places,
                market_base_rate_e4=self.rate,
                depth=0,
            )
        )
        self.in_play = False
        self.orders: dict[str, ModelOrder] = {}

    def steps(self) -> list[Callable[[], None]]:
        few = [self.replace, self.update, self.suspend, self.void] + [self.cash_out] * 2
        return [self.place] * 12 + [self.cancel] * 2 + few

    def end(self) -> None:
        if self.chance.random() < 0.6:
            self.turn_in_play()
            for _ in range(5):
                self.place()
                self.compare()
        self.result()

    def void(self) -> None:
        """Trades of the last seconds are void; then time passes."""
        now_ms = self.desk.now_ms
        if self.chance.random() < 0.3:
            first = now_ms - self.chance.choice([0, 1_000, 3_000])
            found = self.desk.operate_market("bets_voided", from_ms=first, to_ms=now_ms)
            told = self.model.void(first, now_ms)
            voided = [(x.client_id, x.bet_id, x.size_minor, x.returned_minor) for x in found
                      if isinstance(x, oe.BetVoided)]  # fmt: skip
            assert voided == told, f"sequence {self.number}"
            if told:
                self.seen.add("voided")
        self.desk.now_ms = self.model.now = now_ms + 1_000

    def cash_out(self) -> None:
        """Ask for a quote of what is matched, or for the order that makes all results the same."""
        order = self.some()
        identity = f"{order.id}/cash-out" if order is not None else ""
        if order is None or identity in self.orders or "/" in order.id:
            return
        amount = self.chance.choice([0, 1, 1])
        first, *others = self.desk.change("cash_out", order.id, order.who, amount_minor=amount)
        hedge = self.model.hedge(order)
        if not order.matched or hedge is None or self.model.places != 1:
            code = "CASH_OUT_UNAVAILABLE"
            if not order.matched:
                code = "BET_IN_PROGRESS" if order.left else "BET_TAKEN_OR_LAPSED"
            assert isinstance(first, co.CashOutRejected), f"sequence {self.number}: {first}"
            assert (first.code, first.amount_minor) == (code, 0), f"sequence {self.number}"
            self.seen.add("not cashed out")
            return
        worth, size, worst = hedge
        if not amount:
            assert isinstance(first, co.CashOutQuoted)
            assert (first.amount_minor, first.odds_e4) == (worth, int(worst * 10_000))
            self.seen.add("quoted")
            return
        anew = ModelOrder(
            order.who, identity, order.selection, not order.lay, size, worst, killing=True
        )
        self.orders[identity] = anew
        self.expect(others, first, self.model.place(anew))
        if anew.matched:
            self.seen.add("cashed out")
            (again,) = self.desk.change("cash_out", order.id, order.who, amount_minor=1)
            # What is matched now may be worth nothing more.
            assert isinstance(again, e.BetRepeated | co.CashOutRejected)
            self.seen.update(["cashed out before"] if isinstance(again, e.BetRepeated) else [])

    def place(self) -> None:
        chance = self.chance
        identity = f"o{len(self.orders)}"
        kind = "LIMIT"
        if self.bsp and not self.in_play and chance.random() < 0.2:
            kind = chance.choice(["LIMIT_ON_CLOSE", "MARKET_ON_CLOSE"])
        killing = kind == "LIMIT" and chance.random() < 0.15
        size = chance.choice([chance.randrange(1, 60), chance.randrange(100, 3_000), 200, 1_000])
        persistence = "LAPSE"
        if kind == "LIMIT" and not killing:
            open_sp = self.bsp and not self.in_play
            kinds = ["LAPSE", "PERSIST"] + ["MARKET_ON_CLOSE"] * open_sp
            persistence = chance.choice(kinds)
        odds = chance.choice(self.prices) if kind != "MARKET_ON_CLOSE" else 0
        order = ModelOrder(
            chance.choice(BETTORS),
            identity,
            chance.choice(list(self.model.selections)),
            chance.random() < 0.5,
            size,
            Fraction(odds, 10_000),
            kind,
            persistence,
            killing,
            chance.choice([0, 1, size // 2]) if killing else 0,
        )
        entries = self.desk.order(
            identity,
            "LAY" if order.lay else "BACK",
            odds,
            size,
            order.who,
            selection=order.selection,
            order_type=kind,
            persistence=persistence,
            time_in_force="FILL_OR_KILL" if killing else "",
            min_fill_minor=order.least,
        )
        self.orders[identity] = order
        self.expect(entries[1:], entries[0], self.model.place(order))
        self.seen.add(kind)

    def expect(self, others: list[e.Entry], own: e.Entry, told: dict[str, Any]) -> None:
        assert isinstance(own, oe.OrderPlaced), f"sequence {self.number}: {own}"
        assert merged([(o, s, v) for o, s, v in own.fills]) == merged(
            [(int(o * 10_000), s, v) for o, s, v in told["fills"]]
        ), f"sequence {self.number}"
        found = [(x.client_id, x.bet_id, x.odds_e4, x.size_minor) for x in others
                 if isinstance(x, oe.BetMatched)]  # fmt: skip
        expected = [(w, i, int(o * 10_000), s) for w, i, o, s in told["matched"]]
        assert found == expected, f"sequence {self.number}"
        lapsed = [(x.client_id, x.bet_id, x.size_minor) for x in others
                  if isinstance(x, oe.OrderLapsed)]  # fmt: skip
        assert sorted(lapsed) == sorted(told["lapsed"]), f"sequence {self.number}"
        self.seen.update({"virtual" for fill in own.fills if fill[2]})
        self.seen.update({"fill" for fill in own.fills if not fill[2]})
        self.seen.update({"lapse" for _ in lapsed})
        if own.time_in_force and own.fills:
            self.seen.add("filled or killed")

    def some(self) -> ModelOrder | None:
        return self.chance.choice(list(self.orders.values())) if self.orders else None

    def cancel(self) -> None:
        order = self.some()
        if order is None:
            return
        cut = self.chance.choice([0, 0, 1, order.left // 2])
        more = {"size_reduction_minor": cut} if cut else {}
        (entry,) = self.desk.change("cancel", order.id, order.who, **more)
        if not order.left or cut > order.left:
            assert isinstance(entry, e.CancelRejected)
            return
        assert isinstance(entry, oe.OrderCancelled)
        order.gone += cut or order.left
        order.left -= cut or order.left
        assert entry.remaining_minor == order.left
        self.seen.add("cancel")

    def replace(self) -> None:
        order = self.some()
        if order is None or order.killing:
            return
        odds = self.chance.choice(self.prices)
        identity = f"o{len(self.orders)}"
        entries = self.desk.change(
            "replace", order.id, order.who, new_bet_id=identity, odds_e4=odds
        )
        if not order.left or order.kind != "LIMIT" or order.odds == Fraction(odds, 10_000):
            assert isinstance(entries[0], oe.ChangeRejected)
            return
        anew = ModelOrder(
            order.who, identity, order.selection, order.lay, order.left, Fraction(odds, 10_000),
            "LIMIT", order.persistence,
        )  # fmt: skip
        order.gone += order.left
        order.left = 0
        self.orders[identity] = anew
        self.expect(entries[2:], entries[1], self.model.place(anew))
        self.seen.add("replace")

    def update(self) -> None:
        order = self.some()
        if order is None:
            return
        wish = self.chance.choice(["LAPSE", "PERSIST"])
        (entry,) = self.desk.change("update", order.id, order.who, persistence=wish)
        if isinstance(entry, oe.OrderUpdated):
            assert order.left
            assert order.persistence != wish
            order.persistence = wish
        else:
            same = order.persistence == wish or order.kind != "LIMIT" or not order.left
            assert same, f"sequence {self.number}"

    def suspend(self) -> None:
        if self.chance.random() < 0.5:
            return
        self.desk.operate_market("market_status", status="SUSPENDED")
        for order in self.model.orders:
            if order.left and order.kind == "LIMIT" and order.persistence == "LAPSE":
                order.gone += order.left
                order.left = 0
        self.desk.operate_market("market_status", status="OPEN")
        self.seen.add("suspend")

    def turn_in_play(self) -> None:
        entries = self.desk.operate_market("market_status", in_play=True)
        if self.bsp:
            self.reconcile(entries)
        for order in self.model.orders:
            if order.left and order.kind == "LIMIT" and order.persistence != "PERSIST":
                order.gone += order.left
                order.left = 0
        self.in_play = True
        self.compare()

    def reconcile(self, entries: list[e.Entry]) -> None:
        prices = {s: self.model.starting_price(s) for s in self.model.selections}
        set_prices = next(x for x in entries if isinstance(x, oe.StartingPricesSet))
        shown = {s: Fraction(price, 10_000) for s, price in set_prices.prices}
        assert shown == prices, f"sequence {self.number}"
        found = [(x.client_id, x.bet_id, x.odds_e4, x.size_minor) for x in entries
                 if isinstance(x, oe.BetMatched)]  # fmt: skip
        expected = [(w, i, int(o * 10_000), s) for w, i, o, s in self.model.reconcile(prices)]
        assert found == expected, f"sequence {self.number}"
        if found:
            self.seen.add("sp")
        for order in self.model.orders:
            if order.left and order.kind != "LIMIT":
                order.gone += order.left
                order.left = 0

    def result(self) -> None:
        chance = self.chance
        entries = self.desk.operate_market("market_status", status="CLOSED")
        if self.bsp and not self.in_play:
            self.reconcile(entries)
        for order in self.model.orders:
            order.gone += order.left
            order.left = 0
        discount = chance.choice([0, 2_500])
        if discount:
            self.desk.operate_market("discounts", discounts=[["ann", discount]])
        hashes = []
        for _ in range(2):
            count = chance.randrange(1, len(self.model.selections) + 1)
            winners = chance.sample(list(self.model.selections), count)
            hashes.append(self.settle(winners, discount))
            self.desk.check()
            self.desk.operate_market("result_rolled_back")
            self.seen.add("rolled back")
            self.desk.check()
        self.seen.update({"settled"})

    def settle(self, winners: list[int], discount: int) -> None:
        entries = self.desk.operate_market("result", winners=winners)
        payouts, commissions = self.model.settle(
            winners, Fraction(self.rate, 10_000), {"ann": Fraction(discount, 10_000)}
        )
        paid = {x.bet_id: x.payout_minor for x in entries if isinstance(x, e.BetSettled)}
        assert paid == payouts, f"sequence {self.number}"
        charged = {x.client_id: x.commission_minor for x in entries
                   if isinstance(x, oe.CommissionCharged)}  # fmt: skip
        assert charged == commissions, f"sequence {self.number}"
        closed = entries[-1]
        assert isinstance(closed, e.MarketSettled)
        assert dict(closed.postings).get("house:rounding", 0) >= 0, "rounding is the house's"
        self.seen.update({"commission" for _ in charged})
        self.seen.update({"dead heat"} if len(winners) > self.model.places else set())

    def compare(self) -> None:
        """The image says what the model says."""
        image = self.desk.images[EVENT, MARKET]
        for shown in image.selections:
            s = shown.selection_id
            assert shown.exchange is not None
            for lay, found in ((True, shown.exchange.to_back), (False, shown.exchange.to_lay)):
                assert list(found) == self.model.depth(s, lay), f"sequence {self.number}"
            assert dict(shown.exchange.traded) == self.model.traded[s], f"sequence {self.number}"
            if self.crossing:
                for lay, price in (
                    (False, shown.exchange.back_virtual_e4),
                    (True, shown.exchange.lay_virtual_e4),
                ):
                    virtual = self.model.virtual_price(s, lay, set())
                    assert price == int((virtual or 0) * 10_000), f"sequence {self.number}"
        for identity, order in self.orders.items():
            state = self.desk.of(identity, order.who)
            found = (state.remaining_minor, state.matched_minor, state.size_minor)
            assert found == (order.left, order.taken, order.matched), f"sequence {self.number}"
            assert state.staked_minor == order.held, f"sequence {self.number}"
        if self.bsp and not self.in_play and self.chance.random() < 0.2:
            for shown in image.selections:
                assert shown.exchange is not None
                near = self.model.starting_price(shown.selection_id)
                far = self.model.starting_price(shown.selection_id, False)
                assert (shown.exchange.sp_near_e4, shown.exchange.sp_far_e4) == (
                    int(near * 10_000),
                    int(far * 10_000),
                ), f"sequence {self.number}"


def merged(fills: list[tuple[int, int, bool]]) -> list[tuple[int, int, bool]]:
    """Neighbours at the same price are one: the model takes order by order."""
    found: list[tuple[int, int, bool]] = []
    for odds, size, virtual in fills:
        if found and (found[-1][0], found[-1][2]) == (odds, virtual):
            found[-1] = (odds, found[-1][1] + size, virtual)
        else:
            found.append((odds, size, virtual))
    return found
