"""Logging in by a browser: it goes to the identity provider, and brings a code to a port of this machine.

The code alone opens nothing: the session is for who has the secret behind the challenge, and that never leaves here.
"""

import secrets
import webbrowser
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Full, Queue
from threading import Thread
from urllib.parse import parse_qs, urlencode, urlsplit

from control_plane.cli.client import Client
from control_plane.cli.terminal import fail, tell
from control_plane.services.people.federation import challenge_of
from shared.domain.codec import Json

PATIENCE = 300.0
"""Seconds that somebody may take at the provider."""
_CONNECTION_SECONDS = 5.0
_MAX_CODE = 200
_DONE = b"You are logged in. Close this window and go back to your terminal.\n"


class _Arrivals(ThreadingHTTPServer):
    """Waits on this machine for the browser; takes one code."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Arrival)
        self.codes: Queue[str] = Queue(1)


class _Arrival(BaseHTTPRequestHandler):
    """One request of the browser's."""

    server: _Arrivals
    timeout = _CONNECTION_SECONDS

    def do_GET(self) -> None:
        """Take the code."""
        parts = urlsplit(self.path)
        code = parse_qs(parts.query).get("code", [""])[0] if parts.path == "/" else ""
        if not 0 < len(code) <= _MAX_CODE:
            self.send_error(404)
            return
        self.send_response(200)
        for name, value in {"Content-Type": "text/plain", "Cache-Control": "no-store", "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(_DONE)
        with suppress(Full):
            self.server.codes.put_nowait(code)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: there is a code in the request."""


def login_by_browser(client: Client, *, open_browser: bool, patience: float = PATIENCE) -> Json:
    """The session of whoever logs in at the identity provider."""
    verifier = secrets.token_urlsafe(32)
    with _Arrivals() as arrivals:
        asked = urlencode({"cli_port": arrivals.server_port, "cli_challenge": challenge_of(verifier)})
        address = f"{client.url.rstrip('/')}/api/v1/auth/oidc/login?{asked}"
        waiting = Thread(target=arrivals.serve_forever, args=(0.05,), daemon=True)
        waiting.start()
        try:
            tell(f"Log in with a browser on this machine:\n  {address}")
            if open_browser:
                webbrowser.open(address)
            code = arrivals.codes.get(timeout=patience)
        except Empty:
            fail("nobody has logged in; begin again")
        finally:
            arrivals.shutdown()
    return client.post("/api/v1/auth/oidc/token", {"code": code, "verifier": verifier})
