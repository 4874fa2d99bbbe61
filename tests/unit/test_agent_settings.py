"""Settings: the environment wins over the file, everything wrong is told at once, secrets stay out of sight."""

from dataclasses import fields
from pathlib import Path

import pytest

from agent.files.file_set import FileSet
from agent.files.target import File, Format, Selection
from agent.settings import reference
from agent.settings.instance import kept_instance
from agent.settings.knobs import KNOBS
from agent.settings.load import SettingsError, default_state_dir, load, load_listen, unknown_variables
from agent.settings.model import Settings
from shared.runtime.listen import Listen

LEAST = {
    "TRIMTAB_APP": "billing",
    "TRIMTAB_ENVIRONMENT": "prod",
    "TRIMTAB_CONTROL_PLANE_URL": "https://one.example/, https://two.example",
    "TRIMTAB_AGENT_TOKEN": "t0ken-of-the-agent",
}


def problems(environ: dict[str, str], config: Path | None = None) -> tuple[str, ...]:
    with pytest.raises(SettingsError) as error:
        load(environ, config)
    return error.value.problems


def test_the_required_ones_are_enough() -> None:
    settings = load(LEAST)
    assert (settings.app_id, settings.environment) == ("billing", "prod")
    assert settings.control_plane_urls == ("https://one.example", "https://two.example")
    assert settings.listen == Listen("127.0.0.1", 2772)


def test_every_field_has_a_knob_and_the_other_way_round() -> None:
    assert {each.name for each in fields(Settings)} == set(KNOBS)


def test_everything_missing_is_told_at_once() -> None:
    told = problems({})
    assert [each.split()[0] for each in told] == [
        "TRIMTAB_APP",
        "TRIMTAB_ENVIRONMENT",
        "TRIMTAB_CONTROL_PLANE_URL",
        "TRIMTAB_AGENT_TOKEN",
    ]


def test_all_forms_of_the_environment_are_read() -> None:
    settings = load(
        LEAST
        | {
            "TRIMTAB_AMQP_URL": "amqp://u:p@rabbit:5672/%2F",
            "TRIMTAB_AGENT_LISTEN": "unix:/run/trimtab/agent.sock",
            "TRIMTAB_AGENT_STATE_DIR": "/srv/state",
            "TRIMTAB_AGENT_FILES": "/run/app/config.json, /run/app/.env",
            "TRIMTAB_AGENT_LABELS": "region=eu, tier=web",
            "TRIMTAB_AGENT_INSTANCE": "one",
            "TRIMTAB_AGENT_MAX_STALENESS": "90",
            "TRIMTAB_AGENT_REQUIRE_FRESH": "Yes",
            "TRIMTAB_AGENT_LOCAL_TOKEN": "0123456789abcdef",
            "TRIMTAB_AGENT_ALLOWED_HOSTS": "agent, Agent.Local",
            "TRIMTAB_AGENT_SOCKET_MODE": "0600",
            "TRIMTAB_AGENT_LOG_LEVEL": "debug",
            "TRIMTAB_AGENT_LOG_FORMAT": "TEXT",
        }
    )
    assert settings.listen.path == Path("/run/trimtab/agent.sock")
    assert settings.files == (
        FileSet.alone(File(Path("/run/app/config.json"), Format.JSON)),
        FileSet.alone(File(Path("/run/app/.env"), Format.DOTENV)),
    )
    assert settings.labels == {"region": "eu", "tier": "web"}
    assert (settings.max_staleness, settings.require_fresh, settings.socket_mode) == (90.0, True, 0o600)
    assert settings.allowed_hosts == ("agent", "agent.local")
    assert (settings.log_level, settings.log_format) == ("DEBUG", "text")


def test_the_file_has_lists_and_mappings_and_the_environment_wins(tmp_path: Path) -> None:
    config = tmp_path / "agent.yaml"
    config.write_text(
        """
        app: from-file
        environment: "no"
        control_plane_url: [https://one.example, https://two.example]
        socket_mode: 0600
        require_fresh: yes
        labels: {region: eu, zone: 012}
        files:
          - /run/app/.env
          - {path: /run/app/app.conf, format: yaml, prefix: db., mode: 0644}
        """
    )
    settings = load({"TRIMTAB_APP": "billing", "TRIMTAB_AGENT_TOKEN": "t", "TRIMTAB_AGENT_CONFIG": str(config)})
    assert (settings.app_id, settings.environment) == ("billing", "no")
    assert settings.control_plane_urls == ("https://one.example", "https://two.example")
    assert (settings.socket_mode, settings.require_fresh) == (0o600, True)
    assert settings.labels == {"region": "eu", "zone": "012"}
    assert settings.files[1] == FileSet.alone(
        File(Path("/run/app/app.conf"), Format.YAML, Selection(prefixes=("db.",)), mode=0o644)
    )


def test_an_unknown_name_in_the_file_is_an_error_that_names_the_nearest(tmp_path: Path) -> None:
    config = tmp_path / "agent.yaml"
    config.write_text("lisen: 127.0.0.1:1\nfiles: [{path: /a.json, moed: 0600}]\n")
    told = problems(LEAST, config)
    assert f"'lisen' in {config} is not a setting; did you mean 'listen'?" in told
    assert any("unknown member 'moed'; did you mean 'mode'?" in each for each in told)


@pytest.mark.parametrize(
    ("content", "said"),
    [(": [", "is not YAML"), ("- a\n", "holds no settings"), ("", "holds no settings"), (None, "cannot be read")],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, content: str | None, said: str) -> None:
    config = tmp_path / "agent.yaml"
    if content is not None:
        config.write_text(content)
    assert said in problems(LEAST, config)[0]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TRIMTAB_APP", "Billing"),
        ("TRIMTAB_CONTROL_PLANE_URL", "one.example"),
        ("TRIMTAB_CONTROL_PLANE_URL", "https://u:hidden@one.example"),
        ("TRIMTAB_AMQP_URL", "http://u:hidden@rabbit"),
        ("TRIMTAB_AGENT_TOKEN", "hidden hidden"),
        ("TRIMTAB_AGENT_LISTEN", "2772"),
        ("TRIMTAB_AGENT_LISTEN", "unix:relative.sock"),
        ("TRIMTAB_AGENT_LISTEN", "unix:/" + "x" * 120),
        ("TRIMTAB_AGENT_FILES", "/run/app/config.cfg"),
        ("TRIMTAB_AGENT_FILES", "/run/a.json,/run/a.json"),
        ("TRIMTAB_AGENT_LABELS", "region"),
        ("TRIMTAB_AGENT_LABELS", "a=1,a=2"),
        ("TRIMTAB_AGENT_INSTANCE", "a b"),
        ("TRIMTAB_AGENT_MAX_STALENESS", "0"),
        ("TRIMTAB_AGENT_MAX_STALENESS", "nan"),
        ("TRIMTAB_AGENT_REQUIRE_FRESH", "maybe"),
        ("TRIMTAB_AGENT_LOCAL_TOKEN", "hidden"),
        ("TRIMTAB_AGENT_ALLOWED_HOSTS", "http://agent"),
        ("TRIMTAB_AGENT_SOCKET_MODE", "0999"),
        ("TRIMTAB_AGENT_LOG_LEVEL", "LOUD"),
    ],
)
def test_a_wrong_value_is_told_by_its_variable_and_never_shows_a_secret(variable: str, value: str) -> None:
    (told,) = problems(LEAST | {variable: value})
    assert told.startswith(variable)
    assert ";" in told or "host:port" in told
    assert "hidden" not in told


def test_secrets_are_read_from_files_and_never_shown(tmp_path: Path) -> None:
    token, local = tmp_path / "token", tmp_path / "local"
    token.write_text("of-the-agent\n")
    local.write_text("of-the-application\n")
    environ = {name: value for name, value in LEAST.items() if name != "TRIMTAB_AGENT_TOKEN"} | {
        "TRIMTAB_AGENT_TOKEN_FILE": str(token),
        "TRIMTAB_AGENT_LOCAL_TOKEN_FILE": str(local),
        "TRIMTAB_AMQP_URL": "amqp://u:of-the-broker@rabbit",
    }
    settings = load(environ)
    assert (settings.token, settings.local_token) == ("of-the-agent", "of-the-application")
    assert "of-the" not in repr(settings)
    (told,) = problems(environ | {"TRIMTAB_AGENT_TOKEN": "x"})
    assert "both given" in told
    token.unlink()
    (told,) = problems(environ)
    assert "cannot be read" in told


def test_a_misspelled_variable_is_noticed() -> None:
    environ = LEAST | {"TRIMTAB_AGENT_LISTN": "127.0.0.1:1", "TRIMTAB_AGENT_URL": "http://127.0.0.1:2772"}
    (told,) = unknown_variables(environ)
    assert told == "TRIMTAB_AGENT_LISTN is not a setting; did you mean 'TRIMTAB_AGENT_LISTEN'?"


def test_a_health_command_needs_no_other_setting_than_the_address(tmp_path: Path) -> None:
    assert load_listen({}) == Listen("127.0.0.1", 2772)
    config = tmp_path / "agent.yaml"
    config.write_text("listen: unix:/run/a.sock\n")
    assert load_listen({}, config) == Listen(path=Path("/run/a.sock"))


def test_systemd_says_where_state_belongs() -> None:
    assert default_state_dir({"STATE_DIRECTORY": "/var/lib/trimtab-a:/other"}) == Path("/var/lib/trimtab-a")


def test_the_instance_keeps_its_name(tmp_path: Path) -> None:
    first = kept_instance(tmp_path)
    assert kept_instance(tmp_path) == first
    (tmp_path / "instance").write_text("\0 damaged")
    assert kept_instance(tmp_path) != first


def test_the_documented_table_is_that_of_the_settings() -> None:
    assert reference.main(["--check"]) == 0
