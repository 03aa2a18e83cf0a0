"""Starts the edge alone: `python -m deploy.edge --port 8880 --keys-file edge-keys.json`."""

import sys

import typer

from deploy.edge.command import edge_command
from pipelines.errors import OverroundError

if __name__ == "__main__":
    try:
        typer.run(edge_command)
    except OverroundError as error:
        print(f"edge: {error.message}", file=sys.stderr)
        sys.exit(1)
