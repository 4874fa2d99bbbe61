"""The manifests hold against Kubernetes' own schemas, and what they say is what our programs read."""

import copy
import re
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from agent.settings.load import load
from control_plane.settings.load import rows
from tests.rig.command_lines import agent_command, control_plane_command
from tests.rig.manifests import (
    AGENTS,
    ALL,
    CONFIG_MAPS,
    CONTAINERS,
    DOCUMENTS,
    FILES,
    PLACE,
    PODS,
    Container,
    documents,
    environ,
    named,
)

ROOT = Path(__file__).parents[2]
OLDEST, NEWEST = "1.29", kubernetes_validate.latest_version()
"""The first one in which native sidecars are there without a feature gate, and the newest that the schemas know."""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = {"trimtab/agent": "trimtab-agent", "trimtab/control-plane": "trimtab"}
_PINNED = re.compile(r"[a-z./-]+:\d+\.\d+\.\d+(-[a-z]+)*")
_BLOCK = re.compile(r"^```yaml container\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize(("path", "document"), DOCUMENTS, ids=[path.name for path, _ in DOCUMENTS])
def test_manifests_are_what_kubernetes_takes(path: Path, document: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(document, version, strict=True)
    assert document["metadata"]["name"], path


def test_a_field_that_kubernetes_does_not_know_is_noticed() -> None:
    path, document = next(each for each in DOCUMENTS if each[1]["kind"] == "Deployment")
    wrong = copy.deepcopy(document)
    wrong["spec"]["template"]["spec"]["containers"][0]["startUpProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="startUpProbe"):
        kubernetes_validate.validate(wrong, NEWEST, strict=True)
    assert path.exists()


@pytest.mark.parametrize("block", _BLOCK.findall((ROOT / "docs/deploy/kubernetes.md").read_text()))
def test_what_the_guide_shows_of_containers_is_what_kubernetes_takes(block: str) -> None:
    container = yaml.safe_load(block)
    spec = {"initContainers": [container], "containers": [{"name": "application", "image": "a"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}
    kubernetes_validate.validate(pod, NEWEST, strict=True)
    agent_command(container.get("readinessProbe", {"exec": {"command": [""]}})["exec"]["command"][1:])


def test_the_guide_names_the_manifests_of_agents() -> None:
    named_there = set(re.findall(r"`([a-z-]+\.yaml)`", (ROOT / "docs/deploy/kubernetes.md").read_text()))
    assert named_there - {"kustomization.yaml"} == {each.file for each in AGENTS} | {"settings.yaml"}


@pytest.mark.parametrize("directory", sorted(PLACE.iterdir()), ids=lambda path: path.name)
def test_kustomizations_name_all_that_lies_beside_them_at_our_version(directory: Path) -> None:
    (kustomization,) = documents(directory / "kustomization.yaml")
    assert kustomization.keys() <= {"apiVersion", "kind", "namespace", "resources", "images"}
    assert set(kustomization["resources"]) == {path.name for path in FILES if path.parent == directory}
    assert {each["name"] for each in kustomization["images"]} <= OURS.keys()
    assert {each["newTag"] for each in kustomization["images"]} == {PROJECT["version"]}


@pytest.mark.parametrize("container", ALL, ids=named)
def test_pods_are_what_the_restricted_pod_security_standard_admits(container: Container) -> None:
    pod, own = container.pod["securityContext"], container.own["securityContext"]
    assert pod["runAsNonRoot"]
    assert pod["runAsUser"] > 0
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not own["allowPrivilegeEscalation"]
    assert own["readOnlyRootFilesystem"]
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert not container.pod["automountServiceAccountToken"]
    assert not any(key.startswith("host") for key in container.pod)
    assert all(each.keys() & {"emptyDir", "secret", "configMap"} for each in container.pod["volumes"])


@pytest.mark.parametrize("container", ALL, ids=named)
def test_containers_have_bounds_and_mount_what_there_is(container: Container) -> None:
    assert _PINNED.fullmatch(container.own["image"])
    assert container.own["resources"].keys() == {"requests", "limits"}
    volumes = {each["name"] for each in container.pod["volumes"]}
    assert {each["name"] for each in container.own.get("volumeMounts", [])} <= volumes
    assert all("sizeLimit" in each["emptyDir"] for each in container.pod["volumes"] if "emptyDir" in each)


@pytest.mark.parametrize("container", [each for each in ALL if each.image in OURS], ids=named)
def test_our_containers_run_real_commands(container: Container) -> None:
    assert container.own["image"].endswith(f":{PROJECT['version']}")
    program = OURS[container.image]
    assert program in PROJECT["scripts"]
    parse = agent_command if program == "trimtab-agent" else control_plane_command
    assert "command" not in container.own, "the image knows its program"
    parse(container.own.get("args", []))
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        if words := container.own.get(probe, {}).get("exec", {}).get("command"):
            assert words[0] == program
            parse(words[1:])


@pytest.mark.parametrize("container", AGENTS, ids=named)
def test_agents_start_with_what_they_are_told(container: Container, tmp_path: Path) -> None:
    given = environ(container)
    token = Path(given["TRIMTAB_AGENT_TOKEN_FILE"])
    state = Path(given["TRIMTAB_AGENT_STATE_DIR"])
    mounts = {Path(each["mountPath"]): each for each in container.own["volumeMounts"]}
    assert mounts[token.parent]["readOnly"]
    assert not mounts[state].get("readOnly")
    (tmp_path / "token").write_text("secret")
    settings = load(given | {"TRIMTAB_AGENT_TOKEN_FILE": str(tmp_path / "token")})
    assert settings.instance == "of-the-pod"
    assert settings.labels["track"] == "of-the-pod"
    for each in settings.all_sets:
        assert all(path.parent in mounts for path in each.published())


@pytest.mark.parametrize("pod", [pod for _, pod in PODS], ids=[name for name, _ in PODS])
def test_no_application_can_read_the_agents_token_or_state(pod: dict[str, Any]) -> None:
    for kind in CONTAINERS:
        for each in pod.get(kind, []):
            if not each["image"].startswith("trimtab/"):
                assert not {"agent-token", "agent-state", "secrets"} & {m["name"] for m in each.get("volumeMounts", [])}


@pytest.mark.parametrize("container", [each for each in ALL if each.image == "trimtab/control-plane"], ids=named)
def test_control_planes_are_told_what_they_read(container: Container) -> None:
    known = {name for name, _, _ in rows()} | {f"{name}_FILE" for name, _, text in rows() if f"{name}_FILE" in text}
    given = environ(container)
    assert given.keys() <= known
    mounts = {each["mountPath"] for each in container.own["volumeMounts"]}
    assert all(str(Path(value).parent) in mounts for name, value in given.items() if name.endswith("_FILE"))


def test_agents_find_the_control_plane_where_its_service_is() -> None:
    service = next(each for _, each in DOCUMENTS if each["kind"] == "Service")
    (kustomization,) = documents(PLACE / "control-plane" / "kustomization.yaml")
    (port,) = service["spec"]["ports"]
    where = f"http://{service['metadata']['name']}.{kustomization['namespace']}.svc:{port['port']}"
    assert CONFIG_MAPS["checkout-agent"]["TRIMTAB_CONTROL_PLANE_URL"] == where
    deployment = next(each for path, each in DOCUMENTS if path.parent.name == "control-plane")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    for selector in (service["spec"]["selector"], deployment["spec"]["selector"]["matchLabels"]):
        assert selector.items() <= labels.items()


def test_native_sidecars_are_ready_before_the_application() -> None:
    for name in ("native-sidecar.yaml", "job.yaml"):
        (agent,) = (each.own for each in AGENTS if each.file == name)
        pod = dict(PODS)[name]
        assert agent in pod["initContainers"]
        assert agent["restartPolicy"] == "Always"
        assert agent["startupProbe"]["exec"]["command"] == ["trimtab-agent", "ready"]


def test_the_sample_application_is_the_one_of_the_composition() -> None:
    assert CONFIG_MAPS["sample-app"]["sample_app.py"] == (ROOT / "deploy/compose/sample_app.py").read_text()
