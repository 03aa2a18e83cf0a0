"""A fixed book whose odds move with what it owes: `prices` are those that were set."""

from pipelines.books.fixed import FixedBook
from pipelines.books.liability_line import moved_odds
from pipelines.messages.operations import Market

__all__ = ["LineBook"]


class LineBook(FixedBook):
    """Offered odds are worked out from the odds that were set and from the liabilities."""

    __slots__ = ("_offered",)

    moves_on_bets = True

    def __init__(self, market: Market) -> None:
        super().__init__(market)
        self._offered: dict[int, int] | None = None

    def offered(self) -> dict[int, int]:
        """Return the odds offered now by selection."""
        if self._offered is None:
            self._offered = moved_odds(self.prices, self.owed, self.rules, self.ladder)
        return self._offered

    def quote(self, selection_id: int) -> int:
        return self.offered()[selection_id]

    def odds(self, selection_id: int) -> int:
        return self.quote(selection_id)

    def shown(self) -> dict[int, tuple[int, int]]:
        return {selection_id: (odds, 0) for selection_id, odds in self.offered().items()}

    def take(
        self, selection_id: int, stake_minor: int, odds_e4: int, shares_minor: int = 0
    ) -> None:
        super().take(selection_id, stake_minor, odds_e4, shares_minor)
        self._offered = None

    def give_back(
        self, selection_id: int, stake_minor: int, odds_e4: int, shares_minor: int = 0
    ) -> None:
        super().give_back(selection_id, stake_minor, odds_e4, shares_minor)
        self._offered = None

    def keep(
        self, selection_id: int, stake_minor: int, odds_e4: int, shares_minor: int = 0
    ) -> None:
        super().keep(selection_id, stake_minor, odds_e4, shares_minor)
        self._offered = None

    def set_prices(self, prices: tuple[tuple[int, int], ...]) -> None:
        super().set_prices(prices)
        self._offered = None

    def remove(self, selection_id: int, deduction_e4: int = -1) -> None:
        super().remove(selection_id, deduction_e4)
        self._offered = None
