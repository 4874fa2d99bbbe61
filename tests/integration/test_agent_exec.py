"""`trimtab-agent exec`: configs as the environment of a command, restarts, signals, its end as ours, orphans, terminals."""

import os
import pty
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import anyio
import psutil
import pytest

from tests.rig.executed import DEADLINE, Executed, executing
from tests.rig.process import clean_environ

SERVER = ["sh", "-c", 'echo "pool $DB_POOL" >>"$OUT"; exec sleep 1000']
"""Runs until it is told to end."""


async def test_configs_are_the_environment_and_the_end_of_the_command_is_ours(tmp_path: Path) -> None:
    script = 'env >"$OUT"; exit 7'
    async with executing(
        tmp_path, db__pool=b"20", name=b'"gr\xc3\xbc\xc3\x9f dich"', hosts=b'["a","b"]', no=b"null"
    ) as it:
        it.start(["sh", "-c", script], TRIMTAB_AGENT_LOCAL_TOKEN="0123456789abcdef", NOTIFY_SOCKET="", LANG="C.UTF-8")
        assert await it.code() == 7
        told = dict(line.partition("=")[::2] for line in it.lines())
        assert (told["DB_POOL"], told["NAME"], told["HOSTS"], told["NO"]) == ("20", "grüß dich", '["a","b"]', "")
        assert told["LANG"] == "C.UTF-8"
        assert [name for name in told if name.startswith("TRIMTAB")] == ["TRIMTAB_AGENT_URL"]
        assert told["TRIMTAB_AGENT_URL"] == f"http://127.0.0.1:{it.port}"
        assert "grüß" not in it.log.read_text()


async def test_prefixes_renames_and_what_is_inherited_are_settings(tmp_path: Path) -> None:
    async with executing(tmp_path, db__pool=b"20", db__url=b'"x"', app__a=b"1", other=b"2", path=b'"/evil"') as it:
        flags = ["--env-prefix", "db.,app.", "--strip-prefix", "--env-rename", "db.url=DATABASE_URL"]
        it.start(
            [sys.executable, "-c", "import os; print(*sorted(os.environ), file=open(os.environ['OUT'], 'w'))"],
            *flags,
            "--inherit",
            "OUT,HOME",
        )
        assert await it.code() == 0
        (line,) = it.lines()
        assert set(line.split()) - {"LC_CTYPE"} == {"A", "DATABASE_URL", "HOME", "OUT", "POOL", "TRIMTAB_AGENT_URL"}


async def test_no_config_decides_what_runs_by_its_key_alone(tmp_path: Path) -> None:
    async with executing(tmp_path, path=b'"/evil"', ld__preload=b'"/evil.so"', env=b"1") as it:
        it.start(["sh", "-c", 'echo "$PATH $LD_PRELOAD $ENV" >>"$OUT"; exec sleep 1000'])
        await it.until_lines(f"{os.environ['PATH']}  1")
        assert "ld.preload, path: " in await it.until_remarked("exec", "names")


async def test_a_change_restarts_the_command_and_a_burst_restarts_it_once(tmp_path: Path) -> None:
    async with executing(tmp_path, db__pool=b"1") as it:
        it.start(SERVER, "--quiet-period", "0.5")
        await it.until_lines("pool 1")
        for value in (b"2", b"3", b"4"):
            await it.put("db.pool", value)
        assert await it.until_lines("pool 4") == ["pool 1", "pool 4"]
        it.signal(signal.SIGTERM)
        assert await it.code() == 128 + signal.SIGTERM


async def test_a_change_that_does_not_concern_the_command_leaves_it_alone(tmp_path: Path) -> None:
    async with executing(tmp_path, db__pool=b"1") as it:
        it.start(SERVER, "--env-prefix", "db.")
        await it.until_lines("pool 1")
        await it.put("other", b"1")
        await it.put("db.pool", b"2")
        assert await it.until_lines("pool 2") == ["pool 1", "pool 2"]


async def test_a_change_may_signal_instead(tmp_path: Path) -> None:
    script = 'trap "echo hup >>$OUT" USR1; echo "pool $DB_POOL" >>"$OUT"; while :; do sleep 0.05; done'
    async with executing(tmp_path, db__pool=b"1") as it:
        it.start(["sh", "-c", script], "--on-change", "signal", "--signal", "USR1")
        await it.until_lines("pool 1")
        await it.put("db.pool", b"2")
        await it.until_lines("pool 1", "hup")


async def test_a_value_that_cannot_be_a_variable_is_refused_and_the_old_command_runs_on(tmp_path: Path) -> None:
    async with executing(tmp_path, db__pool=b"1") as it:
        it.start(SERVER)
        await it.until_lines("pool 1")
        await it.put("db.name", b'"nul\\u0000hidden"')
        told = await it.until_remarked("exec", "environment")
        assert "'db.name' holds a NUL character" in told
        await it.put("db.name", b'"' + b"x" * 200_000 + b'"')
        with anyio.fail_after(DEADLINE):
            while "the system takes 131072" not in told:
                told = await it.until_remarked("exec", "environment")
        with anyio.fail_after(DEADLINE):
            while not any(remark.refuses for report in it.control_plane.reports for remark in report.remarks):
                await anyio.sleep(0.01)
        assert it.lines() == ["pool 1"]
        await it.put("db.name", b'"well"')
        await it.until_lines("pool 1", "pool 1")
        await it.until_remarked("exec", "environment", stands=False)
        assert "hidden" not in it.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT])
async def test_signals_are_handed_on_and_the_code_is_the_commands(tmp_path: Path, number: signal.Signals) -> None:
    name = number.name.removeprefix("SIG")
    script = f'trap "exit 42" {name}; echo ready >>"$OUT"; while :; do sleep 0.02; done'
    async with executing(tmp_path, a=b"1") as it:
        it.start(["sh", "-c", script])
        await it.until_lines("ready")
        it.signal(number)
        assert await it.code() == 42


async def until_running(it: Executed, name: str) -> None:
    """Wait until one of the agent's descendants is this program: a shell that is about to start it may miss a signal."""
    with anyio.fail_after(DEADLINE):
        while name not in {each.name() for each in psutil.Process(it.agent.pid).children(recursive=True)}:
            await anyio.sleep(0.01)


async def test_a_shell_that_waits_for_its_program_is_interrupted_as_at_a_terminal(tmp_path: Path) -> None:
    async with executing(tmp_path, a=b"1") as it:
        it.start(["sh", "-c", 'echo ready >>"$OUT"; sleep 1000; :'])
        await it.until_lines("ready")
        await until_running(it, "sleep")
        it.signal(signal.SIGINT)
        assert await it.code() == 128 + signal.SIGINT


async def test_a_command_that_does_not_end_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    script = (
        'trap "" TERM; sh -c "trap \\"\\" TERM; echo \\$\\$ >>$OUT; sleep 1000; sleep 1000" & sleep 1000; sleep 1000'
    )
    async with executing(tmp_path, a=b"1") as it:
        it.start(["sh", "-c", script], "--kill-timeout", "0.3")
        with anyio.fail_after(DEADLINE):
            while not it.lines():
                await anyio.sleep(0.01)
        it.signal(signal.SIGTERM)
        assert await it.code() == 128 + signal.SIGKILL
        with anyio.fail_after(DEADLINE):
            while psutil.pid_exists(int(it.lines()[0])):
                await anyio.sleep(0.01)


async def test_a_command_that_fails_on_new_values_is_tried_again_and_told_of_until_it_is_given_up(
    tmp_path: Path,
) -> None:
    script = 'echo "pool $DB_POOL" >>"$OUT"; [ "$DB_POOL" = 2 ] && exit 9; exec sleep 1000'
    async with executing(tmp_path, db__pool=b"1") as it:
        it.start(["sh", "-c", script], "--restart-tries", "2", "--restart-backoff", "0.4")
        await it.until_lines("pool 1")
        await it.put("db.pool", b"2")
        told = await it.until_remarked("exec", "command")
        assert "ended with 9" in told
        assert (await it.status())["application"]["condition"] in {"unknown", "unhealthy"}
        assert await it.code() == 9
        assert it.lines() == ["pool 1", "pool 2", "pool 2", "pool 2"]


async def test_other_values_end_the_wait_after_a_crash(tmp_path: Path) -> None:
    script = 'echo "pool $DB_POOL" >>"$OUT"; [ "$DB_POOL" = 2 ] && exit 9; exec sleep 1000'
    async with executing(tmp_path, db__pool=b"1") as it:
        it.start(["sh", "-c", script], "--restart-backoff", "30", "--settle", "1.5")
        await it.until_lines("pool 1")
        await it.put("db.pool", b"2")
        await it.until_remarked("exec", "command")
        await it.put("db.pool", b"3")
        await it.until_lines("pool 1", "pool 2", "pool 3")
        await it.until_remarked("exec", "command", stands=False)


async def test_a_command_that_fails_again_and_again_is_given_what_it_was_well_with(tmp_path: Path) -> None:
    script = 'echo "pool $DB_POOL" >>"$OUT"; [ "$DB_POOL" = 2 ] && exit 9; exec sleep 1000'
    flags = ["--restart-tries", "1", "--settle", "1.5", "--proven-after", "0.2", "--fallback"]
    async with executing(tmp_path, db__pool=b"1") as it:
        it.start(["sh", "-c", script], *flags)
        await it.until_lines("pool 1")
        await it.until_logged('"proven"')
        await it.put("db.pool", b"2")
        await it.until_lines("pool 1", "pool 2", "pool 2", "pool 1")
        assert "it is given revision 1" in await it.until_remarked("fallback", "proven")
        status = await it.status()
        assert (status["revision"], status["applied_revision"], status["proven"]["fallback"]) == (1, 2, True)
        ready = await it.get("/readyz")
        assert "on which it was well" in ready["fallback"]
        assert (await it.get("/v1/configs/db.pool"))["reason"] == "STALE"
        it.agent.kill()
        await it.code()
        it.start(["sh", "-c", script], *flags)
        await it.until_lines("pool 2", "pool 1", "pool 1")
        await it.put("db.pool", b"3")
        await it.until_lines("pool 1", "pool 3")
        await it.until_remarked("fallback", "proven", stands=False)


async def test_a_fallback_is_ended_by_hand(tmp_path: Path) -> None:
    """The probe fails on the value 2; the command runs with it."""
    flags = ["--proven-after", "1", "--fallback", "--fallback-after", "0.2", "--probe-interval", "0.1"]
    probe = 'exec:sh -c \'test "$(tail -n 1 $OUT)" != "pool 2"\''
    async with executing(tmp_path, db__pool=b"1") as it:
        it.start(SERVER, *flags, "--probe", probe)
        await it.until_lines("pool 1")
        await it.until_logged('"proven"')
        await it.put("db.pool", b"2")
        await it.until_lines("pool 2", "pool 1")
        await it.until_remarked("fallback", "proven")
        done = await it.command("fallback", "--end")
        assert (done.returncode, done.stdout) == (0, "ended: readers have revision 2\n")
        await it.until_lines("pool 1", "pool 2")
        assert (await it.command("fallback", "--end")).returncode == 1


async def test_nothing_is_started_before_the_agent_is_ready_and_the_wait_has_an_end(tmp_path: Path) -> None:
    async with executing(tmp_path) as it:
        it.control_plane.status = 503
        it.start(SERVER, "--ready-timeout", "0.5")
        assert await it.code() == 124
        assert not it.lines()
        assert "the command is not started: There is no snapshot yet" in it.log.read_text()
        it.start(SERVER)
        await it.until_logged("feed lost")
        it.control_plane.status = 200
        await it.put("db.pool", b"5")
        await it.until_lines("pool 5")


@pytest.mark.parametrize(
    ("words", "code"), [(["no-such-program"], 127), (["/etc/passwd"], 126), (["sh", "-c", "kill -9 $$"], 137)]
)
async def test_codes_are_those_of_a_shell(tmp_path: Path, words: list[str], code: int) -> None:
    async with executing(tmp_path, a=b"1") as it:
        it.start(words)
        assert await it.code() == code


async def test_files_are_there_first_and_hooks_that_need_the_command_are_called_again_once_it_runs(
    tmp_path: Path,
) -> None:
    (tmp_path / "agent.yaml").write_text(
        f"""
        file_sets:
          app:
            files: [{tmp_path}/app.json]
            reload: [{{command: [sh, -c, 'test -e {tmp_path}/out && echo reloaded >>{tmp_path}/out']}}]
        """
    )
    async with executing(tmp_path, a=b"1") as it:
        words = ["sh", "-c", f'cat {tmp_path}/app.json >/dev/null && echo started >>"$OUT"; exec sleep 1000']
        it.start(words, "--config", f"{tmp_path}/agent.yaml", "--settle", "0.3")
        await it.until_lines("started", "reloaded")


async def test_a_killed_agent_takes_the_command_with_it(tmp_path: Path) -> None:
    async with executing(tmp_path, a=b"1") as it:
        it.start(["sh", "-c", 'echo $$ >>"$OUT"; exec sleep 1000'])
        with anyio.fail_after(DEADLINE):
            while not it.lines():
                await anyio.sleep(0.01)
            it.agent.kill()
            while psutil.pid_exists(int(it.lines()[0])):
                await anyio.sleep(0.01)


async def test_as_pid_1_it_takes_in_orphans(tmp_path: Path) -> None:
    """The command leaves ten processes behind that end later; nothing of them may stay."""
    leave = "for i in 1 2 3 4 5 6 7 8 9 10; do (sh -c 'sleep 0.05' &); done"
    left = "while grep -qsx sleep /proc/[0-9]*/comm; do :; done"
    taken_in = "while grep -qs '^State:.Z' /proc/[0-9]*/status; do :; done"
    script = f'[ "$(cat /proc/1/comm)" != sh ] || exit 5; {leave}; {left}; {taken_in}; echo none >>"$OUT"; exit 3'
    async with executing(tmp_path, a=b"1") as it:
        it.start(["sh", "-c", script], before=["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"])
        assert await it.code() == 3
        assert it.lines() == ["none"]


@dataclass
class Typed:
    """An agent at a terminal of its own, and what was said there."""

    pid: int
    terminal: int
    said: str = ""

    def type(self, keys: bytes) -> None:
        os.write(self.terminal, keys)

    async def until_said(self, wanted: str) -> None:
        with anyio.fail_after(DEADLINE):
            while wanted not in self.said:
                await anyio.wait_readable(self.terminal)
                self.said += os.read(self.terminal, 4096).decode()

    async def until_status(self, wanted: str) -> None:
        with anyio.fail_after(DEADLINE):
            while psutil.Process(self.pid).status() != wanted:
                await anyio.sleep(0.01)

    async def code(self) -> int:
        _, status = await anyio.to_thread.run_sync(os.waitpid, self.pid, 0)
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(status)


def at_a_terminal(it: Executed, script: str) -> Typed:
    """Start an agent whose command is a Python script."""
    directory = it.directory
    (directory / "typed.py").write_text(script)
    settings = {"TRIMTAB_APP": "billing", "TRIMTAB_ENVIRONMENT": "prod", "TRIMTAB_AGENT_TOKEN": "secret"}
    flags = ["--control-plane-url", it.control_plane.url, "--listen", "127.0.0.1:0", "--log-level", "error"]
    words = [sys.executable, "-m", "agent", "exec", *flags, "--state-dir", f"{directory}/state"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(words[0], [*words, "--", sys.executable, f"{directory}/typed.py"], clean_environ() | settings)  # noqa: S606
    return Typed(pid, terminal)


async def test_the_terminal_is_the_commands(tmp_path: Path) -> None:
    """What is typed reaches the command, Ctrl-C included, and its answers come out."""
    script = (
        "import os, sys\n"
        "print('tty', sys.stdin.isatty(), os.tcgetpgrp(0) == os.getpgrp(), flush=True)\n"
        "try:\n    print('read', input(), flush=True); input()\n"
        "except KeyboardInterrupt:\n    print('interrupted', flush=True); sys.exit(4)\n"
    )
    async with executing(tmp_path, a=b"1") as it:
        typed = at_a_terminal(it, script)
        await typed.until_said("tty True True")
        typed.type(b"hello\n")
        await typed.until_said("read hello")
        typed.type(b"\x03")
        await typed.until_said("interrupted")
        assert await typed.code() == 4


async def test_a_command_that_is_stopped_at_the_terminal_gives_it_back_and_goes_on_with_it(tmp_path: Path) -> None:
    """Ctrl-Z stops the agent as well, so that a shell would notice; `fg` is a CONT for it."""
    script = "print('ready', flush=True)\nfor line in iter(input, 'end'): print('read', line, flush=True)\n"
    async with executing(tmp_path, a=b"1") as it:
        typed = at_a_terminal(it, script)
        await typed.until_said("ready")
        typed.type(b"\x1a")
        await typed.until_status(psutil.STATUS_STOPPED)
        assert os.tcgetpgrp(typed.terminal) == typed.pid
        os.kill(typed.pid, signal.SIGCONT)
        typed.type(b"hello\n")
        await typed.until_said("read hello")
        typed.type(b"end\n")
        assert await typed.code() == 0
