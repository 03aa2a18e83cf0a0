"""An exchange market as a plain model: lists of orders that are sorted anew for each match.

Everything is a fraction or a whole number of minor units; nothing is shared with the engine.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil, floor

ONE = Fraction(1)
LOWEST = Fraction("1.01")
HIGHEST = Fraction(1_000)


def e4(odds: Fraction) -> int:
    """Odds in ten-thousandths, which all are whole numbers of: quicker to sort and to find."""
    whole, rest = divmod(10_000 * odds.numerator, odds.denominator)
    assert not rest
    return whole


@dataclass
class ModelOrder:
    """One order. `units` are what is left of its size, or of its liability at the SP."""

    who: str
    id: str
    selection: int
    lay: bool
    size: int
    odds: Fraction
    kind: str = "LIMIT"
    persistence: str = "LAPSE"
    killing: bool = False
    least: int = 0
    arrived: int = 0
    left: int = 0
    gone: int = 0  # lapsed or cancelled
    voided: int = 0
    taken: int = 0  # units matched
    fills: list[tuple[Fraction, int, int]] = field(default_factory=list)  # odds, size, at ms
    paid: int = 0
    odds_e4: int = field(init=False)

    def __post_init__(self) -> None:
        self.odds_e4 = e4(self.odds)

    @property
    def matched(self) -> int:
        return sum(size for _, size, _ in self.fills)

    @property
    def held(self) -> int:
        if self.lay:
            return -(-sum(size * (e4(odds) - 10_000) for odds, size, _ in self.fills) // 10_000)
        return self.matched


class ExchangeModel:
    """One market. Each method says what it led to as plain tuples."""

    def __init__(
        self,
        selections: list[int],
        places: int = 1,
        rule: str = "CANCEL_RESTING",
        crossing: bool = False,
        ladder: tuple[Fraction, ...] = (),
    ) -> None:
        self.selections = dict.fromkeys(selections, True)
        self.places = places
        self.rule = rule
        self.crossing = crossing
        self.ladder = ladder
        self.orders: list[ModelOrder] = []
        self.traded: dict[int, dict[int, int]] = {s: {} for s in selections}  # by odds
        self.sp: dict[int, Fraction] = {}
        self.now = 0

    # --- what waits

    def waiting(self, selection: int, lay: bool) -> list[ModelOrder]:
        """Limit orders in the order in which they are matched."""
        found = [
            o
            for o in self.orders
            if o.selection == selection and o.lay == lay and o.left and o.kind == "LIMIT"
        ]
        return sorted(found, key=lambda o: (-o.odds_e4 if lay else o.odds_e4, o.arrived))

    def depth(self, selection: int, lay: bool) -> list[tuple[int, int]]:
        """Odds in ten-thousandths, and what waits there."""
        levels: dict[int, int] = {}
        for order in self.waiting(selection, lay):
            levels[order.odds_e4] = levels.get(order.odds_e4, 0) + order.left
        return list(levels.items())

    # --- void trades, and what a cash-out needs

    def void(self, first: int, last: int) -> list[tuple[str, str, int, int]]:
        """Take trades of an interval out on both sides: by order its size and what is returned."""
        told = []
        for order in self.orders:
            before, held = order.taken, order.held
            kept = [fill for fill in order.fills if not first <= fill[2] <= last]
            if len(kept) == len(order.fills):
                continue
            order.fills = kept
            order.taken = min(order.matched, before)
            order.voided += before - order.taken
            told.append((order.who, order.id, before - order.taken, held - order.held))
        return told

    def hedge(self, order: ModelOrder) -> tuple[int, int, Fraction] | None:
        """What an order has become worth, and size and limit of the order that makes it so."""
        value = whole = sum((odds * size for odds, size, _ in order.fills), Fraction(0))
        size, worst = 0, Fraction(0)
        for odds_e4, waiting in self.depth(order.selection, lay=order.lay):
            odds = Fraction(odds_e4, 10_000)
            wanted = floor(value / odds)
            taken = min(wanted, waiting)
            if not taken:
                break
            size, worst, value = size + taken, odds, value - taken * odds
            if taken == wanted:
                break
        if not size or value >= worst:
            return None  # too little waits
        worth = floor(whole) - size if order.lay else size
        return (worth, size, worst) if worth > 0 else None

    # --- placing

    def place(self, order: ModelOrder) -> dict[str, object]:
        """Match an order; say its own fills, those of others, and what lapsed."""
        order.arrived = len(self.orders)
        order.left = order.size
        told: dict[str, object] = {"fills": [], "matched": [], "lapsed": []}
        if order.kind == "LIMIT":
            if order.killing:
                self._kill_or_fill(order, told)
            else:
                self._match(order, told)
        self.orders.append(order)
        return told

    def _trade(self, one: ModelOrder, odds: Fraction, size: int, counted: bool) -> None:
        one.fills.append((odds, size, self.now))
        one.left -= size
        one.taken += size
        if counted:
            at = self.traded[one.selection]
            at[e4(odds)] = at.get(e4(odds), 0) + size

    def _lapse(self, one: ModelOrder, told: dict[str, object]) -> None:
        lapsed = told["lapsed"]
        assert isinstance(lapsed, list)
        lapsed.append((one.who, one.id, one.left))
        one.gone += one.left
        one.left = 0

    def _match(self, order: ModelOrder, told: dict[str, object]) -> None:
        """Minor unit for minor unit in effect: take the best there is, again and again."""
        fills, matched = told["fills"], told["matched"]
        assert isinstance(fills, list)
        assert isinstance(matched, list)
        skipped: set[str] = set()
        resting: list[ModelOrder] = []
        while order.left:
            against = [o for o in self.waiting(order.selection, not order.lay) if o not in resting]
            best = against[0] if against else None
            if self.crossing:
                virtual = self._virtual(order, best, skipped)
                if virtual == "skip":
                    continue
                if isinstance(virtual, tuple):
                    price, size, legs = virtual
                    self._trade(order, price, size, counted=True)
                    fills.append((price, size, True))
                    for leg, part in legs:
                        if part:
                            self._trade(leg, leg.odds, part, counted=True)
                            matched.append((leg.who, leg.id, leg.odds, part))
                    continue
            if best is None or (
                best.odds_e4 > order.odds_e4 if order.lay else best.odds_e4 < order.odds_e4
            ):
                break
            if best.who == order.who and self.rule != "ALLOW":
                if self.rule == "CANCEL_INCOMING":
                    self._lapse(order, told)
                    break
                resting.append(best)
                continue
            size = min(order.left, best.left)
            self._trade(order, best.odds, size, counted=False)
            self._trade(best, best.odds, size, counted=True)
            fills.append((best.odds, size, False))
            matched.append((best.who, best.id, best.odds, size))
        for one in resting:
            self._lapse(one, told)

    # --- virtual trades

    def virtual_price(self, selection: int, lay: bool, skipped: set[str]) -> Fraction | None:
        """1 / (1 - sum of 1 / the best of each other), on the ladder, against the customer."""
        total = Fraction(0)
        others = [s for s, active in self.selections.items() if active and s != selection]
        for other in others:
            queue = [o for o in self.waiting(other, lay) if o.who + "/" + o.id not in skipped]
            if not queue:
                return None
            total += ONE / queue[0].odds
        if not others:
            return None
        if total >= 1:
            return None if lay else self.ladder[-1]
        exact = ONE / (1 - total)
        if lay:
            above = self.ladder[bisect_left(self.ladder, exact) :]
            return above[0] if above else None
        below = self.ladder[: bisect_right(self.ladder, exact)]
        return below[-1] if below else None

    def _virtual(
        self, order: ModelOrder, best: ModelOrder | None, skipped: set[str]
    ) -> tuple[Fraction, int, list[tuple[ModelOrder, int]]] | str | None:
        price = self.virtual_price(order.selection, order.lay, skipped)
        if price is None:
            return None
        if best is not None and (price >= best.odds if order.lay else price <= best.odds):
            return None
        if price > order.odds if order.lay else price < order.odds:
            return None
        legs = []
        for other, active in self.selections.items():
            if active and other != order.selection:
                queue = self.waiting(other, order.lay)
                legs.append(next(o for o in queue if o.who + "/" + o.id not in skipped))
        most = min([Fraction(order.left)] + [leg.left * leg.odds / price for leg in legs])
        for size in range(floor(most), max(floor(most) - 8, 0), -1):
            parts = self._parts(order.lay, price, size, legs)
            if parts is not None:
                return price, size, list(zip(legs, parts, strict=True))
        smallest = min(legs, key=lambda leg: leg.left * leg.odds)
        skipped.add(smallest.who + "/" + smallest.id)
        return "skip"

    @staticmethod
    def _parts(lay: bool, price: Fraction, size: int, legs: list[ModelOrder]) -> list[int] | None:
        """Whole parts of the legs with which the market cannot lose, whatever wins."""
        wanted = size * price
        parts = [ceil(wanted / leg.odds) if lay else floor(wanted / leg.odds) for leg in legs]
        if any(part > leg.left for part, leg in zip(parts, legs, strict=True)):
            return None
        for at, leg in enumerate(legs):
            pot = size + sum(parts)
            if lay and pot > wanted and parts[at] and (parts[at] - 1) * leg.odds >= pot - 1:
                parts[at] -= 1
            fits = parts[at] < leg.left and (parts[at] + 1) * leg.odds <= pot + 1
            if not lay and pot < wanted and fits:
                parts[at] += 1
        pot = size + sum(parts)
        returns = [wanted] + [part * leg.odds for part, leg in zip(parts, legs, strict=True)]
        good = pot <= min(returns) if lay else pot >= max(returns)
        return parts if good else None

    # --- fill or kill

    def _kill_or_fill(self, order: ModelOrder, told: dict[str, object]) -> None:
        """Try every size from the largest: the first whose average is at the limit or better."""
        fills, matched = told["fills"], told["matched"]
        assert isinstance(fills, list)
        assert isinstance(matched, list)
        own: list[tuple[ModelOrder, list[ModelOrder]]] = []
        queue: list[ModelOrder] = []
        for one in self.waiting(order.selection, not order.lay):
            if one.who == order.who and self.rule == "CANCEL_INCOMING":
                break
            if one.who == order.who and self.rule == "CANCEL_RESTING":
                own.append((one, list(queue)))
            else:
                queue.append(one)
        offered = sum(o.left for o in queue)
        for size in range(min(order.size, offered), (order.least or order.size) - 1, -1):
            if not size:
                break
            taken, rest, value_e4 = [], size, 0
            for one in queue:
                part = min(rest, one.left)
                if part:
                    taken.append((one, part))
                    value_e4 += part * one.odds_e4
                    rest -= part
            limit_e4 = size * order.odds_e4
            if value_e4 > limit_e4 if order.lay else value_e4 < limit_e4:
                continue
            met = [one for one, before in own if self._meets(order, one, before, size)]
            for one, part in taken:
                self._trade(order, one.odds, part, counted=False)
                self._trade(one, one.odds, part, counted=True)
                fills.append((one.odds, part, False))
                matched.append((one.who, one.id, one.odds, part))
            for one in met:
                self._lapse(one, told)
            break
        if order.left:
            self._lapse(order, told)

    @staticmethod
    def _meets(order: ModelOrder, own: ModelOrder, before: list[ModelOrder], size: int) -> bool:
        """Whether an order comes to one of its own bettor and would take a unit of it."""
        passed = sum(o.left for o in before)
        value = sum((o.left * o.odds for o in before), Fraction(0)) + own.odds
        limit = (passed + 1) * order.odds
        good = value <= limit if order.lay else value >= limit
        return passed <= size and passed < order.size and good

    # --- starting price

    def interest(
        self, selection: int, odds: Fraction, orders: bool, above: bool = False, below: bool = False
    ) -> tuple[Fraction, Fraction]:
        """Stakes that backers want and that layers offer at a price.

        `above`: layers whose limit is this price are gone; `below`: backers' are not there yet.
        """
        at_e4 = e4(odds)
        wanted = offered = risked = 0
        for o in self.orders:
            if o.selection != selection or not o.left or (o.kind == "LIMIT" and not orders):
                continue
            always = "MARKET_ON_CLOSE" in (o.kind, o.persistence)
            if not always and (at_e4 > o.odds_e4 if o.lay else at_e4 < o.odds_e4):
                continue
            if not always and o.odds_e4 == at_e4 and (above if o.lay else below):
                continue
            if not o.lay:
                wanted += o.left
            elif o.kind == "LIMIT" and not always:
                offered += o.left
            else:
                risked += o.left if o.kind != "LIMIT" else ceil(o.left * (o.odds - 1))
        return Fraction(wanted), offered + Fraction(risked) / (odds - 1)

    def starting_price(self, selection: int, orders: bool = True) -> Fraction:
        """Where backers and layers meet, 0 if nobody is matched there."""
        price = self._crossing(selection, orders)
        return price if price and all(self.interest(selection, price, orders)) else Fraction(0)

    def _crossing(self, selection: int, orders: bool) -> Fraction:
        """Halve the range of prices until one is left at which backers take all above it."""
        if not self.interest(selection, LOWEST, orders)[1]:
            return Fraction(0)
        if not self.interest(selection, HIGHEST, orders)[0]:
            return Fraction(0)

        def enough(at: int, above: bool) -> bool:
            wanted, offered = self.interest(selection, Fraction(at, 10_000), orders, above=above)
            return wanted >= offered

        low, high = 10_100, 10_000_000
        if enough(low, False):
            return LOWEST
        if not enough(high, True):
            return HIGHEST
        if enough(low, True):
            high = low
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if enough(middle, True) else (middle, high)
        at = Fraction(high, 10_000)
        wanted, offered = self.interest(selection, at, orders, below=True)
        return at if wanted <= offered else Fraction(high - 1, 10_000)

    def reconcile(self, price: dict[int, Fraction]) -> list[tuple[str, str, Fraction, int]]:
        """Match everybody who is in at the price, the keenest first."""
        self.sp = price
        told = []
        for selection, odds in price.items():
            sides = []
            for lay in (False, True):
                queue = []
                for o in self.orders:
                    always = "MARKET_ON_CLOSE" in (o.kind, o.persistence)
                    fits = always or (odds <= o.odds if o.lay else odds >= o.odds)
                    if o.selection == selection and o.lay == lay and o.left and fits and odds:
                        keen = (not always, -o.odds if lay else o.odds, o.arrived)
                        queue.append((keen, o, self._room(o, odds, always)))
                sides.append(sorted(queue, key=lambda one: one[0]))
            both = min(sum(room for _, _, room in side) for side in sides)
            for side in sides:
                rest = both
                for _, o, room in side:
                    size = min(rest, room)
                    rest -= size
                    if size:
                        o.fills.append((odds, size, self.now))
                        self._use(o, odds, size, room)
                        told.append((o.who, o.id, odds, size))
                        if not o.lay:
                            at = self.traded[selection]
                            at[e4(odds)] = at.get(e4(odds), 0) + size
        return told

    @staticmethod
    def _room(o: ModelOrder, odds: Fraction, always: bool) -> int:
        if not o.lay or (o.kind == "LIMIT" and not always):
            return o.left
        risk = o.left if o.kind != "LIMIT" else ceil(o.left * (o.odds - 1))
        return floor(risk / (odds - 1))

    @staticmethod
    def _use(o: ModelOrder, odds: Fraction, size: int, room: int) -> None:
        """Take from what is left of an order, in its own unit."""
        if size == room:
            left = 0
        elif not o.lay or (o.kind == "LIMIT" and o.persistence != "MARKET_ON_CLOSE"):
            left = o.left - size
        elif o.kind != "LIMIT":
            left = max(o.left - ceil(size * (odds - 1)), 0)
        else:
            risk = max(ceil(o.left * (o.odds - 1)) - ceil(size * (odds - 1)), 0)
            left = min(floor(risk / (o.odds - 1)), o.left)
        o.taken += o.left - left
        o.left = left

    # --- result

    def settle(
        self, winners: list[int], rate: Fraction, discounts: dict[str, Fraction]
    ) -> tuple[dict[str, int], dict[str, int]]:
        """Payouts by order id and commissions by bettor."""
        paid: dict[str, int] = {}
        nets: dict[str, int] = {}
        share = min(ONE, Fraction(self.places, len(winners))) if winners else Fraction(0)
        for o in self.orders:
            if not o.fills:
                continue
            value = sum((odds * size for odds, size, _ in o.fills), Fraction(0))
            value *= share if o.selection in winners else 0
            if o.lay:
                o.paid = max(o.held + o.matched - ceil(value), 0)
            else:
                o.paid = floor(value)
            paid[o.id] = o.paid
            nets[o.who] = nets.get(o.who, 0) + o.paid - o.held
        commissions = {}
        for who, net in nets.items():
            charge = floor(max(net, 0) * rate * (1 - discounts.get(who, 0)) + Fraction(1, 2))
            if charge:
                commissions[who] = charge
        return paid, commissions
