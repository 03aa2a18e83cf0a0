"""Whether the rules of a market go with its engine and with each other."""

from pipelines.books.exotic import combination_problem
from pipelines.books.lmsr_rules import lmsr_problem
from pipelines.messages.operations import Market

__all__ = ["rules_problem"]


def rules_problem(market: Market) -> str:
    """Say what is wrong with the further rules of a market, "" where nothing is."""
    return lmsr_problem(market) or _fixed_problem(market) or _pool_problem(market)


def _fixed_problem(market: Market) -> str:
    rules = market.fixed
    if rules is None:
        return ""
    if market.engine != "fixed":
        return "`fixed` rules are for the engine fixed"
    named = sorted(selection_id for selection_id, _ in rules.probabilities)
    if named and named != sorted(s.selection_id for s in market.selections):
        return "`probabilities` must name each selection once"
    if named and any(s.odds_e4 for s in market.selections):
        return "either `probabilities` or odds, not both"
    if rules.line_type and (len(market.selections) != 2 or market.number_of_winners != 1):
        return "a handicap or total has two selections and one winner"
    if rules.line and not rules.line_type:
        return "a `line` needs its `line_type`"
    if bool(rules.each_way_divisor) != bool(rules.each_way_places):
        return "each-way needs `each_way_divisor` and `each_way_places`"
    if rules.each_way_divisor and (market.number_of_winners != 1 or rules.line_type):
        return "each-way needs one winner, and no line"
    return ""


def _pool_problem(market: Market) -> str:
    rules = market.pool
    if rules is None:
        return ""
    if market.engine != "pool":
        return "`pool` rules are for the engine pool"
    if rules.combination and market.number_of_winners != 1:
        return "a pool of combinations has one winner"
    return combination_problem(rules, [s.selection_id for s in market.selections])
