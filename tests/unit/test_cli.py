"""The command line: a client like any other, and errors in plain words."""

import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from typer.testing import CliRunner

from control_plane.cli.client import Client, ClientError
from control_plane.cli.dev.credentials import read_credentials, write_credentials
from control_plane.cli.main import app
from shared.domain.codec import decode, encode
from tests.rig.dev import ROOT, environ


class _Api(HTTPServer):
    """Answers what a test has prepared and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[tuple[int, Any]] = []
        self.asked: list[tuple[str, str, Any, dict[str, str]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: _Api

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked = (self.command, self.path, decode(body) if body else None, dict(self.headers))
        self.server.asked.append(asked)
        status, document = self.server.answers.pop(0)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(encode(document))

    do_GET = do_POST = _answer  # noqa: N815 - the standard library's names

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def api() -> Iterator[_Api]:
    with _Api() as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _run(api: _Api, *arguments: str, **environ_: str) -> Any:
    return CliRunner().invoke(app, list(arguments), env={"TRIMTAB_URL": api.url, "TRIMTAB_TOKEN": "t0k3n", **environ_})


def test_get_prints_the_effective_value(api: _Api) -> None:
    api.answers.append((200, {"configs": {"a": {"value": {"b": [1]}}}}))
    result = _run(api, "get", "a", "--app", "shop", "--env", "prod")
    assert result.output == '{"b":[1]}\n'
    method, path, body, headers = api.asked[0]
    assert (method, path) == ("POST", "/api/v1/configs/fetch")
    assert body == {"app_id": "shop", "environment": "prod", "keys": ["a"]}
    assert headers["Authorization"] == "Bearer t0k3n"


def test_get_takes_application_and_environment_from_the_credentials(api: _Api) -> None:
    api.answers.append((200, {"configs": {"a": {"value": "plain text"}}}))
    result = _run(api, "get", "a", TRIMTAB_APP="shop", TRIMTAB_ENVIRONMENT="prod")
    assert result.output == "plain text\n"


def test_a_missing_config_is_an_error(api: _Api) -> None:
    api.answers.append((200, {"configs": {}}))
    assert _run(api, "get", "a", "--app", "shop", "--env", "prod").exit_code == 1


@pytest.mark.parametrize(("given", "sent"), [("12", 12), ("true", True), ('{"a":1}', {"a": 1}), ("hello", "hello")])
def test_put_takes_json_or_plain_text(api: _Api, given: str, sent: Any) -> None:
    api.answers.append((201, {"revision": 7}))
    result = _run(api, "put", "k", given, "--app", "shop", "-m", "why")
    assert result.output == "revision 7\n"
    operation = {"op": "put", "key": "k", "value": sent, "app_id": "shop", "environment": None}
    assert api.asked[0][2] == {"message": "why", "operations": [operation]}


def test_a_dry_run_says_that_nothing_was_changed(api: _Api) -> None:
    api.answers.append((200, {"revision": 7, "dry_run": True}))
    assert "nothing was changed" in _run(api, "delete", "k", "--dry-run").output


def test_an_environment_without_an_application_is_refused_before_asking(api: _Api) -> None:
    assert _run(api, "put", "k", "1", "--env", "prod").exit_code == 2
    assert api.asked == []


def test_list_reads_all_pages(api: _Api) -> None:
    config = {
        "scope": "global",
        "app_id": None,
        "environment": None,
        "key": "a",
        "version": 1,
        "kind": "value",
        "value": 1,
    }
    api.answers += [
        (200, {"items": [config], "next_cursor": "x"}),
        (200, {"items": [config | {"key": "b", "kind": "mask"}], "next_cursor": None}),
    ]
    lines = _run(api, "list").output.splitlines()
    assert [line.split("\t")[2] for line in lines] == ["a", "b"]
    assert lines[1].endswith("(masked)")


def test_agents_reads_all_pages(api: _Api) -> None:
    agent = {"app_id": "shop", "environment": "prod", "state": "live", "transport": "sse", "revision": 7}
    api.answers = [
        (200, {"items": [agent | {"instance": "one"}], "next_cursor": "more"}),
        (200, {"items": [agent | {"instance": "two"}], "next_cursor": None}),
    ]
    done = _run(api, "agents", "--app", "shop")
    assert done.exit_code == 0
    assert "one" in done.output
    assert "two" in done.output
    assert "cursor=more" in api.asked[1][1]


def test_a_problem_is_told_with_its_violations(api: _Api) -> None:
    problem = {"detail": "Not like this.", "violations": [{"pointer": "/operations/0/key", "detail": "too long"}]}
    api.answers.append((422, problem))
    result = _run(api, "put", "k", "1")
    assert result.exit_code == 1
    assert "Not like this." in result.output
    assert "/operations/0/key: too long" in result.output


def test_nobody_there_is_told_in_plain_words() -> None:
    with pytest.raises(ClientError, match="is the control plane running"):
        Client("http://127.0.0.1:1").get("/healthz")
    with pytest.raises(ClientError, match="TRIMTAB_URL"):
        Client("no address").get("/healthz")


def test_health_is_an_exit_code(api: _Api) -> None:
    api.answers += [(200, {"status": "ok"}), (503, {"detail": "PostgreSQL is away."})]
    assert _run(api, "health").exit_code == 0
    assert _run(api, "health", "--ready").exit_code == 1


def test_help_needs_neither_servers_nor_their_drivers() -> None:
    code = (
        "import sys; from control_plane.cli.main import app\n"
        "loaded = {'asyncpg', 'redis', 'aio_pika', 'aiohttp', 'pydantic'} & set(sys.modules)\n"
        "sys.exit(repr(loaded) if loaded else 0)"
    )
    ended = subprocess.run([sys.executable, "-c", code], env=environ(), cwd=ROOT, capture_output=True, check=False)  # noqa: S603
    assert ended.returncode == 0, ended.stderr


def test_credentials_are_read_back_as_written(tmp_path: Any) -> None:
    path = tmp_path / "credentials.env"
    assert read_credentials(path) == {}
    values = {"TRIMTAB_URL": "http://127.0.0.1:8080", "TRIMTAB_TOKEN": "a=b"}
    write_credentials(path, values)
    assert read_credentials(path) == values
    assert path.stat().st_mode & 0o777 == 0o600
