"""The topics, who owns which key, and the partitioner that all of them share."""

from typing import Final

__all__ = [
    "BETS",
    "CO_PARTITIONED",
    "DEAD_LETTERS",
    "EVENTS",
    "JOURNAL",
    "NOTICES",
    "ODDS",
    "PARTITIONER",
    "SNAPSHOTS",
    "TRANSFERS",
    "murmur2",
    "partition_of",
]

BETS: Final = "bets"
EVENTS: Final = "events"
TRANSFERS: Final = "transfers"
JOURNAL: Final = "journal"
ODDS: Final = "odds"
NOTICES: Final = "notices"
DEAD_LETTERS: Final = "dead-letters"
#: Copies of shards' states; what they say is in the journal too, so losing them costs time only.
SNAPSHOTS: Final = "snapshots"
CO_PARTITIONED: Final = (
    BETS,
    EVENTS,
    TRANSFERS,
    JOURNAL,
    ODDS,
    NOTICES,
    DEAD_LETTERS,
    SNAPSHOTS,
)

#: librdkafka's name of the partitioner that Java clients use by default.
PARTITIONER: Final = "murmur2_random"


def murmur2(data: bytes) -> int:
    """Hash as Kafka's Java client does (org.apache.kafka.common.utils.Utils.murmur2): 32 bits."""
    length = len(data)
    m, mask = 0x5BD1E995, 0xFFFFFFFF
    h = (0x9747B28C ^ length) & mask
    whole = length & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        k = (k ^ (k >> 24)) * m & mask
        h = (h * m & mask) ^ k
    rest = data[whole:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ (h >> 13)) * m & mask
    return h ^ (h >> 15)


def partition_of(key: bytes, partitions: int) -> int:
    """Return the partition of a key, the same as a Java producer's."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
