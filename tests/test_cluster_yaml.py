"""cluster.yaml is one that `ray up` takes, and says what Ray's defaults would get wrong.

Ray fills in what is left out: a nightly build of itself, a dashboard open to everybody. Its own
validation does not see that, so the prepared configuration is looked at as well.
"""

import copy
import re
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from ray.autoscaler._private.util import prepare_config, validate_config

from pipelines.settings import Settings, load_settings

ROOT = Path(__file__).parents[1]
FILE = ROOT / "cluster.yaml"
RAY_WORKER_PORTS = range(10_002, 20_000)

Config = dict[str, Any]


@pytest.fixture(scope="module")
def written() -> Config:
    config: Config = yaml.safe_load(FILE.read_text())
    return config


@pytest.fixture(scope="module")
def prepared(written: Config) -> Config:
    config: Config = prepare_config(copy.deepcopy(written))
    return config


def start_command(config: Config, role: str) -> str:
    commands = [c for c in config[f"{role}_start_ray_commands"] if "ray start" in c]
    assert len(commands) == 1
    command: str = commands[0]
    return command


def option(command: str, name: str) -> str:
    found = re.search(rf"--{name}=(\S+)", command)
    assert found is not None, f"--{name} is missing"
    return found[1]


def test_ray_up_takes_it(prepared: Config) -> None:
    validate_config(prepared)


def test_the_check_sees_what_is_wrong(written: Config) -> None:
    broken = copy.deepcopy(written) | {"max_workers": 0}
    with pytest.raises(ValueError, match="max_workers"):
        validate_config(prepare_config(broken))


def test_nodes_install_the_tested_versions_by_hash(prepared: Config) -> None:
    commands = "\n".join(prepared["setup_commands"])
    installs = [line for line in commands.splitlines() if "pip install" in line]
    files = [found[1] for line in installs if (found := re.search(r"-r ~/overround/(\S+)", line))]
    assert len(files) == 1
    assert "--require-hashes" in installs[0]
    assert all("--no-deps" in line for line in installs[1:])
    (mounted,) = prepared["file_mounts"]
    assert mounted == "~/overround"
    ray = re.search(r"^ray==(\S+)", (ROOT / files[0]).read_text(), re.M)
    wanted = re.search(r'"(ray\[default\][^"]*)"', (ROOT / "pyproject.toml").read_text())
    assert ray is not None
    assert wanted is not None
    assert ray[1] in Requirement(wanted[1]).specifier
    assert "dev0" not in commands, "a nightly build that Ray put there by itself"


def test_every_kind_of_node_begins_from_the_same_image(prepared: Config) -> None:
    machines = [kind["node_config"] for kind in prepared["available_node_types"].values()]
    assert len(machines) == 3
    assert len({one["ImageId"] for one in machines}) == 1, "Ray's default has an old Python"


def test_a_login_shell_finds_the_program_and_the_way_to_kafka(
    prepared: Config, tmp_path: Path
) -> None:
    writing = [c for c in prepared["setup_commands"] if ">> ~/.bashrc" in c]
    assert len(writing) == 2
    (tmp_path / ".bashrc").touch()
    for command in writing * 2:
        subprocess.run(["bash", "-c", command], env={"HOME": str(tmp_path)}, check=True)
    lines = (tmp_path / ".bashrc").read_text().splitlines()
    assert len(lines) == 2, "a second set-up adds nothing"
    properties = tmp_path / "kafka.properties"
    (tmp_path / ".bashrc").write_text(
        "\n".join(lines).replace("/etc/overround/kafka.properties", str(properties))
    )

    def shown() -> list[str]:
        said = subprocess.run(
            ["bash", "-c", '. ~/.bashrc; echo "$PATH"; echo "$KAFKA_CLIENT_PROPERTIES"'],
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
        return said.stdout.splitlines()

    path = f"{tmp_path}/.overround-venv/bin:/usr/bin:/bin"
    assert shown() == [path, ""]
    properties.touch()
    assert shown() == [path, str(properties)]


def test_the_head_decides_and_hosts_no_shard(prepared: Config) -> None:
    types = prepared["available_node_types"]
    head = types[prepared["head_node_type"]]
    assert head["resources"] == {"CPU": 0}
    command = start_command(prepared, "head")
    assert option(command, "num-cpus") == "0"
    assert option(command, "dashboard-host") == "127.0.0.1"
    assert option(command, "autoscaling-config") == "~/ray_bootstrap_config.yaml"


def test_the_nodes_that_are_always_there_host_every_partition(prepared: Config) -> None:
    shard = prepared["available_node_types"]["shard"]
    slots = shard["resources"]["shard"]
    assert isinstance(slots, int)
    assert shard["min_workers"] * slots >= Settings().partitions
    # Also with one node gone: the others take its shards without waiting for a new machine.
    assert (shard["min_workers"] - 1) * slots >= Settings().partitions


def test_who_logs_in_on_the_head_can_launch_what_the_file_promises(prepared: Config) -> None:
    commands = "\n".join(prepared["head_setup_commands"])
    exported = dict(re.findall(r"export (\w+)=([^' ]+)'", commands))
    settings = load_settings(exported)
    assert settings.standbys == 1
    assert ip_address(settings.metrics_host).is_unspecified
    assert exported["RAY_AUTH_MODE"] == "token"


@pytest.mark.parametrize("role", ["head", "worker"])
def test_every_node_asks_for_a_token_and_exports_metrics(prepared: Config, role: str) -> None:
    command = start_command(prepared, role)
    assert "RAY_AUTH_MODE=token" in command
    assert option(command, "metrics-export-port") == "8080"
    assert "ulimit -n 65536" in command


def test_a_dead_node_is_found_within_seconds(prepared: Config) -> None:
    command = start_command(prepared, "head")
    values = {
        name: int(value) for name, value in re.findall(r"RAY_health_check_(\w+)=(\d+)", command)
    }
    assert set(values) == {"initial_delay_ms", "period_ms", "timeout_ms", "failure_threshold"}
    found_ms = values["failure_threshold"] * (values["period_ms"] + values["timeout_ms"])
    assert found_ms <= Settings().transaction_timeout_ms


def fixed_ports(config: Config) -> Iterator[int]:
    for role in ("head", "worker"):
        command = start_command(config, role)
        yield from (int(n) for n in re.findall(r"--[\w-]*port=(\d+)", command))
    yield Settings().metrics_port
    yield Settings().edge_port
    yield Settings().ray_dashboard_port


def test_no_fixed_port_lies_where_ray_puts_its_workers(prepared: Config) -> None:
    ports = list(fixed_ports(prepared))
    assert len(ports) >= 5
    assert not set(ports) & set(RAY_WORKER_PORTS)


def test_it_holds_no_secret() -> None:
    text = FILE.read_text()
    assert not re.search(r"AKIA|BEGIN [A-Z ]*PRIVATE KEY|ABLY_API_KEY=|auth_token=", text)


def test_prometheus_scrapes_the_port_that_the_settings_name() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus.yml").read_text())
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    targets = jobs["overround"]["static_configs"][0]["targets"]
    assert targets == [f"127.0.0.1:{Settings().metrics_port}"]
    url = jobs["ray"]["http_sd_configs"][0]["url"]
    assert url == f"http://127.0.0.1:{Settings().ray_dashboard_port}/api/prometheus/sd"
