"""The garbage collector in processes that hold much: what lives long is not searched for cycles."""

import gc
from typing import Final

__all__ = ["tune_collector", "tune_collector_of_clients"]

#: Young objects are looked at this rarely: messages and bets hold no cycles.
YOUNG_OBJECTS: Final = 200_000
#: Connections and requests do hold cycles, and come and go: their remains must not gather.
YOUNG_OBJECTS_OF_CLIENTS: Final = 10_000


def tune_collector() -> None:
    """Take what lives now out of the collector's sight and let it run rarely; idempotent."""
    _tune(YOUNG_OBJECTS, 20, 50)


def tune_collector_of_clients() -> None:
    """The same for who has many connections, or makes many requests; idempotent."""
    _tune(YOUNG_OBJECTS_OF_CLIENTS, 10, 10)


def _tune(young: int, middle: int, old: int) -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(young, middle, old)
