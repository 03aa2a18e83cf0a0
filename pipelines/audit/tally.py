"""Collects what one check finds, over all partitions, until it becomes a `Check`."""

from collections import Counter
from typing import NamedTuple

from pipelines.audit.report import EXAMPLES_MAX, FAILS, HOLDS, NOT_CHECKED, Check, CounterExample

__all__ = ["Place", "Tally"]


class Place(NamedTuple):
    """Where a record is: what a counter-example points to."""

    topic: str
    partition: int
    offset: int


class Tally:
    """Counts comparisons and failures of one check; keeps the first few failures."""

    def __init__(self, name: str, claim: str) -> None:
        self.name = name
        self.claim = claim
        self.failures = 0
        self.note = ""
        self._compared: Counter[str] = Counter()
        self._examples: list[CounterExample] = []
        self._checked = True

    def count(self, what: str, number: int = 1) -> None:
        """So many things of a kind were compared."""
        self._compared[what] += number

    def fail(self, place: Place, what: str) -> None:
        """A record shows that the claim does not hold."""
        self.failures += 1
        if len(self._examples) < EXAMPLES_MAX:
            self._examples.append(CounterExample(*place, what))

    def not_checked(self, why: str) -> None:
        """The check was not made; this is neither a success nor a failure."""
        self._checked = False
        self.note = why

    def add(self, other: "Tally") -> None:
        """Take over what another tally of the same check has found."""
        found = other.check()
        self._compared.update(dict(found.compared))
        self.failures += found.failures
        self._examples += found.examples[: EXAMPLES_MAX - len(self._examples)]

    def check(self) -> Check:
        """Return the result."""
        result = FAILS if self.failures else HOLDS if self._checked else NOT_CHECKED
        return Check(
            self.name,
            self.claim,
            tuple(self._compared.items()),
            result,
            self.failures,
            tuple(self._examples),
            self.note,
        )
