"""How every Kafka client of the product reaches its brokers, encrypted and signed in where told.

`KAFKA_CLIENT_PROPERTIES` names a file of librdkafka properties, one `name=value` a line, such as
`security.protocol=SASL_SSL`. It is read wherever a client is made, on each node from its own disk,
so that no secret travels with an actor; a secret that is mounted there is enough.
"""

import os
from functools import cache
from pathlib import Path
from typing import Final

from pipelines.errors import SettingsError

__all__ = ["VARIABLE", "kafka_address"]

VARIABLE: Final = "KAFKA_CLIENT_PROPERTIES"
#: Nothing else may be set there: the rest is what the engine's promises rest on.
_ALLOWED: Final = ("security.", "sasl.", "ssl.", "enable.sasl.", "enable.ssl.", "client.rack")


def kafka_address(bootstrap_servers: str) -> dict[str, str | int | float | bool]:
    """Return the properties that a client begins with. Raises SettingsError."""
    file = os.environ.get(VARIABLE, "")
    return {"bootstrap.servers": bootstrap_servers, **(_properties(file) if file else {})}


@cache
def _properties(file: str) -> dict[str, str]:
    try:
        lines = Path(file).read_text().splitlines()
    except OSError as error:
        raise SettingsError(f"{VARIABLE}: {file} could not be read: {error}") from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name.startswith(_ALLOWED):
            allowed = ", ".join(f"{one}*" if one.endswith(".") else one for one in _ALLOWED)
            raise SettingsError(
                f"{VARIABLE}: line {number} of {file} must be one of {allowed}, as name=value"
            )
        found[name] = value.strip()
    return found
