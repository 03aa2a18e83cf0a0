"""Where the recordings are that tests read: the one of the package, and recorded markets.

OVERROUND_RECORDINGS names the folder of recorded markets; without it, the folder
`shared/data/betfair` beside the project is looked at. They are never part of the project.
"""

import os
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from deploy.replay.generate import SHIPPED

__all__ = ["RECORDED", "SHIPPED", "Recorded", "recorded"]

BESIDE: Final = Path(__file__).parents[4] / "shared" / "data" / "betfair"


class Recorded(NamedTuple):
    """What is known of a recorded market: its winners by Betfair's market id."""

    name: str
    markets: int
    winners: dict[str, tuple[int, ...]]


RECORDED: Final = (
    Recorded("1.200806927", 1, {"1.200806927": (228749,)}),
    Recorded("1.197931750", 1, {"1.197931750": (37947503,)}),
    Recorded("1.197931751", 1, {"1.197931751": (37947503, 39823721)}),
    Recorded("1.242971311", 200, {}),
)


def recorded(name: str) -> Path:
    """Return the file of a recorded market; skips the test where it is not on this machine."""
    folder = Path(os.environ.get("OVERROUND_RECORDINGS") or BESIDE)
    file = folder / f"{name}.bz2"
    if not file.is_file():
        pytest.skip(f"{file} is not here: set OVERROUND_RECORDINGS to a folder that has it")
    return file
