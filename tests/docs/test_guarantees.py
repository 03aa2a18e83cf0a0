"""docs/guarantees.md names tests that exist, docs/operations.md alerts and commands."""

import re
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from deploy.cli import application

ROOT = Path(__file__).parents[2]
GUARANTEES = (ROOT / "docs/guarantees.md").read_text()
OPERATIONS = (ROOT / "docs/operations.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", GUARANTEES)))
ALERTS = [
    rule["alert"]
    for group in yaml.safe_load((ROOT / "deploy/alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]
COMMAND = get_command(application)


def test_every_promise_names_a_test() -> None:
    rows = [row for row in GUARANTEES.splitlines() if row.startswith("| ")][1:]
    assert len(rows) >= 15
    assert [row for row in rows if "`tests/" not in row] == []


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_a_named_test_exists(path: str, name: str) -> None:
    source = (ROOT / path).read_text()
    assert not name or name.startswith("test_"), "a helper shows nothing"
    wanted = rf"^ *def {name}\b" if name else r"^ *def test_|^Test\w+ = "
    assert re.search(wanted, source, re.M)


def test_every_alert_has_its_section_and_every_section_its_alert() -> None:
    sections = re.findall(r"^### (\w+)$", OPERATIONS, re.M)
    assert sections == ALERTS


@pytest.mark.parametrize("words", sorted(set(re.findall(r"`overround ([a-z][^`]*)`", OPERATIONS))))
def test_a_command_of_the_run_book_is_one(words: str) -> None:
    command: object = COMMAND
    for word in words.split():
        children = getattr(command, "commands", {})
        if not children:
            break
        assert word in children, f"{word} of overround {words}"
        command = children[word]
    options = {name for one in command.params for name in one.opts}  # type: ignore[attr-defined]
    assert set(re.findall(r"--[a-z-]+", words)) <= options


def test_links_lead_somewhere() -> None:
    for text in (GUARANTEES, OPERATIONS):
        for page, anchor in re.findall(r"\]\((\w+\.md)(?:#([\w-]+))?\)", text):
            target = (ROOT / "docs" / page).read_text()
            headings = {
                re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
                for heading in re.findall(r"^#+ (.+)$", target, re.M)
            }
            assert not anchor or anchor in headings, f"{page}#{anchor}"
