"""A VCDIFF encoder (RFC 3284): what changed between two payloads, for clients that ask for deltas.

One window over the whole source, the default code table, and neither checksum nor application
header, which not every decoder skips. Copies come from the source alone; what the two texts share
at both ends is found first, then blocks in between by their hash.
"""

from typing import Final

__all__ = ["encode"]

HEADER: Final = b"\xd6\xc3\xc4\x00\x00"
SOURCE_WINDOW: Final = b"\x01"
BLOCK: Final = 12  # bytes that must agree before a copy pays
STRIDE: Final = 4
NEAR: Final = 4
SAME: Final = 3
COPY_MIN: Final = 4


def encode(source: bytes, target: bytes) -> bytes:
    """Return a delta from which a decoder makes `target`, given `source`."""
    body = _Window(len(source))
    for is_copy, start, size in _plan(source, target):
        if is_copy:
            body.copy(start, size)
        else:
            body.add(target[start : start + size])
    return body.finish(len(source), len(target))


def _plan(source: bytes, target: bytes) -> list[tuple[bool, int, int]]:
    """Return steps (copy from source?, start, size) that make the target."""
    prefix = _common(source, target)
    room = min(len(source), len(target)) - prefix
    suffix = min(_common_end(source, target), room)
    steps: list[tuple[bool, int, int]] = []
    if prefix:
        steps.append((True, 0, prefix))
    _middle(source, target, prefix, len(target) - suffix, steps)
    if suffix:
        steps.append((True, len(source) - suffix, suffix))
    at = 0
    for index, (is_copy, _, size) in enumerate(steps):
        if is_copy and size < COPY_MIN:  # shorter than its own instruction
            steps[index] = (False, at, size)
        at += size
    return steps


def _middle(
    source: bytes, target: bytes, start: int, end: int, steps: list[tuple[bool, int, int]]
) -> None:
    """Find what the target's inner part shares with the source, from left to right."""
    blocks: dict[bytes, int] = {}
    if end - start >= BLOCK:
        for at in range(0, len(source) - BLOCK + 1, STRIDE):
            blocks.setdefault(source[at : at + BLOCK], at)
    pending, at = start, start
    while at + BLOCK <= end:
        found = blocks.get(target[at : at + BLOCK])
        if found is None:
            at += 1
            continue
        # Backwards into what would have been added, then forwards as far as it goes.
        while at > pending and found > 0 and target[at - 1] == source[found - 1]:
            at, found = at - 1, found - 1
        size = _common(source[found:], target[at:end])
        if at > pending:
            steps.append((False, pending, at - pending))
        steps.append((True, found, size))
        at += size
        pending = at
    if end > pending:
        steps.append((False, pending, end - pending))


def _common(one: bytes, other: bytes) -> int:
    """Return how many first bytes are the same; compares by halves, as slices are fast."""
    low, high = 0, min(len(one), len(other))
    if one[:high] == other[:high]:
        return high
    while high - low > 1:
        half = (low + high) // 2
        if one[low:half] == other[low:half]:
            low = half
        else:
            high = half
    return low


def _common_end(one: bytes, other: bytes) -> int:
    return _common(one[::-1], other[::-1])


class _Window:
    """The three sections of one window, and the caches of copy addresses."""

    def __init__(self, source_size: int) -> None:
        self._data = bytearray()
        self._instructions = bytearray()
        self._addresses = bytearray()
        self._source_size = source_size
        self._written = 0
        self._near = [0] * NEAR
        self._next_near = 0
        self._same = [0] * (SAME * 256)

    def add(self, raw: bytes) -> None:
        size = len(raw)
        if size <= 17:
            self._instructions.append(1 + size)
        else:
            self._instructions.append(1)
            self._instructions += _number(size)
        self._data += raw
        self._written += size

    def copy(self, address: int, size: int) -> None:
        mode, coded = self._address(address)
        first = 19 + 16 * mode
        if COPY_MIN <= size <= 18:
            self._instructions.append(first + size - 3)
        else:
            self._instructions.append(first)
            self._instructions += _number(size)
        self._addresses += coded
        self._written += size

    def _address(self, address: int) -> tuple[int, bytes]:
        """Return the cheapest of the ways to name an address, and note it as the decoder will."""
        slot = address % (SAME * 256)
        if self._same[slot] == address:
            best = (2 + NEAR + slot // 256, bytes((slot % 256,)))
        else:
            best = (0, _number(address))
            here = _number(self._source_size + self._written - address)
            if len(here) < len(best[1]):
                best = (1, here)
            for index, near in enumerate(self._near):
                if address >= near and len(coded := _number(address - near)) < len(best[1]):
                    best = (2 + index, coded)
        self._near[self._next_near] = address
        self._next_near = (self._next_near + 1) % NEAR
        self._same[slot] = address
        return best

    def finish(self, source_size: int, target_size: int) -> bytes:
        sizes = b"".join(
            _number(len(part)) for part in (self._data, self._instructions, self._addresses)
        )
        inner = b"".join(
            (
                _number(target_size),
                b"\x00",
                sizes,
                self._data,
                self._instructions,
                self._addresses,
            )
        )
        window = SOURCE_WINDOW + _number(source_size) + b"\x00" if source_size else b"\x00"
        return HEADER + window + _number(len(inner)) + inner


def _number(value: int) -> bytes:
    """Write a whole number: base 128, most significant first, the top bit says that more follow."""
    coded = bytes((value & 127,))
    value >>= 7
    while value:
        coded = bytes((value & 127 | 128,)) + coded
        value >>= 7
    return coded
