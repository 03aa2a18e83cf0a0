"""Draws the restore's two tables: seconds by open bets, and by settled history, as one SVG."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

WIDTH, HEIGHT, LEFT, LOW, TOP = 480, 240, 50, 200, 40
COLOURS = (("folded from the journal", "#0a6cc9"), ("from a snapshot", "#d2491c"))


class Restored(NamedTuple):
    """One measured point: bets, and seconds of a restore without and with a snapshot."""

    bets: int
    folded_s: float
    snapshot_s: float


def draw(open_bets: Sequence[Restored], settled: Sequence[Restored], file: Path) -> None:
    """Write both pictures, side by side, on one scale of seconds."""
    longest_s = max(row.folded_s for row in (*open_bets, *settled))
    pictures = (
        _panel("restore (s) by open bets, no history", open_bets, longest_s),
        _panel("restore (s) by bets settled before, 10,000 open", settled, longest_s),
    )
    inner = "".join(
        f'<svg x="{WIDTH * number}" width="{WIDTH}" height="{HEIGHT}">{picture}</svg>'
        for number, picture in enumerate(pictures)
    )
    file.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="11"><rect width="{2 * WIDTH}" height="{HEIGHT}" '
        f'fill="#fff"/>{inner}</svg>\n'
    )


def _panel(title: str, rows: Sequence[Restored], longest_s: float) -> str:
    most = max(row.bets for row in rows)
    parts = [
        f'<text x="{LEFT}" y="14" font-weight="bold">{title}</text>',
        f'<path d="M{LEFT} {TOP}V{LOW}H{WIDTH - 20}" fill="none" stroke="#888"/>',
    ]
    for number, (name, colour) in enumerate(COLOURS):
        points = [
            (LEFT + (WIDTH - 80) * row.bets / most, LOW - (LOW - TOP) * row[1 + number] / longest_s)
            for row in rows
        ]
        line = " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}"/>')
        for (x, y), row in zip(points, rows, strict=True):
            parts.append(
                f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="{colour}"/>'
                f'<text x="{x:.0f}" y="{y - 6:.0f}" text-anchor="middle" fill="{colour}">'
                f"{row[1 + number]:.2f}</text>"
            )
        parts.append(f'<text x="{LEFT + 8 + 170 * number}" y="30" fill="{colour}">{name}</text>')
    for row in rows:
        x = LEFT + (WIDTH - 80) * row.bets / most
        parts.append(f'<text x="{x:.0f}" y="{LOW + 16}" text-anchor="middle">{row.bets:,}</text>')
    return "".join(parts)
