"""One process at a time shows what a partition says: a new one has the one before end first.

Ray makes an actor anew as soon as it believes its process dead, and a whole cluster may be made
anew while an old one, whose head is lost, goes on. Two publishers at once would let the odds of a
market go back and forth. So whoever publishes or pushes notes a claim beside its group's offsets in
Kafka, where the next one finds it whatever Ray knows.
"""

import logging
from collections.abc import Callable, Collection
from typing import Protocol

__all__ = ["Claims", "take_over"]

logger = logging.getLogger(__name__)


class Claims(Protocol):
    """Who reads with a group, as `pipelines.kafka.reader.CommittedReader` notes it."""

    def claims(self) -> set[str]: ...
    def claim(self, besides: Collection[str] = ()) -> None: ...


def take_over(reader: Claims, end: Callable[[str], bool]) -> bool:
    """Have those end who are noted for the reader's partitions; return whether it may begin.

    It may not where a newer one came meanwhile. Until they have ended they stay noted beside the
    reader, so that this newer one waits for them too. `end`: ends the process of a claim and waits
    for it; returns whether it is known to have ended. One that cannot be asked may go on: that is
    logged, and not waited for. Raises BrokerError.
    """
    before = reader.claims()
    if before:
        reader.claim(before)
        for claim in sorted(before):
            if not end(claim):
                logger.warning("who was here before did not answer: its last messages may be late")
        if reader.claims() - before:
            return False
    reader.claim()
    return True
