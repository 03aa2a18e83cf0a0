"""What bettors' accounts hold for an exchange market, as the market knows it; part of the state.

Only `evolve` changes it. An account holds the most that a bettor may lose on the market, not the
sum of the orders: a back and a lay of one selection need the money of one of them.
"""

from msgspec import Struct

__all__ = ["Exposure", "MarketFunds", "Position"]

#: What orders on a selection come to: (if it wins, if it loses), in minor units.
Position = tuple[int, int]


class Exposure(Struct):
    """What one bettor has at risk.

    `positions` by selection: of all orders in the market, what waits as if only the bad side of it
    were matched. `worst_minor` is the most that they lose, `held_minor` what the account holds, or
    will hold when it has read what was sent to it. `asked` by bet id: orders that are pending, and
    how much more the account was asked to hold for each, None where it was asked nothing. `ended`
    is the order whose answer the account is told next.
    """

    positions: dict[int, Position] = {}
    worst_minor: int = 0
    held_minor: int = 0
    asked: dict[str, int | None] = {}
    ended: str = ""


class MarketFunds(Struct):
    """Exposures by client id; `posted`: net result and commission of the present settlement."""

    bettors: dict[str, Exposure] = {}
    posted: dict[str, tuple[int, int]] = {}
