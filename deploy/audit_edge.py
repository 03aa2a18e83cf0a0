"""The audit's look at the edge: the history of each event's channel against the newest odds."""

import time
from collections import defaultdict
from typing import Final

import psutil

from deploy.edge.bounds import HISTORY_BYTES_MAX, HISTORY_ENTRIES_MAX
from deploy.local.lockfile import StackInfo
from pipelines.audit.channels import Behind, HistoryBounds, check_channel
from pipelines.audit.history import ChannelHistory
from pipelines.audit.odds import Odds, Seen
from pipelines.audit.tally import Tally
from pipelines.channels import odds_out

__all__ = ["LOCAL_BOUNDS", "check_edge", "history_start_ms"]

#: How long the local edge keeps messages while it runs, and Ably without further settings.
LOCAL_HISTORY_MS: Final = 3_600_000
ABLY_HISTORY_MS: Final = 120_000
LOCAL_BOUNDS: Final = HistoryBounds(HISTORY_ENTRIES_MAX, HISTORY_BYTES_MAX)
#: Messages near the end of their time may be gone while they are being read.
MARGIN_MS: Final = 30_000
ARRIVAL_MAX_S: Final = 15.0
RETRY_S: Final = 0.5


def history_start_ms(info: StackInfo | None) -> int:
    """Return since when images must be in the history: the local edge forgets when it stops."""
    now_ms = int(time.time() * 1_000)
    if info is None:
        return now_ms - ABLY_HISTORY_MS + MARGIN_MS
    try:
        started_ms = int(psutil.Process(info.pid).create_time() * 1_000)
    except psutil.NoSuchProcess:
        started_ms = now_ms
    return max(now_ms - LOCAL_HISTORY_MS + MARGIN_MS, started_ms)


def check_edge(
    tally: Tally,
    read: list[Odds],
    url: str,
    key: str,
    bounds: HistoryBounds,
    arrival_max_s: float = ARRIVAL_MAX_S,
) -> None:
    """Check the channels of all events that had odds lately. Raises EdgeError.

    What is on its way is waited for, `arrival_max_s` in all; what has not come then is a failure.
    """
    newest: dict[str, dict[str, Seen]] = defaultdict(dict)
    for odds in read:
        for (event_id, market_id), seen in odds.newest.items():
            newest[event_id][market_id] = seen
    older = {event_id for odds in read for event_id in odds.older} - set(newest)
    if older:
        tally.count("events no longer retained", len(older))
    deadline_s = time.monotonic() + arrival_max_s
    history = ChannelHistory(url, key)
    try:
        for event_id, markets in newest.items():
            found, behind = _look(tally, history, event_id, markets, bounds)
            while behind.missing and time.monotonic() < deadline_s:
                time.sleep(RETRY_S)
                found, behind = _look(tally, history, event_id, markets, bounds)
            for place, what in behind.missing:
                found.fail(place, what)
            found.count("channels")
            tally.add(found)
    finally:
        history.close()


def _look(
    tally: Tally,
    history: ChannelHistory,
    event_id: str,
    markets: dict[str, Seen],
    bounds: HistoryBounds,
) -> tuple[Tally, Behind]:
    """Look once, into a tally of its own, because a channel may be looked at again."""
    found = Tally(tally.name, tally.claim)
    messages = history.messages(odds_out(event_id))
    return found, check_channel(found, event_id, markets, messages, bounds)
