"""The garbage collector in processes that hold much: what lives long is not searched for cycles."""

import gc
from typing import Final

__all__ = ["tune_collector", "tune_collector_of_edge"]

#: Young objects are looked at this rarely: messages and bets hold no cycles.
YOUNG_OBJECTS: Final = 200_000
#: Connections do hold cycles, and come and go: their remains must not gather.
YOUNG_OBJECTS_OF_EDGE: Final = 10_000


def tune_collector() -> None:
    """Take what lives now out of the collector's sight and let it run rarely; idempotent."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 50)


def tune_collector_of_edge() -> None:
    """The same for a process with a history of messages and many connections; idempotent."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS_OF_EDGE, 10, 10)
