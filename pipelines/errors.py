"""The one tree of exceptions; expected refusals are not here, they are values (`codes.py`).

OverroundError
├── SettingsError      settings that cannot work; lists every problem at once
├── CodecError         bytes that are not a message of a known type and version
├── JournalError       a journal that cannot be folded: gap, unknown format, wrong order
├── FencedError        a newer owner of the partition exists; this one must stop
├── BrokerError        Kafka refused or did not answer in time
├── EdgeError          Ably (or the local edge) refused or did not answer in time
├── ArchiveError       an archived journal that is broken, or must not be written over
└── StackError         the local stack could not be started; the message says what to do
"""

__all__ = [
    "ArchiveError",
    "BrokerError",
    "CodecError",
    "EdgeError",
    "FencedError",
    "JournalError",
    "OverroundError",
    "SettingsError",
    "StackError",
]


class OverroundError(Exception):
    """Root of every exception this package raises on purpose."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class SettingsError(OverroundError):
    """Settings are missing or contradict each other."""


class CodecError(OverroundError):
    """Bytes could not be read as a message."""


class JournalError(OverroundError):
    """A journal could not be folded."""


class ArchiveError(OverroundError):
    """An archive of the journal is broken, incomplete, or would be written over."""


class FencedError(OverroundError):
    """A newer owner of the partition has taken over."""


class BrokerError(OverroundError):
    """Kafka refused a request or did not answer in time."""


class EdgeError(OverroundError):
    """Ably or the local edge refused a request or did not answer in time."""

    def __init__(
        self, message: str, code: int = 50000, status: int = 500, retry_after_s: float = 0.0
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[type["EdgeError"], tuple[str, int, int, float]]:
        return (type(self), (self.message, self.code, self.status, self.retry_after_s))


class StackError(OverroundError):
    """The local stack could not be started or stopped."""
