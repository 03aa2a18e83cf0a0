"""docs/deployment.md names commands, settings, ports and files that there are."""

import re
from pathlib import Path

import pytest
import yaml
from ray._private.ray_constants import DEFAULT_DASHBOARD_AGENT_LISTEN_PORT
from typer.main import get_command

from actors.options import actor_options
from deploy.cli import application
from pipelines.kafka.client_config import VARIABLE
from pipelines.settings import WELL_KNOWN, Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/deployment.md").read_text()
PORTS = PAGE.split("## Ports")[1].split("\n## ")[0]
COMMANDS = get_command(application)
STARTS = re.findall(r"^    (ray start .*)$", PAGE, re.M)


def manifest(name: str) -> str:
    return (ROOT / "deploy/kubernetes" / name).read_text()


def test_each_command_is_one() -> None:
    lines = re.findall(
        r"^    overround (.*)$|-- .*overround (\w.*)$|`overround ([^`]*)`", PAGE, re.M
    )
    named = ["".join(one) for one in lines]
    known = getattr(COMMANDS, "commands", {})
    assert {one.split()[0] for one in named} >= {"up", "down", "status", "audit", "run"}
    for words in named:
        allowed = {opt for one in known[words.split()[0]].params for opt in one.opts}
        assert set(re.findall(r"--[\w-]+", words)) <= allowed, words


def test_each_setting_is_one() -> None:
    known = {f"OVERROUND_{name.upper()}" for name in Settings.__slots__}
    known |= set(WELL_KNOWN.values()) | {VARIABLE}
    named = set(re.findall(r"\b(?:OVERROUND|KAFKA|ABLY)_[A-Z_]+\b", PAGE))
    assert len(named) >= 7
    assert named <= known


def test_files_and_links_are_there() -> None:
    files = set(re.findall(r"`((?:deploy|docs|pipelines|requirements)/[\w./-]+)`", PAGE))
    assert len(files) >= 4
    assert not [one for one in files if not (ROOT / one).exists()]
    assert (ROOT / "requirements/runtime.txt").exists()
    for page, anchor in re.findall(r"\]\(([\w.]*)(?:#([\w-]+))?\)", PAGE):
        text = (ROOT / "docs" / page).read_text() if page else PAGE
        headings = {
            re.sub(r"[^\w -]", "", one).lower().replace(" ", "-")
            for one in re.findall(r"^#+ (.+)$", text, re.M)
        }
        assert not anchor or anchor in headings, f"{page}#{anchor}"


def test_nodes_started_by_hand_are_those_of_the_cluster_file() -> None:
    written = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    head = " ".join(written["head_start_ray_commands"])
    by_hand = next(one for one in STARTS if "--head" in one)
    for word in by_hand.split()[2:]:
        assert word in head.split()
    checks = set(re.findall(r"RAY_health_check_\w+=\d+", head))
    assert checks == set(re.findall(r"RAY_health_check_\w+=\d+", PAGE))
    (label,) = actor_options("publisher")["label_selector"].items()
    assert any(f"--labels={'='.join(label)}" in one for one in STARTS)
    assert any('"shard": 12' in one for one in STARTS)
    # Ray hides this option from its help; it is there nevertheless.
    from ray.scripts.scripts import start

    options = {opt for one in start.params for opt in one.opts}
    for command in STARTS:
        assert set(re.findall(r"--[\w-]+", command)) <= options


@pytest.mark.parametrize(
    "port",
    [
        Settings().metrics_port,
        Settings().ray_dashboard_port,
        DEFAULT_DASHBOARD_AGENT_LISTEN_PORT,
        6379,
        8080,
    ],
)
def test_the_table_has_the_port(port: int) -> None:
    assert re.search(rf"^\| {port} \|", PORTS, re.M)


def test_the_table_has_every_port_of_the_files() -> None:
    files = [ROOT / "cluster.yaml", ROOT / "Dockerfile"]
    texts = [one.read_text() for one in files]
    texts += [manifest("ray-cluster.yaml"), manifest("network-policy.yaml")]
    found = set(re.findall(r"(?:port=|containerPort: |- port: )(\d+)", "\n".join(texts)))
    found |= set(re.findall(r"^EXPOSE (.*)$", texts[1], re.M)[0].split())
    assert len(found) >= 4
    assert not [port for port in found if f"| {port} |" not in PORTS]


def test_secrets_are_named_as_the_manifests_name_them() -> None:
    example = yaml.safe_load(manifest("secret.example.yaml"))
    for key in example["stringData"]:
        assert re.search(rf"--from-(?:literal|file)={re.escape(key)}\b", PAGE)
    for secret in re.findall(r"create secret generic (\S+)", PAGE):
        assert f"name: {secret}" in manifest("ray-cluster.yaml").replace("{name", "{ name")
