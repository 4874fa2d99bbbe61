"""Templates that try to get out of their sandbox, or to take all there is: each is refused, and the agent goes on."""

import os
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import psutil
import pytest

from agent.files.templates import Job, Templates
from agent.files.unrenderable import UnrenderableError
from tests.fakes.snapshots import snapshot_of
from tests.integration.test_local_api import agent
from tests.rig import hostile
from tests.rig.tally import Tally

VALUES = {"db.host": "db.example", "db.items": [1, 2], "secret": "canary-of-a-template"}
AGENT = {"instance": "i-1", "label": {}}
OUTSIDE = "from-outside-of-the-directory"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory of templates with all that could lead out of it."""
    (tmp_path / "outside").write_text(OUTSIDE)
    found = tmp_path / "templates"
    (found / "parts").mkdir(parents=True)
    (found / "..2026").mkdir()
    (found / "..2026" / "part").write_text("a part {{ value('db.host') }}")
    (found / "part").symlink_to("..2026/part")
    (found / "leads-out").symlink_to(tmp_path / "outside")
    (found / "up").symlink_to("..")
    (found / "itself.j2").write_text("{% include 'itself.j2' %}")
    os.mkfifo(found / "pipe")
    return found


def rendered(directory: Path, text: str, seconds: float = 8.0) -> str:
    (directory / "app.j2").write_text(text)
    return Templates(seconds).render([Job("set", "app.conf", directory / "app.j2", VALUES, AGENT, True)])[0]


def refusal(directory: Path, text: str, seconds: float = 8.0) -> str:
    with pytest.raises(UnrenderableError) as refused:
        rendered(directory, text, seconds)
    return refused.value.why


def test_no_template_gets_out(directory: Path, counted: Tally) -> None:
    """Many in one process, as those of a set are; one that ends it is refused, and the rest get another one."""
    waiting, refused = list(hostile.templates().items()), 0
    while waiting:
        jobs = []
        for number, (_, text) in enumerate(waiting):
            place = directory / f"{number}.j2"
            place.write_text(text)
            jobs.append(Job("set", str(number), place, VALUES, AGENT, True))
        answers = Templates(60.0)._run(jobs, None)
        for (name, _), answer in zip(waiting, answers.lines, strict=False):
            assert "text" not in answer, name
            told = str(answer["error"])
            assert not [each for each in (OUTSIDE, "canary", "root:") if each in told], name
        done = len(answers.lines) + 1 if len(answers.lines) < len(waiting) else len(waiting)
        refused, waiting = refused + done, waiting[done:]
    assert refused == len(hostile.templates()) > 140
    counted[0] += refused


@pytest.mark.parametrize(
    "text", ["{% include 'leads-out' %}", "{% include 'pipe' %}", "{{ ''.__class__ }}", "{{ 'a' * 10 ** 9 }}"]
)
def test_a_set_with_such_a_template_is_not_published(directory: Path, text: str) -> None:
    assert OUTSIDE not in refusal(directory, text)


@pytest.mark.parametrize("name", hostile.slow_templates())
def test_a_template_that_takes_too_long_is_ended(directory: Path, name: str) -> None:
    before = set(psutil.Process().children(recursive=True))
    assert "canary" not in refusal(directory, hostile.slow_templates()[name], seconds=0.7)
    assert not [each for each in psutil.Process().children(recursive=True) if each not in before]


def test_what_lies_in_the_directory_may_be_included_by_links_as_well(directory: Path) -> None:
    assert rendered(directory, "{% include 'part' %}") == "a part db.example"


def test_a_template_may_itself_be_a_link(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.j2").write_text("{{ value('db.host') }}")
    (directory / "main.j2").symlink_to(tmp_path / "elsewhere.j2")
    job = Job("set", "app.conf", directory / "main.j2", VALUES, AGENT, True)
    assert Templates().render([job]) == ["db.example"]


def test_no_variable_of_the_agent_is_in_its_process(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_AGENT_TOKEN", "canary-of-the-environment")
    monkeypatch.setattr("agent.files.templates._CHILD", ("/bin/sh", "-c", f"env > {directory}/environ; cat >/dev/null"))
    with pytest.raises(UnrenderableError):
        rendered(directory, "x")
    found = (directory / "environ").read_text()
    assert "PYTHONHASHSEED" in found
    assert "canary" not in found
    assert "HOME" not in {line.partition("=")[0] for line in found.splitlines()}


async def test_the_agent_answers_while_templates_take_all_they_can(directory: Path) -> None:
    bombs = [
        "{{ 10 ** (10 ** 9) }}",
        "{{ ('a' * 10 ** 8)|upper }}",
        "{% for a in range(99999) %}{{ 'x' * 99 }}{% endfor %}",
    ]
    waits: list[float] = []
    async with agent() as it:
        it.live(snapshot_of(1, {"a": 1}))
        async with anyio.create_task_group() as group:

            async def render_all() -> None:
                for each in bombs * 2:
                    await anyio.to_thread.run_sync(partial(refusal, directory, each, 0.5))
                group.cancel_scope.cancel()

            group.start_soon(render_all)
            while True:
                began = anyio.current_time()
                assert (await it.get("/v1/values/a"))[0] == 200
                waits.append(anyio.current_time() - began)
                await anyio.sleep(0.01)
    assert len(waits) > 10
    print(f"{len(waits)} reads, the slowest {max(waits) * 1000:.1f} ms")  # noqa: T201 - a measurement
    assert max(waits) < 3.0
