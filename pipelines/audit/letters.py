"""What the journal says was dead-lettered is in `dead-letters`, in the same order, and no more."""

from collections.abc import Iterator

import msgspec

from pipelines.audit.tally import Place, Tally
from pipelines.messages import entries as e
from pipelines.messages.dead_letters import DeadLetter
from pipelines.ports import Positions, Record
from pipelines.topics import BETS, DEAD_LETTERS, EVENTS, TRANSFERS

__all__ = ["Letters"]

_decode = msgspec.msgpack.Decoder(DeadLetter).decode


class Letters:
    """Follows one partition's dead letters along with its journal; memory is one letter.

    `trimmed`: retention has deleted the first of them.
    """

    def __init__(self, tally: Tally, records: Iterator[Record], trimmed: bool) -> None:
        self._tally = tally
        self._records = records
        self._trimmed = trimmed
        self._ahead: tuple[Record, DeadLetter] | None = None

    def see(self, place: Place, entry: e.Entry) -> None:
        """Look at the next entry of the journal."""
        if not isinstance(entry, e.RecordDeadLettered):
            return
        found = self._next()
        said = (entry.topic, entry.offset, entry.code)
        if found is not None:
            letter = found[1]
            if (letter.topic, letter.offset, letter.code) == said:
                self._tally.count("dead letters")
                self._trimmed = False
                return
            self._ahead = found
        if not self._trimmed:
            self._tally.fail(place, f"no dead letter of record {entry.offset} of {entry.topic}")

    def finish(self, positions: Positions) -> None:
        """The journal ends here, at these positions of the inputs; later letters are not its."""
        reached = dict(zip((BETS, EVENTS, TRANSFERS), positions, strict=True))
        while (found := self._next()) is not None:
            record, letter = found
            if letter.offset < reached[letter.topic]:
                place = Place(DEAD_LETTERS, record.partition, record.offset)
                what = f"the journal has no dead letter of record {letter.offset} of {letter.topic}"
                self._tally.fail(place, what)

    def _next(self) -> tuple[Record, DeadLetter] | None:
        """Return the next letter of a shard; others write here too, of what never was a record."""
        if self._ahead is not None:
            ahead, self._ahead = self._ahead, None
            return ahead
        for record in self._records:
            try:
                letter = _decode(record.value or b"")
            except msgspec.MsgspecError as error:
                place = Place(DEAD_LETTERS, record.partition, record.offset)
                self._tally.fail(place, f"is no dead letter: {error}")
                continue
            if letter.topic in (BETS, EVENTS, TRANSFERS) and letter.offset >= 0:
                return record, letter
        return None
