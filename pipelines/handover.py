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

    def claims(self) -> Collection[str]: ...
    def claim(self) -> None: ...


def take_over(reader: Claims, end: Callable[[str], bool]) -> None:
    """Have those end who are noted for the reader's partitions, then note the reader instead.

    `end`: ends the process of a claim and waits for it; returns whether it is known to have ended.
    One that cannot be asked may go on: that is logged, and not waited for. Raises BrokerError.
    """
    for claim in sorted(reader.claims()):
        if not end(claim):
            logger.warning("who was here before did not answer: its last messages may come late")
    reader.claim()
