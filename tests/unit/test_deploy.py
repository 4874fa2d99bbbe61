"""What is in deploy/ fits the code: files, variables, commands, versions, and nobody runs as root."""

import importlib.util
import re
import shlex
from importlib import resources
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema_rs
import orjson
import pytest
import yaml

from shared.wire import topology
from tests.rig.command_lines import agent_command, control_plane_command
from tests.servers import postgres, rabbitmq, redis

ROOT = Path(__file__).parents[2]
DOCKERFILES = sorted((ROOT / "deploy").glob("*.Dockerfile"))
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PINNED = re.compile(r"[a-z./-]+:(\d+\.\d+(\.\d+)?)(-[a-z]+)*")
VARIABLE = re.compile(r"TRIMTAB_[A-Z_]+")
_COMPOSE_BLOCK = re.compile(r"^```yaml compose\n(.*?)^```", re.MULTILINE | re.DOTALL)
OURS = {"trimtab/control-plane": "deploy/control-plane.Dockerfile", "trimtab/agent": "deploy/agent.Dockerfile"}


def _instructions(dockerfile: Path) -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, arguments), in order."""
    lines = [line for line in dockerfile.read_text().splitlines() if line.strip() and not line.startswith("#")]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def _arguments(dockerfile: Path, instruction: str) -> list[str]:
    return [rest for word, rest in _instructions(dockerfile) if word == instruction]


def _script(name: str) -> ModuleType:
    """One of the scripts of the composition, which are no part of our packages."""
    path = ROOT / "deploy" / "compose" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"compose_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _control_plane_variables() -> set[str]:
    from control_plane.settings.load import rows  # noqa: PLC0415

    secrets = {f"{name}_FILE" for name, _, meaning in rows() if f"{name}_FILE" in meaning}
    clients = {"TRIMTAB_URL", "TRIMTAB_TOKEN", "TRIMTAB_TOKEN_FILE"}
    return {name for name, _, _ in rows()} | secrets | clients


def _agent_variables() -> set[str]:
    from agent.settings.knobs import KNOBS  # noqa: PLC0415
    from agent.settings.load import CONFIG_VARIABLE  # noqa: PLC0415

    return {knob.variable for knob in KNOBS.values()} | {CONFIG_VARIABLE}


def _of_image(name: str) -> list[tuple[str, dict[str, Any]]]:
    return [(key, service) for key, service in SERVICES.items() if service["image"].startswith(f"{name}:")]


@pytest.fixture(params=DOCKERFILES, ids=lambda path: path.stem)
def dockerfile(request: pytest.FixtureRequest) -> Path:
    """Each of our Dockerfiles."""
    path: Path = request.param
    return path


@pytest.fixture(params=sorted(SERVICES))
def service(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each service of the composition."""
    return SERVICES[request.param]


def test_there_is_an_image_for_each_program() -> None:
    assert [path.name for path in DOCKERFILES] == ["agent.Dockerfile", "control-plane.Dockerfile"]


def test_images_are_built_from_exact_versions(dockerfile: Path) -> None:
    for source in _arguments(dockerfile, "FROM"):
        assert PINNED.fullmatch(source.split()[0])


def test_images_run_as_an_unprivileged_number(dockerfile: Path) -> None:
    uid, gid = _arguments(dockerfile, "USER")[-1].split(":")
    assert int(uid) > 0
    assert int(gid) > 0


def test_images_copy_only_what_exists_and_is_sent_to_the_builder(dockerfile: Path) -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for copied in _arguments(dockerfile, "COPY"):
        if "--from=" not in copied:
            for source in shlex.split(copied)[:-1]:
                assert (ROOT / source).exists(), source
                assert source in sent


def test_images_start_programs_and_no_shell(dockerfile: Path) -> None:
    for word, rest in _instructions(dockerfile):
        if word in {"RUN", "ENTRYPOINT", "CMD"}:
            assert rest.startswith("["), rest
        if word == "HEALTHCHECK":
            assert "CMD [" in rest


def test_images_install_only_what_is_locked_by_hash(dockerfile: Path) -> None:
    for step in _arguments(dockerfile, "RUN"):
        words = yaml.safe_load(step)
        if "install" in words and words[0].endswith("pip"):
            assert {"--require-hashes", "--only-binary"} <= set(words) or {"--no-deps", "--no-index"} <= set(words)


def test_images_can_be_asked_for_their_health(dockerfile: Path) -> None:
    check = yaml.safe_load(_arguments(dockerfile, "HEALTHCHECK")[0].partition("CMD ")[2])
    parse = {"trimtab": control_plane_command, "trimtab-agent": agent_command}[check[0]]
    parse(check[1:])


def test_images_set_variables_that_the_programs_read(dockerfile: Path) -> None:
    known = _agent_variables() if dockerfile.stem == "agent" else _control_plane_variables()
    assert set(VARIABLE.findall("\n".join(_arguments(dockerfile, "ENV")))) <= known


def test_what_builds_the_project_is_what_the_linters_use() -> None:
    def versions(name: str) -> dict[str, str]:
        return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE))

    assert versions("build.txt").items() <= versions("dev.txt").items()


def test_the_composition_has_every_part() -> None:
    parts = {"postgres", "redis", "rabbitmq", "migrate", "control-plane-1", "control-plane-2", "setup"}
    assert set(SERVICES) == parts | {"agent-checkout", "agent-billing", "checkout", "billing"}


def test_services_run_from_exact_versions(service: dict[str, Any]) -> None:
    assert PINNED.fullmatch(service["image"])


def test_services_have_no_privileges(service: dict[str, Any]) -> None:
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("user", "10001") not in {"root", "0", "0:0"}
    ours = service["image"].partition(":")[0] in OURS
    assert ours or "user" in service, "a foreign image starts as root unless told otherwise"


def test_our_services_cannot_change_their_own_files() -> None:
    for name in OURS:
        assert all(service["read_only"] for _, service in _of_image(name))


def test_services_are_restarted_unless_they_are_done_once(service: dict[str, Any]) -> None:
    once = service in (SERVICES["migrate"], SERVICES["setup"])
    assert service["restart"] == ("no" if once else "unless-stopped")


def test_services_wait_for_what_can_become_true(service: dict[str, Any]) -> None:
    for name, how in service.get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "test" in SERVICES[name]["healthcheck"]
        else:
            assert how["condition"] == "service_completed_successfully"
            assert SERVICES[name]["restart"] == "no"


def test_ports_are_published_on_loopback_only(service: dict[str, Any]) -> None:
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_services_mount_only_what_exists(service: dict[str, Any]) -> None:
    for mount in service.get("volumes", []):
        source = mount.split(":")[0]
        assert (ROOT / source).is_file() if source.startswith("./") else source in COMPOSE["volumes"]


def test_our_images_are_built_by_their_dockerfiles_at_the_version_of_the_project() -> None:
    version = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert version is not None
    for name, dockerfile in OURS.items():
        services = _of_image(name)
        assert services
        for _, service in services:
            assert service["image"] == f"{name}:{version[1]}"
            assert service["build"] == {"context": ".", "dockerfile": dockerfile}


def test_services_get_variables_that_the_programs_read() -> None:
    for name, known in (("trimtab/control-plane", _control_plane_variables()), ("trimtab/agent", _agent_variables())):
        for key, service in _of_image(name):
            assert set(service.get("environment", {})) <= known, key


def test_agents_get_every_setting_that_they_require() -> None:
    from agent.settings.knobs import KNOBS  # noqa: PLC0415

    required = {knob.variable for knob in KNOBS.values() if knob.required}
    for _, service in _of_image("trimtab/agent"):
        assert required <= set(service["environment"])


def test_services_are_asked_for_their_health_with_real_commands() -> None:
    for name, parse in (("trimtab/control-plane", control_plane_command), ("trimtab/agent", agent_command)):
        for _, service in _of_image(name):
            if check := service["healthcheck"].get("test"):
                assert check[:2] == ["CMD", "trimtab-agent" if name.endswith("agent") else "trimtab"]
                parse(check[2:])


def test_services_run_real_commands() -> None:
    control_plane_command(SERVICES["migrate"]["command"])
    default = yaml.safe_load(_arguments(ROOT / "deploy/control-plane.Dockerfile", "CMD")[0])
    control_plane_command(default)


def test_control_planes_listen_where_their_ports_lead() -> None:
    for name in ("control-plane-1", "control-plane-2"):
        service = SERVICES[name]
        assert service["environment"]["TRIMTAB_LISTEN"] == "0.0.0.0:8080"
        assert all(port.endswith(":8080") for port in service["ports"])


def test_one_application_lives_in_the_network_of_its_agent() -> None:
    assert SERVICES["checkout"]["network_mode"] == "service:agent-checkout"


def test_the_other_one_has_its_agents_socket_and_no_network() -> None:
    application, agent = SERVICES["billing"], SERVICES["agent-billing"]
    assert application["network_mode"] == "none"
    address = agent["environment"]["TRIMTAB_AGENT_LISTEN"]
    assert application["environment"]["TRIMTAB_AGENT_URL"] == address
    shared = f"billing-socket:{Path(address.removeprefix('unix:')).parent}"
    assert shared in application["volumes"]
    assert shared in agent["volumes"]
    owner = _arguments(ROOT / "deploy/agent.Dockerfile", "USER")[-1]
    assert application["user"].split(":")[1] == owner.split(":")[1], "the socket is its group's"


def _against_the_specification(text: str) -> list[str]:
    """What the Compose specification has to say against it."""
    schema = resources.files("check_jsonschema").joinpath("builtin_schemas/vendor/compose-spec.json").read_bytes()
    specification = jsonschema_rs.validator_for(orjson.loads(schema))
    document = orjson.loads(orjson.dumps(yaml.safe_load(text)))  # as JSON has it, anchors resolved
    return [f"{each.instance_path}: {each.message}" for each in specification.iter_errors(document)]


def test_the_composition_is_what_its_specification_says() -> None:
    assert _against_the_specification((ROOT / "docker-compose.yml").read_text()) == []
    assert _against_the_specification("services: {web: {image: a, heathcheck: {}}}") != []


@pytest.mark.parametrize("block", _COMPOSE_BLOCK.findall((ROOT / "docs/deploy/compose.md").read_text()))
def test_what_the_guide_shows_of_compositions_is_what_the_specification_says(block: str) -> None:
    assert _against_the_specification(block) == []
    shown = yaml.safe_load(block)
    variables = {name for each in shown["services"].values() for name in each.get("environment", {})}
    assert variables <= _agent_variables()
    for each in shown["services"].values():
        assert {mount.partition(":")[0] for mount in each.get("volumes", [])} <= shown["volumes"].keys()


def test_stores_are_reached_by_control_planes_only() -> None:
    inside = {name for name, service in SERVICES.items() if "stores" in service.get("networks", [])}
    assert inside == {"postgres", "redis", "migrate", "control-plane-1", "control-plane-2"}
    assert COMPOSE["networks"]["stores"]["internal"]


def test_agents_find_the_tokens_that_the_setup_writes(tmp_path: Path) -> None:
    class Api:
        """Registers nothing and issues one token."""

        def post(self, path: str, _body: dict[str, Any]) -> dict[str, Any] | None:
            return {"token": "issued"} if path.endswith("/agent-tokens") else None

    setup = _script("setup")
    for app_id, environment in setup.AGENTS:
        setup.prepare(Api(), app_id, environment, tmp_path)
    wanted = [service["environment"] for _, service in _of_image("trimtab/agent")]
    assert {(each["TRIMTAB_APP"], each["TRIMTAB_ENVIRONMENT"]) for each in wanted} == set(setup.AGENTS)
    for each in wanted:
        file = tmp_path / Path(each["TRIMTAB_AGENT_TOKEN_FILE"]).name
        assert file.read_text() == "issued"
        assert file.stat().st_mode & 0o777 == 0o600


def test_every_secret_of_the_composition_is_made() -> None:
    made = _script("make_secrets").make()
    for name, secret in COMPOSE["secrets"].items():
        assert secret["file"] == f"./deploy/compose/secrets/{name}"
        assert name in made
    for name, service in SERVICES.items():
        assert set(service.get("secrets", [])) <= set(made), name


def test_the_broker_lets_agents_hear_and_only_the_control_plane_speak() -> None:
    document = orjson.loads(_script("make_secrets").definitions("one", "two"))
    rights = {each["user"]: each for each in document["permissions"]}
    queue = topology.agent_queue("checkout", "prod", "host-1")

    def may(user: str, what: str, name: str) -> bool:
        return re.search(rights[user][what], name) is not None

    assert may("control-plane", "configure", topology.CHANGES_EXCHANGE)
    assert may("control-plane", "write", topology.CHANGES_EXCHANGE)
    assert may("agent", "configure", topology.CHANGES_EXCHANGE)
    assert all(may("agent", what, queue) for what in ("configure", "write", "read"))
    assert may("agent", "read", topology.CHANGES_EXCHANGE)
    assert not may("agent", "write", topology.CHANGES_EXCHANGE)


def test_secrets_are_read_where_they_are_mounted() -> None:
    for name, service in SERVICES.items():
        for value in service.get("environment", {}).values():
            if str(value).startswith("/run/secrets/"):
                assert str(value).removeprefix("/run/secrets/") in service["secrets"], name


def test_the_sample_application_tells_what_changed() -> None:
    lines = _script("sample_app").differences({"kept": 1, "old": 1, "gone": 1}, {"kept": 1, "old": 2, "new": "x"})
    assert lines == ["gone is gone", 'new = "x"', "old = 2"]


def test_rabbitmq_has_small_buffers_for_each_of_many_agents() -> None:
    text = (ROOT / "deploy/rabbitmq/rabbitmq.conf").read_text()
    settings = dict(line.split(" = ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    assert settings["tcp_listen_options.sndbuf"] == settings["tcp_listen_options.recbuf"] == "32768"
    assert settings["load_definitions"] == "/run/secrets/rabbitmq_definitions"


def test_tests_run_against_the_versions_of_the_composition() -> None:
    assert SERVICES["postgres"]["image"] == postgres.IMAGE
    assert SERVICES["redis"]["image"] == redis.IMAGE
    assert SERVICES["rabbitmq"]["image"] == rabbitmq.IMAGE.replace("-management", "")
