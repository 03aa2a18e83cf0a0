"""The rules of an automated market maker: do they go together, and how liquid do they make it."""

from pipelines.books.lmsr import loss_bound
from pipelines.messages.operations import Market
from pipelines.messages.rules import LmsrRules

__all__ = ["liquidity_of", "lmsr_problem", "prior_of"]


def lmsr_problem(market: Market) -> str:
    """Say what is wrong with a market maker's rules, "" where nothing is."""
    rules = market.lmsr
    if market.engine != "lmsr":
        return "`lmsr` rules are for the engine lmsr" if rules is not None else ""
    if rules is None:
        return "the engine lmsr needs its rules `lmsr`"
    if market.number_of_winners != 1 or len(market.selections) < 2:
        return "a market maker needs one winner of several selections"
    if rules.alpha_e6:
        if not rules.seed_minor or rules.liquidity_minor or rules.max_loss_minor:
            return "`alpha_e6` goes with `seed_minor`, and with no liquidity of its own"
        return "`alpha_e6` begins with all alike" if rules.probabilities else ""
    if bool(rules.liquidity_minor) == bool(rules.max_loss_minor):
        return "either `liquidity_minor` or `max_loss_minor` must be given"
    if rules.max_loss_minor and liquidity_of(rules, len(market.selections)) < 1:
        return "`max_loss_minor` is too small for so many selections"
    named = [selection_id for selection_id, _ in rules.probabilities]
    if named and sorted(named) != sorted(s.selection_id for s in market.selections):
        return "`probabilities` must name each selection once"
    return ""


def prior_of(rules: LmsrRules) -> list[float]:
    """Return the probabilities to begin with, none where all are alike."""
    total = sum(millionths for _, millionths in rules.probabilities)
    return [millionths / total for _, millionths in rules.probabilities]


def liquidity_of(rules: LmsrRules, count: int) -> float:
    """Return b, as given or as the largest loss leaves room for."""
    if rules.liquidity_minor:
        return float(rules.liquidity_minor)
    return rules.max_loss_minor / loss_bound(1.0, count, prior_of(rules))
