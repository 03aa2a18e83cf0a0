"""`overround decide`: the pure core over a file of records, without Kafka; docs/messages.md.

Prints a JSON object a line: each journal entry, then the odds images of the markets that changed,
as each line of the input is decided. A bad line ends it with exit code 2; lines decided before it
have been printed.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import msgspec

from pipelines.dry_run import LINE_BYTES_MAX, DryRun
from pipelines.errors import CodecError

__all__ = ["decide_command"]

BAD_INPUT = 2


def decide_command(file: str, until_idle: bool, state_hash: bool) -> int:
    """Decide the records of a file, `-` for standard input; return the exit code.

    0: all lines were decided; 2: the file or a line could not be read, which stderr names.
    """
    name = "standard input" if file == "-" else file
    try:
        with _opened(file) as source:
            _decide(source, until_idle, state_hash)
    except CodecError as error:
        sys.stdout.flush()
        print(f"overround: {name}, {error.message}", file=sys.stderr)
        return BAD_INPUT
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        sys.stderr.close()
        return 0
    except OSError as error:
        print(f"overround: {name} could not be read: {error.strerror}", file=sys.stderr)
        return BAD_INPUT
    return 0


@contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    if file == "-":
        yield sys.stdin.buffer
        return
    with open(file, "rb") as source:
        yield source


def _decide(source: IO[bytes], until_idle: bool, state_hash: bool) -> None:
    run = DryRun()
    _print(run.lines(_lines(source)))
    if until_idle:
        _print(run.until_idle())
    if state_hash:
        _print([run.hash_object()])


def _lines(source: IO[bytes]) -> Iterator[bytes]:
    while line := source.readline(LINE_BYTES_MAX + 2):
        yield line


def _print(objects: Iterable[dict[str, Any]]) -> None:
    write = sys.stdout.write
    for one in objects:
        write(msgspec.json.encode(one).decode() + "\n")
    sys.stdout.flush()
