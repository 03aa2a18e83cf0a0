"""The garbage collector in a shard's process: long-lived books are not searched for cycles."""

import gc
from typing import Final

__all__ = ["tune_collector"]

#: Young objects are looked at this rarely: messages and bets hold no cycles.
YOUNG_OBJECTS: Final = 200_000


def tune_collector() -> None:
    """Take what lives now out of the collector's sight and let it run rarely; idempotent."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)
