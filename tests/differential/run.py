"""Compare the engine with its oracles over many random sequences, on all processors.

Prints how often what happened in them. A difference prints the sequence's number and its shortest
form, as `overround decide` reads it.
"""

import argparse
import os
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import NamedTuple

from rich.progress import Progress

from tests.differential.books import BookLife
from tests.differential.exchange import ExchangeLife
from tests.differential.exotic import check_combinations, check_places
from tests.differential.life import Life, shortest
from tests.differential.makers import MakerLife
from tests.differential.terms import check_each_way, check_lines, check_multiples

LIVES: dict[str, type[Life]] = {
    "books": BookLife,
    "exchange": ExchangeLife,
    "market-makers": MakerLife,
}
CHECKS: dict[str, Callable[[int], set[str]]] = {
    "place-pools": check_places,
    "exotic-pools": check_combinations,
    "lines": check_lines,
    "each-way": check_each_way,
    "multiples": check_multiples,
}
NAMES = (*LIVES, *CHECKS)
CHUNK = 50
#: So many sequences must have shown all that can happen.
ENOUGH = 2_000


class Found(NamedTuple):
    """What a range of sequences showed: what happened, and the first difference with its words."""

    seen: Counter[str]
    failed: int = -1
    said: str = ""


def compare(name: str, numbers: range) -> Found:
    """Run these sequences of one kind; stops at the first difference."""
    seen: Counter[str] = Counter()
    for number in numbers:
        try:
            seen.update(_compare_one(name, number))
        except Exception as error:
            return Found(seen, number, _said(error))
    return Found(seen)


def _said(error: Exception) -> str:
    """The error and the line that raised it: plain asserts say little of themselves."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{error!r} at {frame.filename}:{frame.lineno}: {frame.line}"


def _compare_one(name: str, number: int) -> Iterable[str] | Counter[str]:
    if name in CHECKS:
        return CHECKS[name](number)
    life = LIVES[name](number)
    life.run()
    return life.seen


def compare_all(name: str, first: int, count: int) -> Iterator[Found]:
    """Compare in chunks on all processors; yields each chunk's finding."""
    chunks = [range(n, min(n + CHUNK, first + count)) for n in range(first, first + count, CHUNK)]
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        yield from pool.map(partial(compare, name), chunks)


def missing(name: str, seen: Iterable[str]) -> set[str]:
    """What should have happened among many sequences, and did not."""
    return set(LIVES[name].expected_of_all) - set(seen) if name in LIVES else set()


def explain(name: str, found: Found) -> str:
    """A difference in words: how to see it again, and its shortest form."""
    again = f"make differential KINDS={name} FIRST={found.failed} SEQUENCES=1"
    parts = [f"{name}: sequence {found.failed} differs: {found.said}", f"again: {again}"]
    if name in LIVES:
        life, error = shortest(partial(LIVES[name], found.failed))
        parts += [f"shortest, for `overround decide`: {_said(error)}", *life.lines()]
    return "\n".join(parts)


def main() -> int:
    """Compare; exit code 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sequences", type=int, default=1_000_000, help="of all kinds together")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--kinds", nargs="+", choices=NAMES, default=NAMES)
    arguments = parser.parse_args()
    count = max(1, arguments.sequences // len(arguments.kinds))
    failed = 0
    with Progress() as progress:
        for name in arguments.kinds:
            task = progress.add_task(f"{name} ({count:,})", total=count)
            seen: Counter[str] = Counter()
            for found in compare_all(name, arguments.first, count):
                seen.update(found.seen)
                progress.advance(task, min(CHUNK, count))
                if found.failed >= 0:
                    progress.console.print(explain(name, found), markup=False, soft_wrap=True)
                    failed += 1
                    break
            else:
                counts = ", ".join(f"{what} {times:,}" for what, times in seen.most_common())
                progress.console.print(f"{name}: {counts}", markup=False, highlight=False)
                if count >= ENOUGH and missing(name, seen):
                    progress.console.print(f"{name}: never seen: {missing(name, seen)}")
                    failed += 1
    verdict = f"{failed} differ" if failed else "all answers are those of the oracles"
    print(f"{count:,} sequences each of {', '.join(arguments.kinds)}: {verdict}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
