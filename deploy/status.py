"""The actors as an operator wants to see them: a table for eyes, the same as JSON for machines."""

from typing import Any

from rich.table import Table

__all__ = ["render_status"]

COLOURS = {"well": "green", "stalled": "red", "silent": "red", "fenced": "yellow"}


def render_status(overview: dict[str, Any]) -> Table:
    """Return one row an actor: state, positions, lag, restarts, last error."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    # A name that is cut says nothing: narrow screens take their room from the others.
    longest = max((len(actor["name"]) for actor in overview["actors"]), default=0)
    table.add_column("actor", min_width=longest)
    for name in ("state", "bets next", "events next", "journal", "open bets", "lag"):
        table.add_column(name, justify="left" if name == "state" else "right")
    table.add_column("restarts", justify="right")
    table.add_column("pid", justify="right")
    table.add_column("note")
    for actor in overview["actors"]:
        health = actor["health"] or {}
        status = health.get("status") or {}
        lag = status.get("lag")
        waiting = sum(lag.values()) if isinstance(lag, dict) else None
        state = status.get("state") or health.get("state") or "starting"
        colour = COLOURS.get(actor["verdict"], "white")
        note = actor["why"] or health.get("error") or status.get("last_error") or ""
        table.add_row(
            actor["name"],
            f"[{colour}]{state}[/]",
            *(_number(status.get(k)) for k in ("bets_next", "events_next", "shard_seq")),
            _number(status.get("open_bets")),
            _number(waiting),
            str(actor["restarts"]),
            str(health.get("pid") or ""),
            str(note)[:60],
        )
    return table


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else ""
