"""A real Chromium with a page of an origin of its own, which does what a test asks it to."""

import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from aiohttp import web

from shared.domain.codec import Json, decode
from shared.runtime.child import spawn, stop
from shared.runtime.http import serving
from shared.runtime.listen import Listen
from tests.rig.node import CLIENTS, MODULES

HOST = "app.example.com"
"""The page's host, which the browser takes for one on this machine."""
_PATIENCE = 30.0
_OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", "--disable-extensions",
    "--no-default-browser-check", "--enable-logging=stderr", "--password-store=basic", "--mute-audio",
)  # fmt: skip


def chromium() -> Path | None:
    """The browser, if there is one."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    return Path(found) if found else None


class Page:
    """The page, and the little server that it comes from."""

    def __init__(self, script: Path) -> None:
        self._script_file = script
        self._commands, self._next = anyio.create_memory_object_stream[Json](8)
        self._told, self._answers = anyio.create_memory_object_stream[Json](64)
        self.origin = ""

    async def do(self, what: str, **more: Json) -> Any:
        """Have the page do something; what came of it.

        Raises:
            AssertionError: it failed.
        """
        await self._commands.send({"what": what, **more})
        return await self.told()

    async def told(self) -> Any:
        """The next thing that the page tells."""
        with anyio.fail_after(_PATIENCE):
            told = await self._answers.receive()
        assert "failed" not in told, told["failed"]
        return told["done"]

    def app(self) -> web.Application:
        """What the page's origin serves."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/page.mjs", self._script),
                web.post("/next", self._command),
                web.post("/told", self._tell),
                web.static("/modules", MODULES),
            ]
        )
        return app

    def close(self) -> None:
        """Let go of whoever waits."""
        for each in (self._commands, self._next, self._told, self._answers):
            each.close()

    async def _page(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(CLIENTS / "page.html")

    async def _script(self, _request: web.Request) -> web.StreamResponse:
        return web.FileResponse(self._script_file, headers={"Content-Type": "text/javascript"})

    async def _command(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response(await self._next.receive())

    async def _tell(self, request: web.Request) -> web.StreamResponse:
        await self._told.send(decode(await request.read()))
        return web.Response(status=204)


@asynccontextmanager
async def origin(script: Path = CLIENTS / "page.mjs") -> AsyncIterator[Page]:
    """The origin of a page that runs a script; nobody has opened it yet."""
    made = Page(script)
    async with serving(made.app(), Listen("127.0.0.1", 0), grace=0.1) as at:
        made.origin = f"http://{HOST}:{at.port}"
        try:
            yield made
        finally:
            made.close()


@asynccontextmanager
async def browsing(browser: Path, page: Page, directory: Path) -> AsyncIterator[None]:
    """A browser of its own opens the page."""
    command = [
        str(browser), *_OPTIONS, f"--user-data-dir={directory / 'profile'}",
        f"--host-resolver-rules=MAP {HOST} 127.0.0.1", f"{page.origin}/",
    ]  # fmt: skip
    with (directory / "browser.log").open("wb") as log:
        child = spawn(command, log=log, environ=_environ(directory))
        try:
            yield
        except (AssertionError, TimeoutError) as error:
            error.add_note((directory / "browser.log").read_text(errors="replace")[-2_000:])
            raise
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(stop, child, signal.SIGTERM, 5.0)


def _environ(directory: Path) -> dict[str, str]:
    """A home of its own, and none of the machine's settings."""
    return {"PATH": os.environ["PATH"], "HOME": str(directory), "LANG": "C.UTF-8"}
