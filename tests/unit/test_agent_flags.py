"""Every setting is a flag, made of the same table; flags win; a mistake is one line that helps."""

from pathlib import Path

import pytest

from agent.__main__ import main
from agent.commands.parser import Parser, add_command, parse, top_level
from agent.settings import parsers
from agent.settings.flags import flags_of
from agent.settings.knobs import KNOBS
from agent.settings.load import SettingsError, load
from shared.runtime.listen import Listen

LEAST = {
    "TRIMTAB_APP": "billing",
    "TRIMTAB_ENVIRONMENT": "prod",
    "TRIMTAB_CONTROL_PLANE_URL": "https://one.example",
    "TRIMTAB_AGENT_TOKEN": "t0ken-of-the-agent",
}


def flags(*arguments: str) -> dict[str, str]:
    parser = top_level()
    commands = parser.add_subparsers(metavar="COMMAND", parser_class=Parser)
    return flags_of(parse(parser, [add_command(commands, each, each) for each in ("run", "exec")], arguments))


def test_every_setting_but_secrets_is_a_flag_that_is_read_as_its_variable_is() -> None:
    for field, knob in KNOBS.items():
        if knob.flag and knob.parse is not parsers.boolean:
            assert flags(knob.command or "run", knob.flag, "x") == {field: "x"}, knob.flag
    assert {field for field, knob in KNOBS.items() if not knob.flag} == {"token", "amqp_url", "local_token"}


def test_secrets_have_a_flag_for_a_file_only(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("of-the-agent\n")
    (tmp_path / "broker").write_text("amqp://u:of-the-broker@rabbit\n")
    given = flags("--token-file", f"{tmp_path}/token", "run", "--amqp-url-file", f"{tmp_path}/broker")
    settings = load({name: value for name, value in LEAST.items() if "TOKEN" not in name}, None, given)
    assert (settings.token, settings.amqp_url) == ("of-the-agent", "amqp://u:of-the-broker@rabbit")
    assert "of-the" not in repr(settings)


def test_a_flag_wins_over_its_variable_and_that_over_the_file(tmp_path: Path) -> None:
    config = tmp_path / "agent.yaml"
    config.write_text("listen: 127.0.0.1:1\nlog_level: error\nlabels: {a: file}\n")
    environ = LEAST | {"TRIMTAB_AGENT_LISTEN": "127.0.0.1:2", "TRIMTAB_AGENT_LABELS": "a=variable"}
    settings = load(environ, config, flags("run", "--listen", "127.0.0.1:3"))
    assert settings.listen == Listen("127.0.0.1", 3)
    assert (settings.labels, settings.log_level) == ({"a": "variable"}, "ERROR")


def test_a_secrets_file_by_flag_wins_over_the_secret_in_a_variable_and_that_over_one_in_the_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "token").write_text("of-the-flag")
    assert load(LEAST, None, flags("--token-file", f"{tmp_path}/token")).token == "of-the-flag"
    config = tmp_path / "agent.yaml"
    config.write_text(f"token_file: {tmp_path}/token\n")
    assert load(LEAST, config).token == LEAST["TRIMTAB_AGENT_TOKEN"]


def test_yes_and_no_are_flags_without_a_value() -> None:
    environ = LEAST | {"TRIMTAB_AGENT_REQUIRE_FRESH": "true"}
    assert load(environ, None, flags("run", "--no-require-fresh")).require_fresh is False
    assert load(LEAST, None, flags("--require-fresh", "run")).require_fresh is True


def test_flags_before_and_after_the_command_are_the_same() -> None:
    assert flags("--app", "a", "run", "--environment", "b") == {"app_id": "a", "environment": "b"}
    assert flags("--app=a") == {"app_id": "a"}


def test_a_wrong_value_is_told_by_its_flag() -> None:
    with pytest.raises(SettingsError) as error:
        load(LEAST, None, flags("--listen", "2772", "--probe-interval", "often", "--labels", ""))
    told = [each.split()[0] for each in error.value.problems]
    assert told == ["--listen", "--labels", "--probe-interval"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--lisen", "x", "run"], "--lisen is not a flag; did you mean '--listen'?"),
        (["run", "--token", "hidden"], "--token is not a flag; did you mean '--token-file'?"),
        (["--xyzzy=1", "run"], "--xyzzy is not a flag; see --help"),
        (["rnu"], "invalid choice: 'rnu'"),
        (["run", "--listen"], "argument --listen: expected one argument"),
        (["ready", "--once"], "unrecognized arguments: --once"),
        (["ready", "--url", "nowhere"], "'nowhere' is not host:port or unix:/path"),
    ],
)
def test_a_mistyped_command_line_is_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = _code(arguments)
    told = capsys.readouterr().err
    assert code == 2
    assert said in told
    assert told.count("\n") == 1
    assert "hidden" not in told


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["exec", "--help"]])
def test_help_teaches(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert _code(arguments) == 0
    told = " ".join(capsys.readouterr().out.split())
    wanted = ["curl http://127.0.0.1:2772", "exit codes", "TRIMTAB_AGENT_CONFIG", "render"]
    if len(arguments) > 1:
        wanted = [knob.variable for knob in KNOBS.values() if knob.flag and knob.command in ("", arguments[0])]
    assert all(each in told for each in wanted)


def _code(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as end:
        return int(str(end.code))
