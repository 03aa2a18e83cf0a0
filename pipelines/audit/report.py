"""What an audit found, immutable: a result for each check, and figures of what was audited."""

from typing import Final, Literal

from msgspec import Struct

__all__ = [
    "EXAMPLES_MAX",
    "FAILS",
    "HOLDS",
    "NOT_CHECKED",
    "AuditReport",
    "Check",
    "CounterExample",
    "Figures",
    "Verdict",
]

EXAMPLES_MAX: Final = 5
Verdict = Literal["holds", "fails", "not checked"]
HOLDS: Final[Verdict] = "holds"
FAILS: Final[Verdict] = "fails"
NOT_CHECKED: Final[Verdict] = "not checked"


class CounterExample(Struct, frozen=True):
    """One thing that is wrong, and the record that shows it; `topic` may be a channel's name."""

    topic: str
    partition: int
    offset: int
    what: str


class Check(Struct, frozen=True):
    """One check's result. `compared` is what was looked at (what, how many)."""

    name: str
    claim: str
    compared: tuple[tuple[str, int], ...]
    result: Verdict
    failures: int
    examples: tuple[CounterExample, ...]
    note: str = ""


class Figures(Struct, frozen=True):
    """What the topics hold, in all partitions; money in minor units.

    `money_in_minor` is what was staked in accepted bets, `paid_minor` what winners were paid,
    `refunded_minor` what void bets got back, `house_minor` what settled markets left to the house,
    `held_minor` the stakes of open bets; the first is the sum of the other four.
    """

    partitions: int = 0
    bets: int = 0
    operations: int = 0
    journal_entries: int = 0
    odds_images: int = 0
    events: int = 0
    markets: int = 0
    markets_settled: int = 0
    bettors: int = 0
    accepted: int = 0
    rejected: int = 0
    pending: int = 0
    declined: int = 0
    cancelled: int = 0
    repeated: int = 0
    conflicts: int = 0
    refused: int = 0
    dead_lettered: int = 0
    won: int = 0
    lost: int = 0
    void: int = 0
    money_in_minor: int = 0
    paid_minor: int = 0
    refunded_minor: int = 0
    house_minor: int = 0
    held_minor: int = 0
    cashed_out: int = 0


class AuditReport(Struct, frozen=True):
    """Every check and the figures."""

    checks: tuple[Check, ...]
    figures: Figures

    @property
    def holds(self) -> bool:
        """Whether no check failed; one that was not made is no failure."""
        return all(check.result != FAILS for check in self.checks)
