"""Lines over time as a small SVG, without a plotting library."""

from collections.abc import Mapping, Sequence
from pathlib import Path

WIDTH, HEIGHT, LEFT, TOP = 668, 260, 84, 24
COLOURS = ("#0a6cc9", "#d2491c", "#2c8a3d", "#8a3ab9", "#b58900", "#107c8c", "#c2186b", "#555555")
LABEL_PX = 13


def chart(title: str, unit: str, lines: Mapping[str, Sequence[tuple[float, float]]]) -> str:
    """One picture; each line is points of (seconds, value), drawn on one scale from zero."""
    points = [point for line in lines.values() for point in line]
    last_s = max((at for at, _ in points), default=1.0) or 1.0
    most = max((value for _, value in points), default=1.0) or 1.0
    right, low = WIDTH - 150, HEIGHT - 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="14" font-weight="bold">{title}</text>',
        f'<path d="M{LEFT} {TOP}V{low}H{right}" fill="none" stroke="#888"/>',
        f'<text x="{LEFT - 4}" y="{TOP + 8}" text-anchor="end">{most:,.0f} {unit}</text>',
        f'<text x="{LEFT - 4}" y="{low}" text-anchor="end">0</text>',
        f'<text x="{right}" y="{low + 16}" text-anchor="end">{last_s / 60:.1f} min</text>',
    ]
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(
            f"{LEFT + (right - LEFT) * at / last_s:.1f},{low - (low - TOP) * value / most:.1f}"
            for at, value in line
        )
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}"/>')
        parts.append(
            f'<text x="{right + 8}" y="{TOP + 10 + LABEL_PX * number}" '
            f'fill="{colour}">{name}</text>'
        )
    return "".join([*parts, "</svg>\n"])


def write(file: Path, pictures: Sequence[str]) -> None:
    """Put pictures below each other into one SVG file."""
    inner = "".join(
        picture.replace("<svg ", f'<svg y="{HEIGHT * number}" width="{WIDTH}" height="{HEIGHT}" ')
        for number, picture in enumerate(pictures)
    )
    file.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} '
        f'{HEIGHT * len(pictures)}">{inner}</svg>\n'
    )
