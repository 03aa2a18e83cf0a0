"""Coupons and accounts with anything in them: every type, size and stake, over events that turn.

`python -m tests.pipelines.shard.wild_coupons --seconds 300` looks for what raises for so long.
"""

import argparse
import random
import sys
import time
from typing import Any

from tests.pipelines.books.test_multiple_numbers import SIZES
from tests.pipelines.decided import MARKET, Decided, Line, entries
from tests.pipelines.shard.wild import AMOUNTS, E4, OFFERED

TYPES = [*SIZES, "ACCUMULATOR", "SYSTEM"]
CLIENTS = ["ann", "bob"]


class WildCoupons:
    """One sequence over several events: `run` it, and nothing may raise."""

    def __init__(self, number: int) -> None:
        self.chance = random.Random(number)
        self.desk = Decided()
        self.events = [f"e{n}" for n in range(self.chance.choice([2, 3, 8, 20]))]
        self.coupons = 0

    def run(self, steps: int = 40) -> None:
        """Play it, and look at the answers: one first and at most one final one a coupon."""
        for event in self.events:
            self.open(event)
        kinds = [self.coupon] * 5 + [self.operate] * 6 + [self.account] * 2 + [self.wait]
        for _ in range(4):
            self.coupon()
        for _ in range(steps):
            self.chance.choice(kinds)()
        printed = self.desk.printed
        first = entries(printed, "coupon_pending") + entries(printed, "coupon_rejected")
        asked = [(one["client_id"], one["bet_id"]) for one in first]
        assert len(asked) == len(set(asked)) == self.coupons
        final = entries(printed, "coupon_accepted") + entries(printed, "coupon_declined")
        ended = [(one["client_id"], one["bet_id"]) for one in final]
        assert len(ended) == len(set(ended))
        for one in entries(printed, "funds_posted"):
            assert sum(amount for _, amount in one["postings"]) == 0

    def open(self, event: str) -> None:
        chance = self.chance
        rules: Line = {"rule_4": chance.random() < 0.5}
        if chance.random() < 0.5:
            rules |= {"each_way_divisor": chance.choice([1, 4, 100]), "each_way_places": 3}
        odds = [chance.choice(OFFERED[1:]) for _ in range(4)]
        accounts = chance.random() < 0.1
        self.desk.open(odds, event, ladder="ANY", fixed=rules, accounts=accounts)

    def send(self, topic: str, key: str, client_id: str, value: Line) -> None:
        assert self.desk._line(topic, key, client_id, value), value

    def coupon(self) -> None:
        chance, bet_type = self.chance, self.chance.choice(TYPES)
        count = SIZES[bet_type][0] if bet_type in SIZES and chance.random() < 0.9 else 20
        legs = [
            {"event_id": event, "market_id": MARKET, "selection_id": chance.randrange(1, 5),
             "odds_e4": chance.choice(OFFERED[1:]),
             "price_policy": chance.choice(["any", "any", "any", "any", "any", "exact"]),
             "market_version": self.desk.version(event)}
            for event in chance.sample(self.events, min(count, len(self.events)))
        ]  # fmt: skip
        if len(legs) < 2:
            return
        sizes = sorted(chance.sample(range(1, len(legs) + 1), min(2, len(legs))))
        client_id = chance.choice(CLIENTS)
        self.coupons += 1
        value: dict[str, Any] = {
            "type": "coupon", "bet_id": f"c{self.coupons}", "bet_type": bet_type, "legs": legs,
            "unit_stake_minor": chance.choice([1, 7, 100, chance.choice(AMOUNTS)]),
            "each_way": chance.random() < 0.2,
            "sizes": sizes if bet_type == "SYSTEM" else [],
        }  # fmt: skip
        self.send("bets", f"bettor/{client_id}", client_id, value)

    def operate(self) -> None:
        chance, event = self.chance, self.chance.choice(self.events)
        runners = chance.sample([1, 2, 3, 4], chance.randrange(1, 5))
        finish = [runners[:1], runners[1:]] if len(runners) > 1 else [runners]
        kind, fields = chance.choice([
            ("market_status", {"status": "OPEN"}),
            ("market_status", {"status": "SUSPENDED"}),
            ("prices", {"prices": [[chance.randrange(1, 5), chance.choice(OFFERED)]]}),
            ("selection_removed", {"selection_id": chance.randrange(1, 5),
                                   "reduction_factor_e4": chance.choice(E4)}),
            ("result", {"winners": runners[:2]}),
            ("result", {"finish": finish}),
            ("result", {"void": True}),
            ("result_rolled_back", {}),
            ("selection_resulted", {"selection_id": 1, "result": "WINNER"}),
            ("bets_voided", {"from_ms": self.desk.now_ms - chance.choice([1, 1_000])}),
        ])  # fmt: skip
        value = {"type": kind, "event_id": event, "market_id": MARKET, **fields}
        if kind == "result" and chance.random() < 0.7:  # with its market closed for a moment
            self.send("events", event, "", value | {"type": "market_status", "status": "SUSPENDED"})
        self.send("events", event, "", value)

    def account(self) -> None:
        chance, client_id = self.chance, self.chance.choice(CLIENTS)
        kind, fields = chance.choice([
            ("account_set", {"credit_minor": chance.choice([0, 10**12]),
                             "open": chance.random() < 0.9}),
            ("deposit", {"reference": str(chance.random()), "amount_minor": 10**12}),
            ("withdrawal", {"reference": str(chance.random()), "amount_minor": 10**6}),
        ])  # fmt: skip
        key = f"bettor/{client_id}"
        self.send(
            "events", key, "", {"type": kind, "event_id": key, "client_id": client_id, **fields}
        )

    def wait(self) -> None:
        self.desk.tick(self.desk.now_ms + self.chance.choice([1, 10_000]))


def main() -> int:
    """Play sequences until the time is up; exit code 1 at the first that raises."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    number, end, settled = arguments.first, time.monotonic() + arguments.seconds, 0
    while time.monotonic() < end:
        wild = WildCoupons(number)
        try:
            wild.run()
        except Exception:
            print(f"sequence {number}", file=sys.stderr)
            raise
        settled += len(entries(wild.desk.printed, "coupon_settled"))
        number += 1
    print(f"{number - arguments.first:,} sequences, {settled:,} settlements of coupons")
    return 0


if __name__ == "__main__":
    sys.exit(main())
