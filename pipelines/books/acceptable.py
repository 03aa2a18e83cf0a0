"""The price policy: whether an offer is what a bettor asked for, or acceptably near it."""

from pipelines.codes import Code
from pipelines.messages.requests import BetRequest

__all__ = ["acceptable_odds"]


def acceptable_odds(request: BetRequest, offered_e4: int) -> int | Code:
    """Return the odds at which wish and offer meet, or ODDS_CHANGED.

    A better offer is given to `better` and `any`; the tolerance is how far below the odds asked
    for the offer may lie (and for `exact` also how far above, at the odds asked for).
    """
    asked = request.odds_e4
    if offered_e4 == asked:
        return offered_e4
    policy = request.price_policy
    if policy == "any" or (policy == "better" and offered_e4 > asked):
        return offered_e4
    if abs(offered_e4 - asked) <= request.tolerance_e4:
        # Within the tolerance the bettor gets the offer, never more than was on offer.
        return min(offered_e4, asked) if policy == "exact" else offered_e4
    return Code.ODDS_CHANGED
