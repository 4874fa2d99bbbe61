"""A real nginx whose configuration is a file set: what it would refuse never reaches it, what it does not bear is taken back."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import anyio

from agent.files.file_set import FileSet
from agent.files.hooks import Command, HealthGate, Signal
from agent.files.state import Phase
from agent.files.target import File, Format
from agent.probing.target import HttpTarget
from shared.runtime.lifecycle import running
from tests.rig.file_sets import Site, site_of, until
from tests.servers.server import free_port

_MAIN = """
daemon off;
pid {{ value('dir') }}/pid;
error_log {{ value('dir') }}/error.log;
events {}
http {
    access_log off;
    client_body_temp_path {{ value('dir') }}/body;
    proxy_temp_path {{ value('dir') }}/proxy;
    fastcgi_temp_path {{ value('dir') }}/fastcgi;
    uwsgi_temp_path {{ value('dir') }}/uwsgi;
    scgi_temp_path {{ value('dir') }}/scgi;
    include site.conf;
}
"""
_SITE = """server {
    listen 127.0.0.1:{{ value('port') }};
    location / { return 200 "{{ value('greeting') }}"; }
    location /health { return {{ value('health') }}; }
}
"""


@asynccontextmanager
async def serving(nginx: str, it: Site) -> AsyncIterator[None]:
    process = await anyio.open_process([nginx, "-c", str(it.directory / "out" / "nginx.conf")])
    try:
        await until(lambda: (it.directory / "pid").read_text().strip() != "")
        yield
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        await process.aclose()


async def test_nginx_goes_on_with_what_it_has_whatever_is_wrong_with_what_comes(nginx: str, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "main.j2").write_text(_MAIN)
    (tmp_path / "site.j2").write_text(_SITE)
    it = site_of(tmp_path, look_every=3_600.0)
    it.file_set = FileSet(
        name="nginx",
        directory=tmp_path / "out",
        files=(
            File(Path("nginx.conf"), Format.TEMPLATE, template=tmp_path / "main.j2"),
            File(Path("site.conf"), Format.TEMPLATE, template=tmp_path / "site.j2"),
        ),
        check=Command((nginx, "-t", "-q", "-c", "{staged}/nginx.conf")),
        reload=(Signal(signal.SIGHUP, tmp_path / "pid"),),
        health=HealthGate(HttpTarget(f"http://127.0.0.1:{port}/health"), within=3.0, successes=3, interval=0.1),
    )
    it.begin()
    values = {"dir": str(tmp_path), "port": port, "greeting": "hej", "health": 200}

    async def greeting() -> str:
        async with aiohttp.request("GET", f"http://127.0.0.1:{port}/") as answer:
            return await answer.text()

    async def greets(text: str) -> None:
        with anyio.fail_after(20):
            while await greeting() != text:
                await anyio.sleep(0.01)

    assert not await it.bring(**values)
    assert (it.state.phase, [each.kind for each in it.remarks.current]) == (Phase.UNHEALTHY, ["file", "hook"])
    async with serving(nginx, it), running(it.renderer.run):
        await greets("hej")
        it.renderer.again()
        await until(lambda: it.state.phase is Phase.PUBLISHED and not it.remarks.current)

        it.swap(**values | {"greeting": 'hej"; nonsense'})
        await until(lambda: it.state.phase is Phase.REFUSED)
        assert "[emerg]" in it.state.detail
        assert await greeting() == "hej"

        it.swap(**values | {"greeting": "hello"})
        await greets("hello")
        await until(lambda: it.state.phase is Phase.PUBLISHED)

        it.swap(**values | {"greeting": "sick", "health": 503})
        await until(lambda: it.state.phase is Phase.RETURNED)
        assert "HTTP status 503" in it.state.detail
        await greets("hello")

        it.swap(**values | {"greeting": "well"})
        await greets("well")
        site = anyio.Path(tmp_path / "site.j2")
        await site.write_text(_SITE.replace("return 200", "retrun 200"))
        await until(lambda: it.state.phase is Phase.REFUSED)
        assert 'unknown directive "retrun"' in it.state.detail
        await site.write_text(_SITE.replace("{{ value('greeting') }}", "{{ value('greeting') }}!"))
        await greets("well!")
