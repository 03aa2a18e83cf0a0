"""What became of a publication, and where a channel's history outlives the process."""

from collections.abc import Callable
from typing import Protocol as Port

from msgspec import Struct

from deploy.edge.wire import Annotation, Message
from pipelines.errors import EdgeError

__all__ = ["Done", "Keeper", "Published", "when_kept"]


class Keeper(Port):
    """Puts a channel's history where it outlives the process."""

    def messages(self, channel: str, serial: str, at_ms: int, kept: list[Message]) -> None:
        """Keep a publication."""

    def version(self, channel: str, serial: str, at_ms: int, made: Message) -> None:
        """Keep the next version of a message."""

    def annotation(self, channel: str, serial: str, at_ms: int, note: Annotation) -> None:
        """Keep an annotation."""

    def when_kept(self, call: Callable[[], None]) -> None:
        """Call once all that was given to keep so far is where it is kept."""


class Published(Struct, frozen=True, gc=False):
    """Where a publication was put: the channel's serial, and one serial a message."""

    message_id: str
    channel_serial: str
    serials: tuple[str, ...]
    is_id_given: bool = False


Done = Callable[[Published | EdgeError], None]


def when_kept(keeper: Keeper | None, call: Callable[[], None]) -> None:
    """Call once what was published so far outlives the process; at once where it shall not."""
    if keeper is None:
        call()
    else:
        keeper.when_kept(call)
