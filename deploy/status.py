"""The actors as an operator wants to see them: a table for eyes, the same as JSON for machines."""

from typing import Any

from rich.console import JustifyMethod
from rich.markup import escape
from rich.table import Table
from rich.text import Text

__all__ = ["render_status"]

COLUMNS = (
    "actor",
    "state",
    "bets\nnext",
    "events\nnext",
    "journal",
    "open\nbets",
    "lag",
    "restarts",
    "pid",
    "note",
)
COLOURS = {"well": "green", "stalled": "red", "silent": "red", "fenced": "yellow"}


def render_status(overview: dict[str, Any]) -> Table:
    """Return one row an actor: state, positions, lag, restarts, last error."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    rows = [_row(actor) for actor in overview["actors"]]
    # A name or number that is cut says nothing, or something else: notes give way.
    columns = COLUMNS if any(row[-1] for row in rows) else COLUMNS[:-1]
    for at, name in enumerate(columns):
        longest = max((len(Text.from_markup(row[at])) for row in rows), default=0)
        justify: JustifyMethod = "left" if name in ("actor", "state", "note") else "right"
        table.add_column(name, justify=justify, min_width=0 if name == "note" else longest)
    for row in rows:
        table.add_row(*row[: len(columns)])
    return table


def _row(actor: dict[str, Any]) -> list[str]:
    health = actor["health"] or {}
    status = health.get("status") or {}
    lag = status.get("lag")
    waiting = sum(lag.values()) if isinstance(lag, dict) else None
    state = status.get("state") or health.get("state") or "starting"
    colour = COLOURS.get(actor["verdict"], "white")
    note = actor["why"] or health.get("error") or status.get("last_error") or ""
    return [
        actor["name"],
        f"[{colour}]{state}[/]",
        *(_number(status.get(k)) for k in ("bets_next", "events_next", "shard_seq")),
        _number(status.get("open_bets")),
        _number(waiting),
        str(actor["restarts"]),
        str(health.get("pid") or ""),
        escape(str(note)[:60]),
    ]


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else ""
