"""The page's files need no inline script, no markup from data and no other host."""

import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[2] / "deploy/pages/static"
OWN = sorted(p for p in STATIC.iterdir() if p.suffix in {".html", ".css", ".js", ".svg"})
SVG_NAMESPACE = "http://www.w3.org/2000/svg"


def test_there_is_a_page() -> None:
    assert {"index.html", "bettor.css", "bettor.js"} <= {path.name for path in OWN}


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_no_other_host_is_asked(path: Path) -> None:
    text = path.read_text().replace(SVG_NAMESPACE, "")
    assert not re.search(r"(?:https?|wss?):?//|url\(|@import", text)


@pytest.mark.parametrize("path", [p for p in OWN if p.suffix == ".js"], ids=lambda path: path.name)
def test_data_never_becomes_markup_or_code(path: Path) -> None:
    found = re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function",
        path.read_text(),
    )
    assert found is None


def test_a_strict_content_security_policy_suits_the_page() -> None:
    html = (STATIC / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|javascript:", html)
    assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", html))


def test_every_element_that_the_scripts_ask_for_is_on_the_page() -> None:
    html = (STATIC / "index.html").read_text()
    ids = re.findall(r'\sid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    asked = {
        name
        for path in OWN
        if path.suffix == ".js"
        for name in re.findall(r'byId\("([^"]+)"\)', path.read_text())
    }
    assert asked <= set(ids)
