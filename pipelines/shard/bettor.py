"""A bettor's own book in a shard's state: an account, and coupons. Only `evolve` changes it.

It lives under the key `bettor/<client id>`; its clock is wall time.
"""

from typing import Final

from msgspec import Struct

from pipelines.limits import BETTOR_KEY_PREFIX
from pipelines.messages.coupon_requests import BetType, LegRequest

__all__ = ["BettorState", "Coupon", "CouponLeg", "bettor_key", "client_of"]

UNKNOWN: Final = (0, 0)


def bettor_key(client_id: str) -> str:
    """Return the key under which a bettor's book lives."""
    return BETTOR_KEY_PREFIX + client_id


def client_of(key: str) -> str:
    """Return whose book lives under a key, "" where it is no bettor's."""
    return key.removeprefix(BETTOR_KEY_PREFIX) if key.startswith(BETTOR_KEY_PREFIX) else ""


class CouponLeg(Struct):
    """One leg as it stands: `odds_e4` 0 until it is held; `win` and `place` (0, 0) until known."""

    request: LegRequest
    odds_e4: int = 0
    settlement: int = 0
    win: tuple[int, int] = UNKNOWN
    place: tuple[int, int] = UNKNOWN

    @property
    def is_known(self) -> bool:
        """Return whether the leg came out."""
        return self.win != UNKNOWN


class Coupon(Struct):
    """One multiple as asked for and as it stands; statuses are those of bets."""

    bet_id: str
    bet_type: BetType
    legs: list[CouponLeg]
    unit_stake_minor: int
    asked_sizes: tuple[int, ...]
    sizes: tuple[int, ...]
    each_way: bool
    stake_minor: int
    status: int
    at_ms: int
    due_ms: int = 0
    settlement: int = 0
    payout_minor: int = 0
    postings: tuple[tuple[str, int], ...] = ()
    code: str = ""


class BettorState(Struct):
    """One bettor: account (`is_open` where there is one) and coupons.

    `holds` are amounts for bets whose answer or end is not there yet, by event and bet;
    `exposures` those for exchange markets, by event and market; `references` those of deposits and
    withdrawals, newest last.
    """

    client_id: str
    seq: int = 0
    is_open: bool = False
    credit_minor: int = 0
    balance_minor: int = 0
    held_minor: int = 0
    holds: dict[tuple[str, str], int] = {}
    references: dict[str, None] = {}
    coupons: dict[str, Coupon] = {}
    refusals: dict[str, Coupon] = {}
    exposures: dict[tuple[str, str], int] = {}

    @property
    def free_minor(self) -> int:
        """Return what the bettor may still bet with."""
        return self.balance_minor + self.credit_minor - self.held_minor
