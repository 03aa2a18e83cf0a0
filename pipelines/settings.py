"""All settings in one immutable object: defaults, then an optional TOML file, then environment.

Every field has an environment variable: OVERROUND_ and the field's name in capitals; the ones that
users of Kafka, Ably and Ray know already go by their own names. All problems are reported at once.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from math import lcm
from pathlib import Path
from typing import Final

from pipelines.errors import SettingsError

__all__ = ["Settings", "load_settings"]

WELL_KNOWN: Final = {
    "kafka_bootstrap_servers": "KAFKA_BOOTSTRAP_SERVERS",
    "ably_api_key": "ABLY_API_KEY",
    "ray_address": "RAY_ADDRESS",
}
SECRETS: Final = frozenset({"ably_api_key"})


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set. Empty addresses mean: the local stack starts its own."""

    application: str = "overround"  # prefix of transactional ids and consumer groups
    data_dir: str = ".overround"
    kafka_bootstrap_servers: str = ""
    kafka_port: int = 19092
    kafka_controller_port: int = 19093
    ably_api_key: str = ""
    ably_url: str = ""  # REST base; empty: the local edge, or Ably's cloud where a key is given
    edge_port: int = 8880
    ray_address: str = ""
    ray_dashboard_port: int = 8265
    metrics_host: str = "127.0.0.1"  # 0.0.0.0 where Prometheus scrapes from another machine
    metrics_port: int = 9464
    partitions: int = 6
    replication_factor: int = 1
    publishers: int = 1  # they deal the partitions out among them: N take every Nth
    notifiers: int = 1  # likewise
    standbys: int = 0  # 1: a second copy of each shard folds its journal and takes over at once
    snapshot_records: int = 200_000  # journal records between a partition's snapshots; 0: none
    transaction_records_max: int = 2_000
    transaction_timeout_ms: int = 10_000
    poll_timeout_s: float = 0.002
    odds_interval_ms: int = 25  # least time between two images of a market at the edge
    bettors: int = 20
    bets_per_second: int = 20
    log_level: str = "INFO"

    @property
    def lanes(self) -> int:
        """Partitions whose numbers differ by a multiple of this share publisher and notifier."""
        return lcm(self.publishers, self.notifiers)

    def validated(self) -> "Settings":
        """Return self, or raise SettingsError with every problem found."""
        problems = list(_problems(self))
        if problems:
            raise SettingsError("settings cannot work:\n" + "\n".join(f"  - {p}" for p in problems))
        return self

    def shown(self) -> dict[str, object]:
        """All values for a log or a screen, secrets hidden."""
        return {
            f.name: (
                "***" if f.name in SECRETS and getattr(self, f.name) else getattr(self, f.name)
            )
            for f in fields(self)
        }


def _problems(settings: Settings) -> list[str]:
    found: list[str] = []
    ports = (
        "kafka_port",
        "kafka_controller_port",
        "edge_port",
        "ray_dashboard_port",
        "metrics_port",
    )
    found += [
        f"{name} must be a port from 1 to 65535, was {getattr(settings, name)}"
        for name in ports
        if not 1 <= getattr(settings, name) <= 65535
    ]
    values = [getattr(settings, name) for name in ports]
    if len(set(values)) != len(values):
        found.append(f"ports must differ: {', '.join(ports)}")
    at_least_one = (
        "partitions",
        "publishers",
        "notifiers",
        "replication_factor",
        "transaction_records_max",
        "odds_interval_ms",
        "bettors",
    )
    found += [
        f"{name} must be at least 1, was {getattr(settings, name)}"
        for name in at_least_one
        if getattr(settings, name) < 1
    ]
    if settings.standbys not in (0, 1):
        found.append(f"standbys must be 0 or 1, was {settings.standbys}")
    if settings.snapshot_records < 0:
        found.append(f"snapshot_records must not be negative, was {settings.snapshot_records}")
    for name in ("publishers", "notifiers"):
        if getattr(settings, name) > max(settings.partitions, 1):
            found.append(
                f"{name} must be at most one a partition, was {getattr(settings, name)} "
                f"for {settings.partitions}"
            )
    if settings.partitions > 1_000:
        found.append(f"partitions must be at most 1000, was {settings.partitions}")
    if not 1_000 <= settings.transaction_timeout_ms <= 900_000:
        found.append(
            f"transaction_timeout_ms must be 1000 to 900000, was {settings.transaction_timeout_ms}"
        )
    if not 0 < settings.poll_timeout_s <= 1:
        found.append(f"poll_timeout_s must be above 0, at most 1, was {settings.poll_timeout_s}")
    if settings.bets_per_second < 0:
        found.append(f"bets_per_second must not be negative, was {settings.bets_per_second}")
    if settings.log_level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        found.append(f"log_level must be DEBUG, INFO, WARNING or ERROR, was {settings.log_level}")
    if not settings.application.replace("-", "").replace("_", "").isalnum():
        found.append(f"application must be letters, digits, - and _, was {settings.application!r}")
    if settings.ably_api_key and settings.ably_api_key.count(":") != 1:
        found.append("ably_api_key must have the form app.key:secret")
    return found


def load_settings(
    environment: Mapping[str, str] | None = None, file: Path | None = None
) -> Settings:
    """Read the settings. Raises SettingsError that lists all problems."""
    environment = os.environ if environment is None else environment
    file = file or (Path(p) if (p := environment.get("OVERROUND_SETTINGS")) else None)
    raw: dict[str, object] = {}
    problems: list[str] = []
    if file is not None:
        try:
            raw.update(tomllib.loads(file.read_text()))
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise SettingsError(f"settings file {file} could not be read: {error}") from error
    known: dict[str, type] = {f.name: type(getattr(Settings(), f.name)) for f in fields(Settings)}
    problems += [f"{name} in {file} is no setting" for name in raw if name not in known]
    for name in known:
        for variable in (f"OVERROUND_{name.upper()}", WELL_KNOWN.get(name, "")):
            if environment.get(variable):
                raw[name] = environment[variable]
    values: dict[str, object] = {}
    for name, value in raw.items():
        if name not in known:
            continue
        try:
            # From a file a value comes with its type: 1.5 or true is no count.
            if not isinstance(value, str) and type(value) not in (known[name], int):
                raise TypeError
            values[name] = known[name](value)
        except (TypeError, ValueError):
            problems.append(f"{name} must be {known[name].__name__}, was {value!r}")
    settings = replace(Settings(), **values)  # type: ignore[arg-type]
    problems += _problems(settings)
    if problems:
        raise SettingsError("settings cannot work:\n" + "\n".join(f"  - {p}" for p in problems))
    return settings
