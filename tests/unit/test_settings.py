"""The control plane's settings: read once, all that is wrong told at once."""

from pathlib import Path

import pytest

from control_plane.cli.reference import main as reference
from control_plane.domain.limits import Limits
from control_plane.settings.load import SettingsError, load_settings, rows

_DATABASE = {"TRIMTAB_DATABASE_URL": "postgresql://db/trimtab"}


def test_only_the_database_is_required() -> None:
    settings = load_settings(_DATABASE)
    assert settings.listen == "127.0.0.1:8080"
    assert settings.database_pool_size == 20
    assert settings.limits == Limits()
    assert settings.redis_url == settings.amqp_url == settings.bootstrap_token == ""


def test_everything_that_is_wrong_is_told_at_once_with_its_variable_and_without_secrets() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(
            {
                "TRIMTAB_LISTEN": "nowhere",
                "TRIMTAB_REDIS_URL": "http://user:hunter2@cache",
                "TRIMTAB_DATABASE_REPLICA_URL": "mysql://user:hunter2@replica",
                "TRIMTAB_BOOTSTRAP_TOKEN": "hunter2",
                "TRIMTAB_MAX_OPERATIONS": "many",
                "TRIMTAB_PROMETHEUS_URL": "user:hunter2@prometheus",
                "TRIMTAB_WEBHOOK_URLS": "https://user:hunter2@ci",
                "TRIMTAB_AMQP_URL_FILE": "/does/not/exist",
            }
        )
    text = str(caught.value)
    for name in (
        "DATABASE_URL",
        "DATABASE_REPLICA_URL",
        "LISTEN",
        "REDIS_URL",
        "BOOTSTRAP_TOKEN",
        "MAX_OPERATIONS",
        "AMQP_URL_FILE",
        "PROMETHEUS_URL",
        "WEBHOOK_URLS",
    ):
        assert f"TRIMTAB_{name}" in text
    assert "hunter2" not in text
    assert len(caught.value.problems) == 9


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("a-token-that-is-long-enough\n")
    settings = load_settings(_DATABASE | {"TRIMTAB_BOOTSTRAP_TOKEN_FILE": str(secret)})
    assert settings.bootstrap_token == "a-token-that-is-long-enough"


def test_a_secret_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="keep one of the two"):
        load_settings(_DATABASE | {"TRIMTAB_DATABASE_URL_FILE": str(tmp_path)})


def test_secrets_are_not_shown() -> None:
    settings = load_settings({"TRIMTAB_DATABASE_URL": "postgresql://user:hunter2@db/trimtab"})
    assert "hunter2" not in repr(settings)


def test_nobody_outside_may_be_asked_unless_it_is_set() -> None:
    assert load_settings(_DATABASE).sources.urls == {}
    assert not load_settings(_DATABASE).webhooks.allows("https://ci/")
    settings = load_settings(
        _DATABASE | {"TRIMTAB_PROMETHEUS_URL": "http://prometheus:9090", "TRIMTAB_WEBHOOK_URLS": "https://ci/gates"}
    )
    assert settings.sources.urls == {"": "http://prometheus:9090"}
    assert settings.webhooks.allows("https://ci/gates/1")


def test_limits_can_be_set() -> None:
    assert load_settings(_DATABASE | {"TRIMTAB_MAX_VALUE_BYTES": "10"}).limits.value_bytes == 10


def test_options_win_over_the_environment() -> None:
    settings = load_settings(_DATABASE | {"TRIMTAB_LISTEN": "127.0.0.1:1"}, listen="127.0.0.1:2")
    assert settings.listen == "127.0.0.1:2"


def test_the_documented_table_is_the_settings_own() -> None:
    assert all(meaning for _, _, meaning in rows())
    assert reference(["--check"]) == 0, "run: python -m control_plane.cli.reference --write"
