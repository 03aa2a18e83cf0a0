"""What every command of the console has in common: its settings file, and how much it logs."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from deploy.attach import attached_settings
from pipelines.errors import StackError
from pipelines.settings import Settings, load_settings

__all__ = ["SettingsFile", "command_settings", "kafka_settings"]

SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", help="TOML file; environment variables go before it."),
]


def command_settings(file: Path | None) -> Settings:
    """Return the settings of a command; its log is for people."""
    settings = load_settings(file=file)
    # What is printed is for people; INFO of the parts would drown it.
    level = "DEBUG" if settings.log_level == "DEBUG" else "WARNING"
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    return settings


def kafka_settings(file: Path | None) -> Settings:
    """Return settings that name a Kafka: the local system's, or one's own. Raises StackError."""
    found, _ = attached_settings(command_settings(file))
    if not found.kafka_bootstrap_servers:
        raise StackError("no system runs here: start one, or set KAFKA_BOOTSTRAP_SERVERS")
    return found
