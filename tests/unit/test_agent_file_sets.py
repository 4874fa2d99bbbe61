"""File sets as people describe them."""

from pathlib import Path
from signal import SIGHUP, SIGUSR1

import pytest
import yaml

from agent.files.file_set import FileSet, OnDrift
from agent.files.hooks import Command, HealthGate, Post, Signal
from agent.files.target import File, Format, Layout, Owner, Selection
from agent.probing.target import HttpTarget
from agent.settings.file_sets import file_sets, files
from agent.settings.load import SettingsError, load
from agent.settings.members import MistakesError
from shared.domain.context import EvaluationContext

WHOLE = """
nginx:
  directory: /run/nginx/trimtab
  owner: root:nginx
  mode: 0640
  context: {targetingKey: web-1, groups: [beta, staff], country: SE, "age:": 30}
  files:
    - upstreams.json
    - {path: nginx.conf, template: /etc/trimtab/nginx.conf.j2, prefix: [web., shared.], mode: 0644}
    - {path: secrets, format: keys, prefix: secret., strip_prefix: true, rename: {secret.db: DATABASE}}
    - {path: app.toml, nested: true, context: {targetingKey: other}}
    - {path: app.ini, section: app, escape_percent: true, flatten: false}
  check: {command: [nginx, -t, -c, "{staged}/nginx.conf"], timeout: 5}
  reload:
    - {signal: HUP, pid_file: /run/nginx.pid}
    - {signal: sigusr1, process: exporter}
    - {command: systemctl reload nginx}
    - {post: "http://127.0.0.1:8080/reload", timeout: 3}
    - {post: "http://127.0.0.1:8080/actuator/refresh", body: false}
  health: {probe: "http://127.0.0.1/health", within: 20, successes: 3}
  restore: no
  keep: 5
  quiet: 0.5
  min_interval: 10
  on_drift: report
  dry_run: yes
"""


def read(text: str) -> tuple[FileSet, ...]:
    return file_sets(yaml.load(text, yaml.BaseLoader))  # noqa: S506 - as settings are read


def mistakes(text: str) -> tuple[str, ...]:
    with pytest.raises(MistakesError) as caught:
        read(text)
    return caught.value.mistakes


def test_a_set_says_everything_about_its_publication() -> None:
    (found,) = read(WHOLE)
    assert (found.name, found.directory) == ("nginx", Path("/run/nginx/trimtab"))
    assert found.check == Command(("nginx", "-t", "-c", "{staged}/nginx.conf"), 5.0)
    assert found.reload == (
        Signal(SIGHUP, Path("/run/nginx.pid")),
        Signal(SIGUSR1, process="exporter"),
        Command(("systemctl", "reload", "nginx")),
        Post("http://127.0.0.1:8080/reload", 3.0),
        Post("http://127.0.0.1:8080/actuator/refresh", body=False),
    )
    assert found.health == HealthGate(HttpTarget("http://127.0.0.1/health"), within=20.0, successes=3)
    assert (found.restore, found.keep, found.on_drift, found.dry_run) == (False, 5, OnDrift.REPORT, True)
    assert (found.quiet, found.max_wait, found.min_interval) == (0.5, 2.0, 10.0)
    assert found.templates == (Path("/etc/trimtab/nginx.conf.j2"),)


def test_its_files_inherit_what_they_do_not_say() -> None:
    (found,) = read(WHOLE)
    web = EvaluationContext("web-1", ("beta", "staff"), {"country": "SE", "age": 30})
    owner = Owner("root", "nginx")
    assert found.files[:3] == (
        File(Path("upstreams.json"), Format.JSON, context=web, mode=0o640, owner=owner),
        File(
            Path("nginx.conf"),
            Format.TEMPLATE,
            Selection(prefixes=("web.", "shared.")),
            context=web,
            template=Path("/etc/trimtab/nginx.conf.j2"),
            mode=0o644,
            owner=owner,
        ),
        File(
            Path("secrets"),
            Format.KEYS,
            Selection(prefixes=("secret.",), strip=True, renames={"secret.db": "DATABASE"}),
            context=web,
            mode=0o640,
            owner=owner,
        ),
    )
    assert found.files[3].layout == Layout(nested=True)
    assert found.files[3].context == EvaluationContext("other")
    assert found.files[4].layout == Layout(section="app", escape_percent=True, flatten=False)


def test_short_forms_mean_the_same() -> None:
    (found,) = read("web: {files: /run/a.json, check: 'nginx -t', reload: 'kill -HUP 7', health: 'tcp://127.0.0.1:80'}")
    assert found.files == (File(Path("/run/a.json"), Format.JSON),)
    assert found.check == Command(("nginx", "-t"))
    assert found.reload == (Command(("kill", "-HUP", "7")),)
    (found,) = read("web: {files: /run/a.json, reload: [systemctl, reload, web]}")
    assert found.reload == (Command(("systemctl", "reload", "web")),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("web: x", "web is no mapping; write its members as `name: value`"),
        ("web: {}", "web.files is missing; give at least one, as {path: app.json}"),
        ("'a b': {files: /a.json}", "a b is no name; give 1 to 63 letters"),
        ("web: {files: [{path: /a.xml}]}", "web.files[0] does not tell the format of /a.xml; end its name in .json"),
        ("web: {files: [{path: /a, format: xml}]}", "web.files[0].format is 'xml'; give one of json, yaml, toml"),
        ("web: {files: [{format: json}]}", "web.files[0] is a file without a path"),
        ("web: {files: [{path: /a, format: template}]}", "web.files[0].format and `template:` do not agree"),
        ("web: {files: [{path: /a.json, moed: 1}]}", "web.files[0] has an unknown member 'moed'; did you mean 'mode'?"),
        ("web: {files: [/a.json, /a.json]}", "names /a.json twice"),
        ("web: {files: [{path: /s, format: keys}]}", "web has one file per key at /s, which takes a `directory:`"),
        ("web: {directory: run, files: a.json}", "web.directory is 'run'; give an absolute path"),
        ("web: {directory: /run, files: /a.json}", "web.files[0].path is '/a.json'; give it relative to the set's"),
        ("web: {directory: /run, files: ../a.json}", "web.files[0].path is '../a.json'; give it relative to the set's"),
        ("web: {directory: /run, files: ..data/a.json}", "with no part that starts with `..`"),
        (
            "web: {directory: /run, files: [a.json, a.json/b.json]}",
            "web.files has a.json/b.json below a.json, which is a file",
        ),
        ("web: {files: /a.json, owner: 'a:'}", "web.owner is 'a:'; give it as user, user:group or :group"),
        ("web: {files: /a.json, context: {agent.instance: x}}", "web.context has 'agent.instance'; what begins with"),
        ("web: {files: /a.json, context: {'a:': '{'}}", "web.context has 'a:', which is not JSON"),
        ("web: {files: /a.json, rename: {a: x, b: x}}", "web.rename has a name that is empty or given twice"),
        ("web: {files: /a.json, check: {timeout: 3}}", "web.check.command is missing; give the program"),
        ("web: {files: /a.json, check: {command: x, timeout: 9999}}", "web.check.timeout is '9999'; give at most 3600"),
        ('web: {files: /a.json, check: "it\'s"}', "web.check.command is no command (No closing quotation)"),
        ("web: {files: /a.json, reload: {signal: HUP}}", "web.reload does not say to whom the signal goes"),
        ("web: {files: /a.json, reload: {signal: NO, process: x}}", "web.reload.signal is 'NO'; give a signal's name"),
        ("web: {files: /a.json, reload: [{post: x}]}", "web.reload.post is no URL without credentials"),
        ("web: {files: /a.json, reload: {post: 'http://u:p@h/'}}", "web.reload.post is no URL without credentials"),
        (
            "web: {files: /a.json, reload: {signal: HUP, post: 'http://h'}}",
            "web.reload has signal and post; give one of",
        ),
        ("web: {files: /a.json, health: {within: 3}}", "web.health.probe is missing; give http://"),
        ("web: {files: /a.json, health: x}", "web.health.probe is no probe; give http://"),
        ("web: {files: /a.json, keep: -1}", "web.keep is '-1'; give a whole number from 0 to 100"),
        ("web: {files: /a.json, on_drift: ignore}", "web.on_drift is 'ignore'; give one of repair, report"),
        ("web: {files: /a.json, quiet: soon}", "web.quiet is 'soon'; give a number of seconds above 0"),
        ("web: {files: /a.json, quiet: {token: x}}", "web.quiet is a list or a mapping; give one text"),
        ("web: {files: {path: /a.json, mode: [x]}}", "web.files[0].mode is a list or a mapping; give one text"),
        ("web: {files: /a.json, templates: x}", "web has an unknown member 'templates'"),
        ("a: {files: /x/a.json}\nb: {files: /x/a.json}", "names /x/a.json twice (a, b)"),
        (
            "a: {files: /x/y/a.json}\nb: {directory: /x, files: b.json}",
            "names /x and /x/y/a.json within it twice (b, a)",
        ),
    ],
)
def test_a_mistake_is_one_line_that_says_where_why_and_what_to_do(text: str, said: str) -> None:
    told = mistakes(text)
    assert len(told) == 1, told
    assert said in told[0]


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    config = tmp_path / "agent.yaml"
    config.write_text(
        "file_sets:\n  web: {files: [{path: /a.json, mode: rw}], keep: x}\n  api: {check: {command: x, timeuot: 3}}\n"
    )
    with pytest.raises(SettingsError) as caught:
        load({"TRIMTAB_APP": "a", "TRIMTAB_ENVIRONMENT": "b"}, config)
    assert [each for each in caught.value.problems if "file_sets" in each] == [
        f"file_sets in {config}: web.files[0].mode is 'rw'; give it in octal digits, as 0640",
        f"file_sets in {config}: web.keep is 'x'; give a whole number from 0 to 100",
        f"file_sets in {config}: api.files is missing; give at least one, as {{path: app.json}}",
        f"file_sets in {config}: api.check has an unknown member 'timeuot'; did you mean 'timeout'?",
    ]


def test_sets_may_stand_in_a_file_of_their_own_and_must_not_meet_the_plain_files(tmp_path: Path) -> None:
    own = tmp_path / "sets.yaml"
    own.write_text("web: {files: /run/a.json}\n")
    environ = {
        "TRIMTAB_APP": "a",
        "TRIMTAB_ENVIRONMENT": "b",
        "TRIMTAB_AGENT_TOKEN": "t",
        "TRIMTAB_CONTROL_PLANE_URL": "http://127.0.0.1:1",
        "TRIMTAB_AGENT_FILE_SETS": str(own),
        "TRIMTAB_AGENT_FILES": "/run/b.json",
    }
    assert [each.name for each in load(environ).all_sets] == ["/run/b.json", "web"]
    with pytest.raises(SettingsError, match=r"together names /run/a.json twice \(/run/a.json, web\)"):
        load(environ | {"TRIMTAB_AGENT_FILES": "/run/a.json"})
    with pytest.raises(SettingsError, match=r"TRIMTAB_AGENT_FILE_SETS names .*, which cannot be read"):
        load(environ | {"TRIMTAB_AGENT_FILE_SETS": str(tmp_path / "none.yaml")})


def test_plain_paths_are_sets_of_one_file_each() -> None:
    assert files("/run/a.toml, /run/b.properties") == (
        FileSet.alone(File(Path("/run/a.toml"), Format.TOML)),
        FileSet.alone(File(Path("/run/b.properties"), Format.PROPERTIES)),
    )
