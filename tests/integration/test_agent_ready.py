"""An agent that renders files is ready when they are there: whoever waits for it finds them. Real processes."""

from pathlib import Path

from anyio import to_thread

from tests.integration.test_agent_life import Manager, site

SETS = """\
file_sets:
  app:
    directory: {place}/out
    files: app.json
    check: [sh, -c, "until [ -e {place}/go ]; do sleep 0.02; done; exit {code}"]
    health: {{probe: "tcp://127.0.0.1:1", within: 600}}
"""


async def test_ready_waits_for_the_first_files_and_for_nothing_after_them(tmp_path: Path) -> None:
    manager = Manager(str(tmp_path / "notify"))
    try:
        async with site(tmp_path, SETS.format(place=tmp_path, code=0), NOTIFY_SOCKET=manager.path) as it:
            it.agent.start()
            await manager.until("STATUS=The files of app are being written for the first time.")
            assert (await it.get("/v1/configs/a"))["value"] == 1
            async with it.session.get(it.agent.url + "/readyz") as answer:
                assert answer.status == 503
                assert "app" in (await answer.json())["detail"]
            assert not any("READY=1" in each for each in manager.heard)
            (tmp_path / "go").touch()
            await manager.until("READY=1")
            assert (tmp_path / "out/app.json").exists()
            await it.agent.until_ok()  # though nobody is well yet: the application waits for us
            assert (await it.get("/status"))["file_sets"][0]["phase"] == "waiting"
            assert await to_thread.run_sync(it.agent.stop) == 0
    finally:
        manager.close()


async def test_files_that_are_refused_do_not_keep_the_agent_from_being_ready(tmp_path: Path) -> None:
    async with site(tmp_path, SETS.format(place=tmp_path, code=1)) as it:
        (tmp_path / "go").touch()
        it.agent.start()
        await it.agent.until_ok()
        assert (await it.get("/status"))["file_sets"][0]["phase"] == "refused"
