"""A home of its own for a Ray that a test starts, which is gone when it ends."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

__all__ = ["ray_home"]

GONE_S = 1.0
GONE_MAX_S = 15.0


@contextmanager
def ray_home(**more: str) -> Iterator[str]:
    """Yield a folder for all that Ray and its children write; `more`: further variables."""
    home = tempfile.mkdtemp(prefix="ovr-")
    environment = {
        "HOME": home,
        "TMPDIR": home,
        "RAY_TMPDIR": home,
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
    } | more
    with mock.patch.dict(os.environ, environment):
        try:
            yield home
        finally:
            _remove(Path(home))


def _remove(folder: Path) -> None:
    """Remove a folder until it stays away: the last of Ray's processes may write once more."""
    deadline_s = time.monotonic() + GONE_MAX_S
    while folder.exists() and time.monotonic() < deadline_s:
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(GONE_S)
