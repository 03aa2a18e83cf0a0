"""One random sequence of inputs, step by step beside a model; a failing one can be made short.

Each step draws from a source of its own, so a step can be left out and the others stay alike.
"""

import base64
import json
import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from pipelines.ports import Record
from tests.pipelines.shard.desk import Desk

STEPS_A_LIFE = 1_000


def chance_of(number: int, step: int) -> random.Random:
    """What happens in one step of one sequence; step -1 sets it up."""
    return random.Random(number * STEPS_A_LIFE + step + 1)


class Seen(Counter[str]):
    """What happened, and how often."""

    def add(self, name: str) -> None:
        """It happened once more."""
        self[name] += 1


class Life(ABC):
    """Subclasses set `length` and what can happen; `seen` counts what did."""

    #: What many sequences together must have shown, or they prove too little.
    expected_of_all: ClassVar[frozenset[str]] = frozenset()
    length: int

    def __init__(self, number: int, desk: Desk) -> None:
        self.number = number
        self.chance = chance_of(number, -1)
        self.desk = desk
        self.seen = Seen()

    @abstractmethod
    def steps(self) -> list[Callable[[], None]]:
        """What may happen next, the likely repeated."""

    @abstractmethod
    def compare(self) -> None:
        """What is shown is what the model says."""

    @abstractmethod
    def end(self) -> None:
        """Bring it to its end and compare."""

    def run(self, kept: Sequence[int] | None = None) -> None:
        """Play it, or those of its steps that are kept; raises where it differs."""
        steps = self.steps()
        for index in range(self.length) if kept is None else kept:
            self.chance = chance_of(self.number, index)
            self.chance.choice(steps)()
            self.compare()
        self.chance = chance_of(self.number, STEPS_A_LIFE - 2)
        self.end()

    def lines(self) -> list[str]:
        """What was sent, as `overround decide` reads it."""
        return [json.dumps(_line(one)) for one in self.desk.sent]


def _line(sent: Record | int) -> dict[str, Any]:
    if isinstance(sent, int):
        return {"tick": sent}
    try:
        value = json.loads(sent.value or b"null")
    except ValueError:
        value = {"base64": base64.b64encode(sent.value or b"").decode()}
    return {
        "topic": sent.topic,
        "key": None if sent.key is None else sent.key.decode(errors="replace"),
        "timestamp_ms": sent.timestamp_ms,
        "client_id": sent.client_id,
        "value": value,
    }


def shortest(make: Callable[[], Life]) -> tuple[Life, Exception]:
    """Leave out steps of a failing sequence until each that is left is needed."""
    kept = list(range(make().length))
    life, error = _failure(make, kept)
    assert error is not None, "the sequence does not fail"
    size = max(1, len(kept) // 2)
    while True:
        for start in range(len(kept) - size, -1, -size):
            fewer = kept[:start] + kept[start + size :]
            shorter, found = _failure(make, fewer)
            if found is not None:
                kept, life, error = fewer, shorter, found
        if size == 1:
            return life, error
        size = max(1, size // 2)


def _failure(make: Callable[[], Life], kept: Sequence[int]) -> tuple[Life, Exception | None]:
    life = make()
    try:
        life.run(kept)
    except Exception as error:
        return life, error
    return life, None
