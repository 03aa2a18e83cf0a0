"""A settlement's bets to what each bettor is told: one push a bettor and market. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from pipelines.messages.bettor_entries import CouponSettled
from pipelines.notifier.query import SettledBet

__all__ = ["Outcomes", "Told", "coupon_told"]


class Told(NamedTuple):
    """What one bettor is told: win with the sum paid, refund with the sum, or loss with 0."""

    client_id: str
    kind: str
    payout_minor: int


@dataclass(slots=True)
class _Sums:
    won: bool = False
    lost: bool = False
    paid_minor: int = 0


@dataclass(slots=True)
class Outcomes:
    """Gathers the pages of one settlement; one small record a bettor."""

    _bettors: dict[str, _Sums] = field(default_factory=dict)

    def add(self, bets: Iterable[SettledBet]) -> None:
        """Count a page's bets."""
        for bet in bets:
            sums = self._bettors.setdefault(bet.client_id, _Sums())
            sums.won |= bet.result == "win"
            sums.lost |= bet.result == "loss"
            sums.paid_minor += bet.payout_minor

    def told(self) -> list[Told]:
        """Return one outcome a bettor, in the order of their first bets.

        Some bets void beside lost ones make a loss; the refund shows in the receipts.
        """
        return [Told(client_id, *_outcome(sums)) for client_id, sums in self._bettors.items()]


def _outcome(sums: _Sums) -> tuple[str, int]:
    if sums.won:
        return "win", sums.paid_minor
    if sums.lost:
        return "loss", 0
    return "refund", sums.paid_minor


def coupon_told(entry: CouponSettled) -> Told:
    """Return what the bettor of a settled coupon is told."""
    kind = "refund" if entry.result == "void" else entry.result
    return Told(entry.client_id, kind, entry.payout_minor)
