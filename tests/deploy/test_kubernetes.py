"""The manifests are what Kubernetes and KubeRay take, and say what this product needs."""

import copy
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from actors.options import actor_options, shard_name
from pipelines.kafka.client_config import VARIABLE, kafka_address
from pipelines.settings import WELL_KNOWN, Settings, load_settings
from tests.deploy.kuberay_schema import RAY_CLUSTER

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy/kubernetes"
KUBERNETES = "1.33"

Manifest = dict[str, Any]


def manifests() -> dict[str, Manifest]:
    """All manifests but the list of them, by kind and name."""
    found: dict[str, Manifest] = {}
    for file in sorted(FOLDER.glob("*.yaml")):
        for one in yaml.safe_load_all(file.read_text()):
            if one["kind"] != "Kustomization":
                found[f"{one['kind']}/{one['metadata']['name']}"] = one
    return found


ALL = manifests()
CLUSTER = ALL["RayCluster/overround"]
GROUPS = {"head": CLUSTER["spec"]["headGroupSpec"]} | {
    one["groupName"]: one for one in CLUSTER["spec"]["workerGroupSpecs"]
}
TEMPLATES = {name: group["template"] for name, group in GROUPS.items()} | {
    "job": ALL["Job/overround-up"]["spec"]["template"]
}


def as_pod(template: Manifest) -> Manifest:
    return {"apiVersion": "v1", "kind": "Pod", **copy.deepcopy(template)}


@pytest.mark.parametrize("name", [n for n in ALL if not n.startswith("RayCluster")])
def test_kubernetes_takes_it(name: str) -> None:
    kubernetes_validate.validate(ALL[name], KUBERNETES, strict=True)


@pytest.mark.parametrize("name", TEMPLATES)
def test_kubernetes_takes_the_pods(name: str) -> None:
    kubernetes_validate.validate(as_pod(TEMPLATES[name]), KUBERNETES, strict=True)


def test_the_check_sees_what_is_wrong() -> None:
    broken = as_pod(TEMPLATES["head"])
    broken["spec"]["containers"][0]["port"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, KUBERNETES, strict=True)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(CLUSTER | {"specs": {}}, RAY_CLUSTER)


def test_kuberay_takes_the_cluster() -> None:
    jsonschema.validate(CLUSTER, RAY_CLUSTER)


def test_the_list_names_every_manifest_but_the_example() -> None:
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    files = {one.name for one in FOLDER.glob("*.yaml")}
    assert set(listed["resources"]) == files - {"kustomization.yaml", "secret.example.yaml"}
    assert [one["name"] for one in listed["images"]] == ["overround"]


@pytest.mark.parametrize("name", TEMPLATES)
def test_pods_have_no_rights_and_known_needs(name: str) -> None:
    spec = TEMPLATES[name]["spec"]
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = spec["containers"]
    assert container["image"] == "overround"
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert set(container["resources"]) == {"requests", "limits"}
    needs = container["resources"]
    assert needs["requests"]["memory"] == needs["limits"]["memory"]


def test_no_secret_stands_in_a_manifest_that_is_applied() -> None:
    for name, one in ALL.items():
        if not name.startswith("Secret"):
            text = yaml.safe_dump(one)
            assert "app.key" not in text
            assert "auth_token:" not in text
    assert CLUSTER["spec"]["authOptions"] == {"mode": "token", "secretName": "overround-secrets"}
    keys = ALL["Secret/overround-secrets"]["stringData"]
    for pod, variable in (("head", "ABLY_API_KEY"), ("job", "RAY_AUTH_TOKEN")):
        env = {one["name"]: one for one in TEMPLATES[pod]["spec"]["containers"][0]["env"]}
        assert env[variable]["valueFrom"]["secretKeyRef"]["key"] in keys


def test_every_node_reads_how_to_sign_in_to_kafka(tmp_path: Path) -> None:
    keys = ALL["Secret/overround-secrets"]["stringData"]
    for name in GROUPS:
        spec = TEMPLATES[name]["spec"]
        (container,) = spec["containers"]
        env = {one["name"]: one.get("value") for one in container["env"]}
        file = Path(env[VARIABLE])
        mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
        (volume,) = (v for v in spec["volumes"] if v["name"] == mounts[str(file.parent)])
        secret, authority = (one["secret"] for one in volume["projected"]["sources"])
        assert secret["items"] == [{"key": "kafka.properties", "path": file.name}]
        assert authority["optional"], "a public authority needs none"
        assert not volume["projected"]["defaultMode"] & 0o007
    (tmp_path / "kafka.properties").write_text(keys["kafka.properties"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(tmp_path / "kafka.properties"))
        understood = kafka_address("kafka:9093")
    assert understood["security.protocol"] == "SASL_SSL"
    assert understood["ssl.ca.location"] == str(file.parent / "ca.pem")


def test_health_checks_are_those_of_the_other_way_to_launch() -> None:
    commands = yaml.safe_load((ROOT / "cluster.yaml").read_text())["head_start_ray_commands"]
    words = {tuple(word.split("=")) for word in commands[1].split() if "RAY_health" in word}
    assert len(words) == 4
    for name in GROUPS:
        env = TEMPLATES[name]["spec"]["containers"][0]["env"]
        assert words <= {(one["name"], one.get("value")) for one in env}


def test_kubectl_builds_what_is_applied() -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("no kubectl is installed: the list of manifests was not built")
    done = subprocess.run(
        [kubectl, "kustomize", str(FOLDER)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    built = list(yaml.safe_load_all(done.stdout))
    assert {f"{one['kind']}/{one['metadata']['name']}" for one in built} == {
        name for name in ALL if not name.startswith("Secret")
    }
    for one in built:
        if one["kind"] == "RayCluster":
            jsonschema.validate(one, RAY_CLUSTER)
        else:
            kubernetes_validate.validate(one, KUBERNETES, strict=True)
        name = one["metadata"]["name"] if one["kind"] == "Namespace" else None
        assert (name or one["metadata"]["namespace"]) == "overround"
        if one["kind"] == "Job":
            assert one["spec"]["template"]["spec"]["containers"][0]["image"] == "overround:0.1.0"
        if one["kind"] == "RayCluster":
            groups = [one["spec"]["headGroupSpec"], *one["spec"]["workerGroupSpecs"]]
            images = {g["template"]["spec"]["containers"][0]["image"] for g in groups}
            assert images == {"overround:0.1.0"}, "the tag reaches KubeRay's pods too"


def test_the_job_launches_from_the_head_which_has_the_settings() -> None:
    (job,), (head,) = (TEMPLATES[name]["spec"]["containers"] for name in ("job", "head"))
    assert job["command"][:3] == ["ray", "job", "submit"], "no node of Ray is in the job's pod"
    dashboard = next(p["containerPort"] for p in head["ports"] if p["name"] == "dashboard")
    assert f"http://{CLUSTER['metadata']['name']}-head-svc:{dashboard}" in job["command"]
    assert job["args"][:2] == ["overround", "up"]
    assert head["envFrom"] == [{"configMapRef": {"name": "overround-settings"}}]


@pytest.mark.parametrize("name", ["shard", "edge", "job"])
def test_who_does_not_talk_to_kubernetes_has_no_token_for_it(name: str) -> None:
    assert TEMPLATES[name]["spec"]["automountServiceAccountToken"] is False


def test_the_settings_are_settings() -> None:
    data = ALL["ConfigMap/overround-settings"]["data"]
    known = {f"OVERROUND_{name.upper()}" for name in Settings.__slots__} | set(WELL_KNOWN.values())
    assert set(data) <= known
    settings = load_settings(data)
    slots = int(GROUPS["shard"]["resources"]["shard"]) * GROUPS["shard"]["minReplicas"]
    assert slots >= settings.partitions * (1 + settings.standbys), "every copy finds a slot"
    # A node that is gone must leave room for all copies of all partitions to own them.
    per_pod = int(GROUPS["shard"]["resources"]["shard"])
    assert per_pod * (GROUPS["shard"]["minReplicas"] - 1) >= settings.partitions


def test_groups_offer_what_the_other_way_to_launch_offers() -> None:
    types = yaml.safe_load((ROOT / "cluster.yaml").read_text())["available_node_types"]
    assert set(types) == set(GROUPS)
    for name in ("shard", "edge"):
        assert set(GROUPS[name]["resources"]) == set(types[name]["resources"]) - {"CPU"}


def test_actors_find_the_pods_they_ask_for() -> None:
    wanted = actor_options(shard_name(0))["resources"]
    assert set(wanted) <= set(GROUPS["shard"]["resources"])
    assert GROUPS["edge"]["labels"] == actor_options("publisher")["label_selector"]
    assert GROUPS["head"]["rayStartParams"]["num-cpus"] == "0"


def test_the_version_of_ray_is_the_locked_one() -> None:
    locked = (ROOT / "requirements/runtime.txt").read_text()
    assert f"\nray=={CLUSTER['spec']['rayVersion']} " in locked
