"""The edge's API keys: one file, readable by its owner only; secrets are never printed.

An app has an id and keys; a key is `<app>.<name>:<secret>`, as Ably's are.
"""

import hmac
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipelines.errors import StackError

__all__ = ["EdgeKeys", "Key"]

FILE_MODE: Final = 0o600


@dataclass(frozen=True, slots=True)
class Key:
    """One API key: `name` is `<app>.<id>`, `capability` is Ably's JSON text."""

    name: str
    secret: str
    capability: str = '{"*":["*"]}'
    revocable: bool = False

    def has_secret(self, secret: str) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self.secret.encode(), secret.encode())

    @property
    def text(self) -> str:
        return f"{self.name}:{self.secret}"


@dataclass(frozen=True, slots=True)
class EdgeKeys:
    """The keys of the edge's one standing app; the first is the backend's."""

    app_id: str
    keys: tuple[Key, ...]
    #: Channel rules, as Ably's control interface writes them.
    namespaces: tuple[dict[str, Any], ...] = ()
    #: Integration rules, written likewise.
    rules: tuple[dict[str, Any], ...] = ()

    @property
    def backend_key(self) -> str:
        """The key that publisher and notifier use: `app.name:secret`."""
        return self.keys[0].text

    @classmethod
    def load(cls, file: Path) -> "EdgeKeys":
        """Read the file. Raises StackError with what to do."""
        try:
            found = json.loads(file.read_text())
            keys = tuple(Key(**key) for key in found["keys"])
            app_id = found["app_id"]
            namespaces = tuple(dict(one) for one in found.get("namespaces", ()))
            rules = tuple(dict(one) for one in found.get("rules", ()))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StackError(f"the edge's key file {file} cannot be read: {error}") from error
        if not keys or not all(key.name.startswith(f"{app_id}.") and key.secret for key in keys):
            raise StackError(f"the edge's key file {file} holds no key of app {app_id!r}")
        return cls(app_id, keys, namespaces, rules)

    @classmethod
    def load_or_create(cls, file: Path, random_text: Callable[[int], str]) -> "EdgeKeys":
        """Read the file, or write one with a fresh key; `random_text(n)` of n random bytes."""
        if file.exists():
            return cls.load(file)
        app_id = _letters(random_text(9))[:6]
        made = cls(app_id, (Key(f"{app_id}.{_letters(random_text(9))[:6]}", random_text(24)),))
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_name(file.name + ".new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, FILE_MODE)
        with os.fdopen(descriptor, "w") as out:
            keys = [
                {"name": key.name, "secret": key.secret, "capability": key.capability}
                for key in made.keys
            ]
            json.dump({"app_id": app_id, "keys": keys}, out, indent=2)
        draft.replace(file)
        return made


def _letters(text: str) -> str:
    return text.replace("-", "x").replace("_", "y")
