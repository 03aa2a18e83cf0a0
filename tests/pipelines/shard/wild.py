"""Well-formed messages with anything in them: all engines, rules and requests, at their extremes.

`python -m tests.pipelines.shard.wild --seconds 300` looks for what raises for so long.
"""

import argparse
import json
import random
import sys
import time
from typing import Any

from pipelines.audit.money import Money
from pipelines.audit.tally import Place, Tally
from pipelines.audit.totals import Totals
from pipelines.messages import entries as e
from pipelines.messages.apart import apart
from tests.pipelines.shard.desk import EVENT, MARKET, Desk
from tests.pipelines.shard.exchange_desk import ExchangeDesk

AMOUNTS = [1, 1, 2, 3, 7, 99, 100, 1_000, 12_345, 10**6, 10**9, 10**12 - 1, 10**12]
ODDS = [0, 10_000, 10_100, 10_200, 12_500, 20_000, 30_000, 33_300, 50_000, 110_000, 1_000_000,
        9_900_000, 10_000_000]  # fmt: skip
OFFERED = [0, 10_100, 20_000, 30_000, 50_000, 110_000, 1_000_000, 10_000_000]
E4 = [0, 1, 100, 500, 2_500, 5_000, 9_999]
MODELS = ["proportional", "additive", "power", "shin", "odds_ratio"]
CLIENTS = ["ann", "bob", "cem"]
STATUSES = ["OPEN", "OPEN", "OPEN", "SUSPENDED", "SUSPENDED", "INACTIVE", "CLOSED"]


class Wild:
    """One sequence: `run` it, and nothing may raise; `sent` is what `overround decide` reads."""

    def __init__(self, number: int) -> None:
        self.chance = random.Random(number)
        self.ids: list[str] = []
        self.count = self.chance.choice([1, 2, 2, 3, 4, 8, 20])
        self.engine = self.chance.choice(["fixed", "pool", "exchange", "lmsr"])
        self.desk = ExchangeDesk() if self.engine == "exchange" else Desk()
        self.codes: set[str] = set()

    def run(self, steps: int = 60) -> None:
        """Play it to its end, and check the state."""
        self.take(self.desk.operate("event_opened", clock=self.chance.choice(["wall", "feed"])))
        for _ in range(3):
            self.take(self.desk.operate("market_opened", market=self.market()))
        if (EVENT, MARKET) not in self.desk.images:
            return  # rules that do not go together, three times
        kinds = [self.bet] * 10 + [self.about_a_bet] * 4 + [self.operate] * 4 + [self.wait]
        for _ in range(steps):
            self.chance.choice(kinds)()
        self.desk.check()
        tally = Tally("money", "is right")
        money = Money(tally, Totals())
        for number, record in enumerate(self.desk.records()):
            for part in apart(record.entry):
                money.see(Place("journal", 0, number), part, record.at_ms)
        assert not tally.failures, tally.check().examples[:3]

    def take(self, found: list[e.Entry]) -> None:
        """Look at answers: each refusal has a code and a sentence."""
        assert found, "a record without an answer"
        for entry in found:
            code = getattr(entry, "code", "")
            if code:
                self.codes.add(code)
                assert getattr(entry, "reason", "-"), entry

    def pick(self, *choices: Any) -> Any:
        return self.chance.choice(choices)

    def amount(self) -> int:
        return self.chance.choice([*AMOUNTS, self.chance.randrange(1, 10**12)])

    def selection(self) -> int:
        return self.chance.randrange(1, self.count + 1 + (self.chance.random() < 0.05))

    # --- markets

    def market(self) -> dict[str, Any]:
        chance, ids = self.chance, range(1, self.count + 1)
        fixed_odds = self.engine == "fixed" and chance.random() < 0.8
        market: dict[str, Any] = {
            "market_id": MARKET,
            "engine": self.engine,
            "selections": [
                {"selection_id": s, "odds_e4": chance.choice(OFFERED) if fixed_odds else 0,
                 "adjustment_factor_e4": chance.choice(E4)}
                for s in ids
            ],
            "number_of_winners": chance.choice([1, 1, 1, min(2, self.count), self.count]),
            "in_play": chance.random() < 0.2,
            "bet_delay_ms": self.pick(0, 0, 1_000, 60_000),
            "stake_min_minor": self.pick(1, 1, 100),
            "stake_max_minor": self.pick(10**12, 10**12, 1_000),
            "loss_limit_minor": self.pick(0, 0, 1, 10**6, 10**14),
            "accounts": chance.random() < 0.05,
        }  # fmt: skip
        if self.engine == "fixed":
            return market | self._fixed([] if fixed_odds else self._probabilities())
        rules = {"exchange": self._exchange, "pool": self._pool, "lmsr": self._lmsr}
        return market | rules[self.engine]()

    def _probabilities(self) -> list[list[int]]:
        return [[s, self.pick(1, 10, 500_000, 1_000_000)] for s in range(1, self.count + 1)]

    def _fixed(self, probabilities: list[list[int]]) -> dict[str, Any]:
        rules = {
            "margin_model": self.chance.choice(MODELS),
            "margin_e4": self.chance.choice([*E4, 10_000]),
            "probabilities": probabilities,
            "line_liquidity_minor": self.pick(0, 0, 1, 10**6, 10**12),
            "line_move_max_e4": self.pick(0, 2_000, 9_000),
            "stake_factor_e4": self.pick(10_000, 10_000, 0, 1),
            "payout_max_minor": self.pick(0, 0, 1, 10**6),
            "rule_4": self.chance.random() < 0.5,
            "cash_out_margin_e4": self.chance.choice([*E4, 10_000]),
            "show_fair": self.chance.random() < 0.5,
        }
        if self.chance.random() < 0.3:
            rules |= {"each_way_divisor": self.pick(1, 4, 100), "each_way_places": self.pick(1, 3)}
        elif self.count == 2 and self.chance.random() < 0.5:
            rules |= {"line_type": self.pick("HANDICAP", "TOTAL"), "line": self.pick(-3, 0, 4_000)}
        return {"fixed": rules, "ladder": self.pick("CLASSIC", "FINEST", "ANY")}

    def _pool(self) -> dict[str, Any]:
        rules = {
            "carry_in_minor": self.pick(0, 0, 10**12),
            "no_winner": self.pick("refund", "carry_over", "next"),
            "floors": self.pick([], [], [[9_001, 10_200], [11_000, 11_000]]),
        }
        if self.count >= 4 and self.chance.random() < 0.4:
            kind, length = self.pick(("EXACTA", 2), ("QUINELLA", 2), ("TRIFECTA", 3))
            orders: set[tuple[int, ...]] = set()
            while len(orders) < self.count:
                order = tuple(self.chance.sample(range(1, 8), length))
                orders.add(tuple(sorted(order)) if kind == "QUINELLA" else order)
            named = [[s, list(order)] for s, order in enumerate(sorted(orders), 1)]
            rules |= {"combination": kind, "combinations": named}
        return {
            "pool": rules,
            "takeout_e4": self.chance.choice(E4),
            "breakage_e4": self.pick(1, 100, 500, 10_000),
            "minimum_dividend_e4": self.pick(0, 10_000, 11_000, 10_000_000),
            "split": self.pick("net", "profit"),
        }

    def _lmsr(self) -> dict[str, Any]:
        big = self.pick(1, 20, 10**4, 10**9, 10**12)
        rules = self.pick(
            {"liquidity_minor": big},
            {"max_loss_minor": big},
            {"alpha_e6": self.pick(1, 50_000, 1_000_000), "seed_minor": big},
            {"liquidity_minor": big, "probabilities": self._probabilities()},
            {"max_loss_minor": big, "probabilities": self._probabilities()},
        )
        return {"lmsr": rules, "number_of_winners": 1}

    def _exchange(self) -> dict[str, Any]:
        return {
            "ladder": self.pick("CLASSIC", "FINEST"),
            "market_base_rate_e4": self.chance.choice(E4),
            "self_match": self.pick("CANCEL_RESTING", "CANCEL_INCOMING", "ALLOW"),
            "cross_matching": self.chance.random() < 0.3,
            "bsp_market": self.chance.random() < 0.5,
            "depth": self.pick(0, 3),
        }

    # --- what is sent

    def bet(self) -> None:
        seen = self.desk.images[EVENT, MARKET]
        shown = {s.selection_id: s.odds_e4 for s in seen.selections}
        selection, chance = self.selection(), self.chance
        bet_id = f"b{len(self.ids)}" if chance.random() < 0.9 or not self.ids else self.ids[-1]
        self.ids.append(bet_id)
        value = {
            "type": "bet", "bet_id": bet_id, "event_id": EVENT, "market_id": MARKET,
            "selection_id": selection, "stake_minor": self.amount(),
            "odds_e4": chance.choice([*ODDS, shown.get(selection, 0), shown.get(selection, 0)]),
            "price_policy": self.pick("exact", "better", "any", "any"),
            "tolerance_e4": self.pick(0, 0, 500, 10_000_000),
            "market_version": self.pick(seen.version, seen.version, seen.version, 0, 1, 99),
            "accept_partial": chance.random() < 0.3,
            "price_limit_e6": self.pick(0, 0, 1, 600_000, 999_999),
        }  # fmt: skip
        if self.engine == "exchange" or chance.random() < 0.02:
            value |= {
                "side": self.pick("BACK", "LAY"),
                "order_type": self.pick("LIMIT", "LIMIT", "LIMIT_ON_CLOSE", "MARKET_ON_CLOSE"),
                "persistence": self.pick("LAPSE", "PERSIST", "MARKET_ON_CLOSE"),
                "time_in_force": self.pick("", "", "", "FILL_OR_KILL"),
                "min_fill_minor": self.pick(0, 0, 1, 10**12),
            }
        self.take(self.desk.bets(value, chance.choice(CLIENTS)))

    def about_a_bet(self) -> None:
        if not self.ids:
            return
        kind = self.pick("cash_out", "cash_out", "cash_out", "cancel", "replace", "update")
        value: dict[str, Any] = {
            "type": kind, "bet_id": self.chance.choice(self.ids), "event_id": EVENT,
            "market_id": MARKET,
        }  # fmt: skip
        if kind == "cash_out":
            value |= {
                "amount_minor": self.pick(0, 1, 1, 10**12),
                "tolerance_minor": self.pick(0, 9),
                "keep_stake_minor": self.pick(0, 0, 1, 50, self.amount()),
            }
        elif kind == "cancel":
            value["size_reduction_minor"] = self.pick(0, 1, 10**12)
        elif kind == "replace":
            self.ids.append(f"r{len(self.ids)}")
            value |= {"new_bet_id": self.ids[-1], "odds_e4": self.chance.choice(ODDS)}
        else:
            value["persistence"] = self.pick("LAPSE", "PERSIST", "MARKET_ON_CLOSE")
        for client in CLIENTS:
            self.take(self.desk.bets(value, client))

    def operate(self) -> None:
        chance = self.chance
        groups: list[list[int]] = []
        runners = list(range(1, max(self.count, 7) + 1))
        chance.shuffle(runners)
        while runners and len(groups) < 5:
            size = chance.choice([1, 1, 1, 2, 3])
            groups.append(runners[:size])
            runners = runners[size:]
        if chance.random() < 0.2:
            groups.append(groups[0])
        now = self.desk.now_ms
        kind, fields = self.pick(
            ("market_status", {"status": chance.choice(STATUSES)}),
            ("market_status", {"status": "SUSPENDED"}),
            ("market_status", {"in_play": True, "bet_delay_ms": self.pick(0, 1_000)}),
            ("prices", {"prices": [[self.selection(), chance.choice(ODDS)] for _ in range(3)]}),
            ("selection_removed", {"selection_id": self.selection(),
                                   "reduction_factor_e4": chance.choice(E4)}),
            ("selection_removed", {"selection_id": self.selection()}),
            ("result", {"winners": [self.selection() for _ in range(self.pick(1, 1, 2, 3))]}),
            ("result", {"finish": groups}),
            ("result", {"score": [self.pick(0, 1, 10_000), self.pick(0, 2)]}),
            ("result", {"void": True}),
            ("result_rolled_back", {}),
            ("selection_resulted", {"selection_id": self.selection(),
                                    "result": self.pick("WINNER", "LOSER", "ACTIVE")}),
            ("bets_voided", {"from_ms": now - self.pick(0, 1_000), "to_ms": now}),
            ("discounts", {"discounts": [["ann", self.pick(0, 5_000, 10_000)]]}),
            ("risk_lever", {"action": self.pick("accept", "refer", "reject", "limit", "none"),
                            "stake_max_minor": self.amount()}),
            ("risk_set", {
                "event_loss_limit_minor": self.pick(0, self.amount()),
                "selection_loss_limit_minor": self.pick(0, self.amount()),
                "bettor_stake_max_minor": self.pick(0, self.amount()),
                "bettor_payout_max_minor": self.pick(0, self.amount()),
            }),
        )  # fmt: skip
        self.take(self.desk.operate_market(kind, at_ms=now, **fields))

    def wait(self) -> None:
        self.desk.tick(self.desk.now_ms + self.pick(1, 1_000, 60_000))


def main() -> int:
    """Play sequences until the time is up; exit code 1 at the first that raises."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--first", type=int, default=0)
    arguments = parser.parse_args()
    number, end, codes = arguments.first, time.monotonic() + arguments.seconds, set[str]()
    while time.monotonic() < end:
        wild = Wild(number)
        try:
            wild.run()
        except Exception:
            print(f"sequence {number} ({wild.engine})", file=sys.stderr)
            raise
        codes |= wild.codes
        number += 1
    print(json.dumps({"sequences": number - arguments.first, "codes": sorted(codes)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
