"""Places and combinations of random pools against the slow oracle."""

import random
from fractions import Fraction

from pipelines.books.exotic import all_combinations, winning_combinations
from pipelines.books.pool import PoolBook
from pipelines.messages.operations import Market, Selection
from pipelines.messages.rules import PoolRules
from tests.oracles import pool as oracle


def finish_of(chance: random.Random, runners: int) -> list[tuple[int, ...]]:
    """A random order of finish with dead heats."""
    left = chance.sample(range(1, runners + 1), runners)
    groups = []
    while left:
        tied = chance.choice([1, 1, 1, 2, 3])
        groups.append(tuple(left[:tied]))
        left = left[tied:]
    return groups


def check_places(number: int) -> set[str]:
    """Dividends by the order of finish."""
    chance = random.Random(number)
    runners = chance.randrange(2, 7)
    rules = oracle.PoolRules(
        Fraction(chance.choice([0, 825, 1_750]), 10_000),
        Fraction(chance.choice([1, 100, 1_000]), 10_000),
        Fraction(chance.choice([0, 10_000, 10_500]), 10_000),
        chance.choice(["net", "profit"]),
        chance.randrange(1, min(runners, 4) + 1),
    )
    carried = chance.choice([0, 0, 777])
    market = Market(
        market_id="m", engine="pool",
        selections=tuple(Selection(s) for s in range(1, runners + 1)),
        takeout_e4=int(rules.takeout * 10_000), breakage_e4=int(rules.breakage * 10_000),
        minimum_dividend_e4=int(rules.minimum * 10_000),
        split="net" if rules.split == "net" else "profit",
        number_of_winners=rules.places, pool=PoolRules(carry_in_minor=carried),
    )  # fmt: skip
    book = PoolBook(market)
    bets = [
        (chance.randrange(1, runners + 1), chance.randrange(1, 5_000))
        for _ in range(chance.randrange(1, 12))
    ]
    for selection, stake in bets:
        book.take(selection, stake, 0)
    finish = finish_of(chance, runners)
    outcome = book.shared(tuple(finish))
    right = oracle.place_dividends(rules, bets, finish, carried)
    assert outcome.refund == (right is None), number
    found = {s: Fraction(d, 10_000) for s, d in outcome.dividends}
    assert found == (right or {}), number
    return {"shared"} if any(len(group) > 1 for group in finish) else {"alone"}


def check_combinations(number: int) -> set[str]:
    """Combinations that an order of finish makes winners."""
    chance = random.Random(number)
    kind = chance.choice(["EXACTA", "QUINELLA", "TRIFECTA"])
    runners = chance.randrange(3, 6)
    every = list(enumerate(all_combinations(kind, range(1, runners + 1))))
    rules = PoolRules(combination=kind, combinations=tuple(every))  # type: ignore[arg-type]
    finish = finish_of(chance, runners)
    won = oracle.combinations_won(finish, 3 if kind == "TRIFECTA" else 2)
    if kind == "QUINELLA":
        won = {tuple(sorted(order)) for order in won}
    right = {selection for selection, order in every if order in won}
    assert set(winning_combinations(rules, tuple(finish))) == right, number
    return {kind}
