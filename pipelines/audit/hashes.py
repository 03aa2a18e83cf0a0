"""The state of a running shard is the fold of its journal, up to the number where it was asked."""

from pipelines.audit.tally import Place, Tally
from pipelines.shard.hash import state_hash
from pipelines.shard.state import ShardState
from pipelines.topics import JOURNAL

__all__ = ["Hashes"]


class Hashes:
    """Compares one shard's answer, (journal number, hash), with the fold at that number."""

    def __init__(self, tally: Tally, partition: int, answer: tuple[int, str] | None) -> None:
        self._tally = tally
        self._partition = partition
        self._answer = answer

    @property
    def wanted(self) -> int | None:
        """The journal number that the fold has yet to reach, None when nothing is left to do."""
        return self._answer[0] if self._answer is not None else None

    def see(self, state: ShardState, offset: int) -> None:
        """Look at the fold after each entry (and before the first)."""
        if self._answer is None or state.shard_seq != self._answer[0]:
            return
        number, said = self._answer
        self._answer = None
        self._tally.count("shards")
        folded = state_hash(state)
        if folded != said:
            place = Place(JOURNAL, self._partition, offset)
            what = f"the shard says {said} at {number}, the fold {folded}"
            self._tally.fail(place, f"{what} (does the system run this version of the code?)")

    def finish(self, state: ShardState) -> None:
        """The journal ends here, as far as it was waited for."""
        if self._answer is not None:
            place = Place(JOURNAL, self._partition, -1)
            what = f"the shard is at {self._answer[0]}, the journal ends at {state.shard_seq}"
            self._tally.fail(place, what)
            self._answer = None
