"""Ray's token: made once, for its owner only, and found where Ray looks."""

import os
from pathlib import Path
from unittest import mock

import pytest
from ray._raylet import Config  # type: ignore[attr-defined]  # compiled, without stubs

from deploy.local import ray_token


@pytest.fixture(autouse=True)
def environment(tmp_path: Path) -> object:
    with mock.patch.dict(os.environ, {"HOME": str(tmp_path)}):
        for name in (ray_token.MODE, ray_token.TOKEN, ray_token.TOKEN_PATH):
            os.environ.pop(name, None)
        yield
    Config.initialize("")


def test_it_is_made_once_and_is_its_owners(tmp_path: Path) -> None:
    file = ray_token.ensure_token_file(tmp_path)
    made = file.read_text()
    assert len(bytes.fromhex(made)) == ray_token.TOKEN_BYTES
    assert file.stat().st_mode & 0o777 == 0o600
    assert ray_token.ensure_token_file(tmp_path).read_text() == made
    assert [one.name for one in tmp_path.iterdir()] == [file.name]
    other = tmp_path / "other"
    other.mkdir()
    assert ray_token.ensure_token_file(other).read_text() != made


def test_a_file_is_shown_unless_told_otherwise(tmp_path: Path) -> None:
    ray_token.use_token_file(tmp_path / "token")
    assert os.environ[ray_token.MODE] == "token"
    assert os.environ[ray_token.TOKEN_PATH] == str(tmp_path / "token")
    os.environ[ray_token.MODE] = "disabled"
    del os.environ[ray_token.TOKEN_PATH]
    ray_token.use_token_file(tmp_path / "token")
    assert os.environ[ray_token.MODE] == "disabled"
    assert ray_token.TOKEN_PATH not in os.environ


@pytest.mark.parametrize("where", ["environment", "path", "home", "nowhere"])
def test_a_cluster_is_shown_the_token_that_ray_would_find(tmp_path: Path, where: str) -> None:
    if where == "environment":
        os.environ[ray_token.TOKEN] = "ab" * 32
    elif where == "path":
        os.environ[ray_token.TOKEN_PATH] = str(tmp_path / "token")
    elif where == "home":
        (tmp_path / ".ray").mkdir()
        (tmp_path / ".ray/auth_token").write_text("ab" * 32)
    assert ray_token.find_token() is (where != "nowhere")
    assert os.environ[ray_token.MODE] == ("disabled" if where == "nowhere" else "token")
