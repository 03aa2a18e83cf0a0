"""Every kind of market over random sequences against its oracle; `make differential` runs more."""

import json
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from deploy.decide import decide_command
from tests.differential.books import BookLife
from tests.differential.life import shortest
from tests.differential.run import CHECKS, ENOUGH, NAMES, compare_all, explain, missing

#: Together more than 20,000; more of what is quick.
SEQUENCES = {"books": 5_000, "exchange": 3_000, "market-makers": ENOUGH}
OF_CHECKS = 3_000


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", NAMES)
def test_the_engine_answers_as_its_oracle_does(name: str) -> None:
    seen: Counter[str] = Counter()
    for found in compare_all(name, 0, SEQUENCES.get(name, OF_CHECKS)):
        assert found.failed < 0, explain(name, found)
        seen.update(found.seen)
    assert not missing(name, seen)
    assert len(seen) >= 2 or name not in CHECKS, "all were alike"


class Wrong(BookLife):
    """A model that knows no refusals for the stake: the engine must differ from it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.model.stake_max = 10**12


def test_a_difference_is_made_short_and_can_be_decided(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    number = next(n for n in range(100) if fails(n))
    life, error = shortest(partial(Wrong, number))
    assert "ABOVE_MAX_BET_AMOUNT" in str(error)
    lines = [json.loads(line) for line in life.lines()]
    bets = [line for line in lines if line.get("topic") == "bets"]
    assert len(bets) == 1, "one bet is enough to show it"
    file = tmp_path / "lines.jsonl"
    file.write_text("\n".join(life.lines()))
    assert decide_command(str(file), False, False) == 0
    assert "ABOVE_MAX_BET_AMOUNT" in capsys.readouterr().out


def fails(number: int) -> bool:
    try:
        Wrong(number).run()
    except AssertionError:
        return True
    return False
