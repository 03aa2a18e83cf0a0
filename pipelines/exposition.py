"""Merges several Prometheus texts into one: each family once, its samples together."""

from collections.abc import Mapping, Sequence

__all__ = ["merge"]

UP_HEAD = (
    "# HELP overround_actor_up Whether the actor answered the scrape.\n"
    "# TYPE overround_actor_up gauge\n"
)


def merge(texts: Sequence[bytes], up: Mapping[str, int]) -> bytes:
    """Return one text: families in order of first sight, then who answered.

    Families of the same name must agree in type; their series must differ in labels.
    """
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for text in texts:
        family = ""
        for line in text.decode().splitlines():
            if line.startswith("# "):
                name = line.split(" ", 3)[2]
                if name != family:
                    family = name
                    known = family in heads
                    heads.setdefault(family, [])
                    samples.setdefault(family, [])
                if not known:
                    heads[family].append(line)
            elif line:
                samples.setdefault(family, []).append(line)
    parts: list[str] = []
    for family, lines in samples.items():
        parts += heads.get(family, ())
        parts += lines
    merged = "\n".join(parts) + "\n" if parts else ""
    rows = "".join(f'overround_actor_up{{actor="{name}"}} {value}\n' for name, value in up.items())
    return (merged + (UP_HEAD + rows if rows else "")).encode()
