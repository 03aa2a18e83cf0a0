"""Ray's token: without it nobody who reaches Ray's ports may ask anything of it, or run code in it.

`overround run` makes one, beside its data, readable by its owner only; commands that join the
running system read it there. On a cluster it is the cluster's own, where Ray itself looks for it.
"""

import os
import secrets
from pathlib import Path
from typing import Final

__all__ = ["MODE", "ensure_token_file", "find_token", "use_token_file"]

MODE: Final = "RAY_AUTH_MODE"
TOKEN: Final = "RAY_AUTH_TOKEN"  # noqa: S105 - the name of a variable
TOKEN_PATH: Final = "RAY_AUTH_TOKEN_PATH"  # noqa: S105 - likewise
NAME: Final = "ray-token"
TOKEN_BYTES: Final = 32


def ensure_token_file(data_dir: Path) -> Path:
    """Return the file with the token of the system in a data folder; made once and kept."""
    file = data_dir / NAME
    if not file.exists():
        part = file.with_suffix(".part")
        part.unlink(missing_ok=True)
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secrets.token_hex(TOKEN_BYTES))
        os.replace(part, file)
    return file


def use_token_file(file: Path) -> None:
    """Let this process, and what it starts, show the token of a file; unless told otherwise."""
    if os.environ.setdefault(MODE, "token") == "token":
        os.environ.setdefault(TOKEN_PATH, str(file))
    _tell_ray()


def find_token() -> bool:
    """Show a cluster the token that is where Ray looks for it; return whether there is one.

    Without one, and unless told otherwise, none is shown.
    """
    home = Path.home() / ".ray" / "auth_token"
    found = bool(os.environ.get(TOKEN) or os.environ.get(TOKEN_PATH)) or home.exists()
    os.environ.setdefault(MODE, "token" if found else "disabled")
    _tell_ray()
    return found


def _tell_ray() -> None:
    # It has read the environment by the time it is imported, which may be long ago.
    from ray._raylet import Config  # type: ignore[attr-defined]  # compiled, without stubs

    Config.initialize("")
