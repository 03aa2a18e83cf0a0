"""Writes the output of each example in docs/messages.md anew: `python -m tests.docs.rewrite`.

Look at the difference before it is kept: the page is a promise to those who read the topics.
"""

import re
from pathlib import Path
from typing import Final

import msgspec

from pipelines.dry_run import DryRun

__all__ = ["EXAMPLE", "PAGE", "rewritten"]

PAGE: Final = Path(__file__).parents[2] / "docs" / "messages.md"
#: Options, input and output of an example.
EXAMPLE: Final = re.compile(
    r"^```jsonl in([^\n]*)\n(.*?)^```\n\n```jsonl out\n(.*?)^```", re.M | re.S
)


def rewritten(text: str) -> str:
    """Return the page with the output that its inputs give now."""
    return EXAMPLE.sub(_one, text)


def _one(match: re.Match[str]) -> str:
    run = DryRun()
    objects = list(run.lines(match[2].encode().splitlines()))
    if "--until-idle" in match[1]:
        objects += run.until_idle()
    if "--hash" in match[1]:
        objects.append(run.hash_object())
    lines = "".join(msgspec.json.encode(one).decode() + "\n" for one in objects)
    return f"```jsonl in{match[1]}\n{match[2]}```\n\n```jsonl out\n{lines}```"


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text()))
