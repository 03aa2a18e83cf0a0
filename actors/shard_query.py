"""The notifier's way to the shards: Ray calls to who owns, each with a deadline."""

from collections.abc import Sequence
from typing import Any

import ray

from actors.options import CALL_TIMEOUT_S
from actors.owners import owner_of
from pipelines.errors import StackError
from pipelines.notifier.query import Page, SettledBet, ShardUnavailable, holder

__all__ = ["RayShardQuery"]


class RayShardQuery:
    """Port `ShardQuery` over Ray."""

    def __init__(self) -> None:
        self._handles: dict[int, Any] = {}

    def _ask(self, partition: int, method: str, *arguments: object) -> Any:
        try:
            handle = self._handles.get(partition)
            if handle is None:
                handle = owner_of(partition)
                self._handles[partition] = handle
            return ray.get(getattr(handle, method).remote(*arguments), timeout=CALL_TIMEOUT_S)
        except (ray.exceptions.RayError, StackError) as error:
            # Another copy may own the partition by now; look for it anew next time.
            self._handles.pop(partition, None)
            raise ShardUnavailable(f"shard {partition} did not answer: {error}") from error

    def _holder(self, partition: int, event_id: str, market_id: str) -> int:
        return holder(
            lambda asked: int(self._ask(asked, "holder_of", event_id, market_id)), partition
        )

    def settled_bets(
        self,
        partition: int,
        event_id: str,
        market_id: str,
        settlement: int,
        after: int,
        limit: int,
    ) -> Page:
        partition = self._holder(partition, event_id, market_id)
        rows, following = self._ask(
            partition, "settled_bets", event_id, market_id, settlement, after, limit
        )
        return Page([SettledBet(*row) for row in rows], following)

    def bettors_of(self, partition: int, event_id: str) -> Sequence[str]:
        found: list[str] = self._ask(partition, "bettors_of", event_id)
        return found

    def names(self, partition: int, event_id: str, market_id: str) -> tuple[str, str]:
        if market_id:
            partition = self._holder(partition, event_id, market_id)
        event, market = self._ask(partition, "names", event_id, market_id)
        return str(event), str(market)
