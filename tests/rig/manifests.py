"""The manifests of deploy/kubernetes, as a kubelet would read them."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

PLACE = Path(__file__).parents[2] / "deploy" / "kubernetes"
CONTAINERS = ("initContainers", "containers")
_REFERENCE = re.compile(r"\$\(([A-Z_]+)\)")


class Container(NamedTuple):
    """A container, and the pod that it is of."""

    file: str
    pod: dict[str, Any]
    own: dict[str, Any]

    @property
    def image(self) -> str:
        return str(self.own["image"].partition(":")[0])


def documents(path: Path) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(path.read_text()) if each is not None]


FILES = sorted(path for path in PLACE.glob("*/*.yaml") if path.name != "kustomization.yaml")
DOCUMENTS = [(path, document) for path in FILES for document in documents(path)]
CONFIG_MAPS = {each["metadata"]["name"]: each["data"] for _, each in DOCUMENTS if each["kind"] == "ConfigMap"}
PODS = [
    (path.name, each["spec"]["template"]["spec"]) for path, each in DOCUMENTS if each["kind"] in ("Deployment", "Job")
]


def containers() -> Iterator[Container]:
    for name, pod in PODS:
        yield from (Container(name, pod, each) for kind in CONTAINERS for each in pod.get(kind, []))


ALL = list(containers())
AGENTS = [each for each in ALL if each.image == "trimtab/agent"]


def named(container: Container) -> str:
    return f"{container.file}-{container.own['name']}"


def environ(container: Container) -> dict[str, str]:
    """What the kubelet gives it, with a word for what it takes from the pod."""
    found: dict[str, str] = {}
    for source in container.own.get("envFrom", []):
        found |= CONFIG_MAPS[source["configMapRef"]["name"]]
    for each in container.own.get("env", []):
        found[each["name"]] = _REFERENCE.sub(lambda match: found[match[1]], each.get("value", "of-the-pod"))
    return found
