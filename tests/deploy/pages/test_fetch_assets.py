"""The pages' third-party scripts: locked exactly, and npm is found on a machine without Node.js."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.pages import fetch_assets

PAGES = Path(fetch_assets.__file__).parent


def test_versions_are_exact_and_locked_with_checksums() -> None:
    wanted = json.loads((PAGES / "package.json").read_text())["dependencies"]
    locked = json.loads((PAGES / "package-lock.json").read_text())["packages"]
    for name, version in wanted.items():
        assert locked[f"node_modules/{name}"]["version"] == version
    for path, package in locked.items():
        if path:
            assert package["integrity"].startswith("sha512-")
            assert "resolved" not in package, "a lock file names no registry"


def test_every_asset_comes_from_a_locked_package() -> None:
    wanted = json.loads((PAGES / "package.json").read_text())["dependencies"]
    for source in fetch_assets.ASSETS:
        assert any(source.startswith(f"{name}/") for name in wanted)


def test_npm_of_the_python_package_serves_where_the_path_has_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    npm, environment = fetch_assets._find_npm()
    answer = subprocess.run(
        [npm, "--version"], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert int(answer.stdout.split(".")[0]) >= 10


def test_without_any_npm_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(SystemExit, match=r"install Node\.js, or run: pip install"):
        fetch_assets.fetch_assets(tmp_path)
