"""Templates: what they can say, and what they cannot do."""

from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from agent.files.file_set import FileSet
from agent.files.rendering import rendered
from agent.files.target import File, Format, Selection
from agent.files.template_filters import FILTERS
from agent.files.templates import Job, Templates
from agent.files.unrenderable import UnrenderableError
from agent.snapshot.own import own_context
from shared.domain.codec import Json
from tests.fakes.snapshots import snapshot_of

VALUES: Mapping[str, Json] = {"db.host": "db.example", "db.pool": 20, "db.items": [1, 2], "name": 'it\'s "grüß"'}
AGENT = {"instance": "i-1", "label": {"region": "eu"}}


def job(directory: Path, text: str, values: Mapping[str, Json] = VALUES, *, secret: bool = False) -> Job:
    (directory / "app.j2").write_text(text)
    return Job("set", "app.conf", directory / "app.j2", values, AGENT, secret)


def given(directory: Path, text: str, values: Mapping[str, Json] = VALUES) -> str:
    return Templates().render([job(directory, text, values)])[0]


def refused(directory: Path, text: str, *, secret: bool = False, seconds: float = 10.0) -> str:
    with pytest.raises(UnrenderableError) as caught:
        Templates(seconds).render([job(directory, text, secret=secret)])
    assert caught.value.file == "app.conf"
    return caught.value.why


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ config.db.pool }} {{ value('db.host') }}\n", "20 db.example\n"),
        ("{{ configs['db.pool'] }} {{ config['db'].host }}", "20 db.example"),
        ("{{ config.db.items }}", "[1, 2]"),
        ("{{ value('db.user', 'app') }} {{ value('db.user') | default('me') }}", "app me"),
        ("{{ required('db.pool') }} {{ has('db.pool') }} {{ has('nope') }}", "20 True False"),
        ("{% for key in under('db.') | sort %}\n{{ key }}\n{% endfor %}", "host\nitems\npool\n"),
        ("{{ agent.instance }} {{ agent.label.region }}", "i-1 eu"),
        ("{% if has('x') %}\nx\n{% endif %}\ny\n", "y\n"),
        ("<{{ value('name') }}>", '<it\'s "grüß">'),
    ],
)
def test_templates_have_the_configs_and_helpers(tmp_path: Path, text: str, said: str) -> None:
    assert given(tmp_path, text) == said


@pytest.mark.parametrize(
    ("value", "filters", "said"),
    [
        ({"b": [1], "a": "<"}, "json", '{"b":[1],"a":"<"}'),
        ({"b": [1], "a": 2}, "json_pretty", '{\n  "a": 2,\n  "b": [\n    1\n  ]\n}'),
        ({"b": [1, {"c": "no"}], "a": 2}, "yaml", 'a: 2\nb:\n  - 1\n  - c: "no"'),
        ("no", "yaml", '"no"'),
        ({"b": [1], "a": "x"}, "toml", '{a = "x", b = [1]}'),
        ("it's $HOME", "shell", "'it'\"'\"'s $HOME'"),
        (" grüß=", "properties", "\\ gr\\u00fc\\u00df="),
        ("db.pool-size", "variable", "DB_POOL_SIZE"),
        ("a \n  b\r\nc", "one_line", "a b c"),
        ("grüß", "base64", "Z3LDvMOf"),
        ("Z3LDvMOf", "base64_decode", "grüß"),
        ("a", "sha256 | truncate(8, end='')", "ca978112"),
    ],
)
def test_filters_make_texts_of_values(tmp_path: Path, value: Json, filters: str, said: str) -> None:
    assert filters.split(maxsplit=1)[0] in FILTERS
    assert given(tmp_path, f"{{{{ value('it') | {filters} }}}}", {"it": value}) == said


def test_templates_of_the_same_directory_can_be_included_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "line.j2").write_text("{{ value('db.pool') }}")
    assert given(tmp_path, "{% include 'parts/line.j2' %}{% include 'none' ignore missing %}") == "20"
    (tmp_path / "above.j2").write_text("secret")
    inner = tmp_path / "parts"
    for name in ("../above.j2", str(tmp_path / "above.j2")):
        assert refused(inner, f"{{% include '{name}' %}}").startswith("there is no template")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{{ value('db.user') }}", "app.j2, line 1: there is no config 'db.user' here"),
        ("\n\n{{ required('db.user') }}", "app.j2, line 3: the config 'db.user' is required"),
        ("{% if value('db.pool') > 10 %}{{ fail('at most 10') }}{% endif %}", "app.j2, line 1: at most 10"),
        ("{{ config.db.user }}", "app.j2, line 1: 'dict object' has no attribute 'user'"),
        ("{{ name }}", "app.j2, line 1: 'name' is undefined"),
        ("a\n{{ value('db.pool' }}", "app.j2, line 2: unexpected '}', expected ')'"),
        ("{{ value('name') + 5 }}", "app.j2, line 1: can only concatenate"),
        ("{{ ''.__class__ }}", "app.j2, line 1: access to attribute '__class__' of 'str' object is unsafe"),
        ("{{ configs.update({}) }}", "app.j2, line 1: access to attribute 'update' of 'dict' object is unsafe"),
        ("{{ range(10000000) }}", "app.j2, line 1: Range too big"),
        ("{{ [1, 2] | random }}", "app.j2, line 1: No filter named 'random'"),
        ("\n{{ [none] | toml }}", "app.j2, line 2: has null in a list, which TOML cannot say"),
        ("{{ 'a' * 10 ** 10 }}", "takes too much memory"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "takes too much recursion"),
        ("{% for i in range(100000) %}{{ 'a' * 1000 }}{% endfor %}", "gives more than 8,388,608 characters"),
    ],
)
def test_what_cannot_be_rendered_says_where_and_why(tmp_path: Path, text: str, why: str) -> None:
    assert refused(tmp_path, text).startswith(why)


def test_a_template_that_does_not_end_is_ended_and_leaves_no_process(tmp_path: Path) -> None:
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    assert refused(tmp_path, endless, seconds=0.5).startswith("does not end within 0.5 s")
    assert refused(tmp_path, "{{ 10 ** (10 ** 9) }}", seconds=0.5).startswith("does not end within 0.5 s")
    assert not [each for each in psutil.Process().children() if "template_child" in " ".join(each.cmdline())]


def test_what_goes_wrong_with_sensitive_values_is_told_without_them(tmp_path: Path) -> None:
    for text in ("{{ configs[value('db.host')] }}", "{{ value('db.host').index(1) }}", "{{ {}[value('db.host')].x }}"):
        told = refused(tmp_path, text, secret=True)
        assert told.startswith("app.j2, line 1: fails (")
        assert "db.example" not in told
    for text, kind in (
        ("{{ fail('bad: ' ~ value('db.host')) }}", "RequiredError"),
        ("{{ required(value('db.host')) }}", "RequiredError"),
        ("{{ required('x', value('db.host')) }}", "RequiredError"),
        ("{{ ''|attr('__' ~ value('db.host')) }}", "UndefinedError"),
        ("{{ ''.__class__ }}", "SecurityError"),
        ("{% include value('db.host') %}", "TemplateNotFound"),
    ):
        assert refused(tmp_path, text, secret=True).startswith(f"app.j2, line 1: fails ({kind})"), text
    assert refused(tmp_path, "{{ required('x') }}", secret=True) == "app.j2, line 1: the config 'x' is required"
    assert refused(tmp_path, "{{ fail('no host') }}", secret=True) == "app.j2, line 1: no host"
    assert refused(tmp_path, "{% include 'gone' %}", secret=True).startswith("there is no template 'gone' in ")
    (tmp_path / "db.example").write_bytes(b"\xff")
    told = refused(tmp_path, "{% include value('db.host') %}", secret=True)
    assert told == "a template that is named by a value is not UTF-8 (byte 0)"


def test_a_missing_template_and_one_that_is_no_text_are_told(tmp_path: Path) -> None:
    gone = Job("set", "app.conf", tmp_path / "none.j2", VALUES, AGENT, secret=False)
    with pytest.raises(UnrenderableError, match=r"there is no template 'none.j2'"):
        Templates().render([gone])
    (tmp_path / "none.j2").write_bytes(b"\xff")
    with pytest.raises(UnrenderableError, match=r"none.j2 is not UTF-8 \(byte 0\)"):
        Templates().render([gone])
    (tmp_path / "none.j2").write_bytes(b" " * 1_048_577)
    with pytest.raises(UnrenderableError, match=r"none.j2 is larger than 1,048,576 bytes"):
        Templates().render([gone])


def test_a_template_that_breaks_leaves_the_one_before_at_work_until_it_is_mended(tmp_path: Path) -> None:
    templates, path = Templates(), tmp_path / "app.j2"
    assert templates.render([job(tmp_path, "{{ value('db.pool') }}")]) == ["20"]
    for broken in ("{{ value('db.pool' }}", "{{ value('db.pol') }}"):
        assert templates.render([job(tmp_path, broken, {"db.pool": 30})]) == ["30"]
        assert path in templates.broken
        assert templates.render([job(tmp_path, broken, {"db.pool": 31})]) == ["31"]
    path.unlink()
    assert templates.render([Job("set", "app.conf", path, {"db.pool": 32}, AGENT, secret=False)]) == ["32"]
    assert templates.render([job(tmp_path, "{{ value('db.pool') }}!")]) == ["20!"]
    assert templates.broken == {}


def test_an_included_template_that_breaks_does_the_same(tmp_path: Path) -> None:
    (part := tmp_path / "part.j2").write_text("{{ value('db.pool') }}")
    templates = Templates()
    outer = job(tmp_path, "{% include 'part.j2' %}")
    assert templates.render([outer]) == ["20"]
    assert templates.sources == {tmp_path / "app.j2", part}
    part.write_text("{{")
    assert templates.render([outer]) == ["20"]
    assert templates.broken.keys() == {tmp_path / "app.j2"}
    part.write_text("{{ value('db.host') }}")
    assert templates.render([outer]) == ["db.example"]


def test_configs_that_lack_something_are_no_reason_to_go_back_to_another_template(tmp_path: Path) -> None:
    templates = Templates()
    assert templates.render([job(tmp_path, "{{ value('db.pool') }}")]) == ["20"]
    same = Job("set", "app.conf", tmp_path / "app.j2", {}, AGENT, secret=False)
    with pytest.raises(UnrenderableError, match=r"there is no config 'db.pool' here") as caught:
        templates.render([same])
    assert not caught.value.template
    assert templates.broken == {}


def test_only_what_changed_is_rendered_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    templates, asked = Templates(), job(tmp_path, "{{ value('db.pool') }}")
    assert templates.render([asked]) == ["20"]
    monkeypatch.setattr("agent.files.templates._CHILD", ("/bin/false",))
    assert templates.render([asked]) == ["20"]
    with pytest.raises(UnrenderableError, match="does not end"):
        templates.render([job(tmp_path, "{{ value('db.pool') }}", {"db.pool": 5})])


def test_all_templates_of_a_set_are_rendered_at_once_and_the_one_that_hangs_is_named(tmp_path: Path) -> None:
    names = ("a", "b", "c")
    for name in names:
        (tmp_path / f"{name}.j2").write_text(f"{name}={{{{ value('db.pool') }}}} {{{{ agent.label.region }}}}")
    files = tuple(File(Path(name), Format.TEMPLATE, template=tmp_path / f"{name}.j2") for name in names)
    file_set = FileSet(name="set", files=files, directory=Path("/run/app"))
    snapshot, own = snapshot_of(3, VALUES), own_context("i", "billing", "prod", {"region": "eu"})
    found = rendered(file_set, snapshot, own, 0, templates := Templates(5.0))
    assert {path: each.data for path, each in found.items()} == {name: f"{name}=20 eu".encode() for name in names}
    (tmp_path / "b.j2").write_text("{{ 10 ** (10 ** 9) }}")
    for name in ("a", "c"):
        (tmp_path / f"{name}.j2").touch()
    with pytest.raises(UnrenderableError, match="does not end") as caught:
        rendered(file_set, snapshot, own, 0, Templates(2.0))
    assert caught.value.file == "b"
    assert rendered(file_set, snapshot, own, 0, templates)["b"].data == b"b=20 eu"


def test_templates_see_what_their_file_selects(tmp_path: Path) -> None:
    (tmp_path / "a.j2").write_text("{{ configs | json }}")
    file = File(Path("/a"), Format.TEMPLATE, Selection(prefixes=("db.p",), strip=True), template=tmp_path / "a.j2")
    found = rendered(FileSet.alone(file), snapshot_of(3, VALUES), own_context("i", "a", "b", {}), 0)
    assert found["/a"].data == b'{"ool":20}'
