"""Limits that contradict each other stop the program at its start."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines import limits

SOURCE = Path(limits.__file__).read_text()


def started_with(source: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, timeout=30, check=False
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ODDS_MIN_E4", "10_000"),
        ("ODDS_MIN_E4", "20_000_000"),
        ("STAKE_MAX_MINOR", "2**60"),
        ("MARKET_STAKES_MAX_MINOR", "10**12"),
        ("MARKET_STAKES_MAX_MINOR", "10**16"),
        ("DEAD_LETTER_VALUE_BYTES_MAX", "1_000_000"),
        ("RECORD_BYTES_MAX", "4 * 1_048_576"),
        ("POLL_RECORDS_MAX", "10_000"),
        ("ABLY_MESSAGES_PER_BATCH_MAX", "10"),
    ],
)
def test_a_contradiction_is_found_at_import(name: str, value: str) -> None:
    changed, count = re.subn(rf"(?m)^{name}: Final = [^#\n]+", f"{name}: Final = {value}", SOURCE)
    assert count == 1
    ended = started_with(changed)
    assert ended.returncode != 0
    assert "the limits contradict each other" in ended.stderr


def test_the_limits_as_they_are_do_not() -> None:
    assert started_with(SOURCE).returncode == 0


def test_the_largest_payout_of_a_market_fits_64_bits() -> None:
    largest_odds = limits.ODDS_MAX_E4 // limits.ODDS_ONE
    assert limits.MARKET_STAKES_MAX_MINOR * largest_odds < 2**63
    # A pool with all but one minor unit on losers pays this dividend, in ten-thousandths.
    assert limits.MARKET_STAKES_MAX_MINOR * limits.ODDS_ONE < 2**63
