"""Connection keys: by its key a client resumes, recovers, polls, or publishes for a connection.

A key reads `SERVER!CONNECTION-HANDLE`. Clients tell by the middle whether a new key is of the
connection that they had; some read it up to the first hyphen, others between the exclamation mark
and the last hyphen, so that there is one of each.
"""

from typing import Final

__all__ = ["id_in_key", "key_of"]

SERVER: Final = "edge"


def key_of(connection_id: str, secret: str) -> str:
    """Return the key of a connection with a secret as its handle; both URL-safe text."""
    return f"{SERVER}!{connection_id}-{secret.replace('-', 'x')}"


def id_in_key(key: str) -> str:
    """Return the id of the connection that a key is of, "" where it is no key."""
    return key.partition("!")[2].partition("-")[0]
