"""One input topic of a partition, read along with the journal that answers it."""

from collections.abc import Callable, Iterator

from pipelines.ports import Record

__all__ = ["Inputs"]


class Inputs:
    """Input records in order; memory is one record.

    `first` is the first offset that Kafka still has: what was before is gone by retention.
    """

    def __init__(self, records: Iterator[Record], first: int = 0) -> None:
        self._records = records
        self._first = first
        self._ahead: Record | None = None

    def gone(self, offset: int) -> bool:
        """Return whether retention has deleted this offset."""
        return offset < self._first

    def take(self, offset: int, passed_over: Callable[[Record], None]) -> Record | None:
        """Return the record at an offset, None where there is none; report those before it."""
        while (record := self._ahead or next(self._records, None)) is not None:
            if record.offset > offset:
                self._ahead = record
                return None
            self._ahead = None
            if record.offset == offset:
                return record
            passed_over(record)
        return None

    def rest(self) -> Iterator[Record]:
        """Yield what nobody took."""
        if self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            yield ahead
        yield from self._records
