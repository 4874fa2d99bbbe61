"""A sample application: reads its configs from the agent beside it and says what changed. Standard library only.

It asks with the ETag of the last answer, so that an unchanged configuration costs an empty 304 over loopback.
"""

import http.client
import json
import os
import socket
import sys
import time
from typing import Any
from urllib.parse import urlsplit

AGENT = os.environ.get("TRIMTAB_AGENT_URL", "http://127.0.0.1:2772")
"""Where it is: a URL, or `unix:` and the path of its socket."""
_EVERY_SECONDS = 1.0
_TIMEOUT_SECONDS = 5.0
_OK, _NOT_MODIFIED = 200, 304


class _ThroughSocket(http.client.HTTPConnection):
    """HTTP through a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def connection() -> http.client.HTTPConnection:
    """To the agent; nothing is sent yet."""
    if AGENT.startswith("unix:"):
        return _ThroughSocket(AGENT.removeprefix("unix:"))
    return http.client.HTTPConnection(urlsplit(AGENT).netloc, timeout=_TIMEOUT_SECONDS)


def read(etag: str) -> tuple[dict[str, Any] | None, str]:
    """The agent's answer and its ETag; no answer where nothing has changed since `etag`."""
    agent = connection()
    try:
        agent.request("GET", "/v1/configs", headers={"If-None-Match": etag} if etag else {})
        answer = agent.getresponse()
        body = answer.read()
        if answer.status == _NOT_MODIFIED:
            return None, etag
        if answer.status != _OK:
            msg = f"{answer.status} {body.decode(errors='replace')}"
            raise OSError(msg)
        return json.loads(body), answer.headers.get("ETag", "")
    finally:
        agent.close()


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """One line for each key whose value is new, different or gone."""
    lines = []
    for key in sorted(before.keys() | after.keys()):
        if key not in after:
            lines.append(f"{key} is gone")
        elif key not in before or before[key] != after[key]:
            lines.append(f"{key} = {json.dumps(after[key])}")
    return lines


def main() -> None:
    """Follow the configs for as long as we run; an agent that does not answer changes nothing for us."""
    values: dict[str, Any] = {}
    etag = ""
    while True:
        try:
            document, etag = read(etag)
        except (OSError, ValueError, http.client.HTTPException) as error:
            sys.stderr.write(f"the agent does not answer, going on with what we have: {error}\n")
            document = None
        if document is not None:
            fresh = {key: config["value"] for key, config in document["configs"].items()}
            for line in differences(values, fresh):
                sys.stdout.write(f"revision {document['revision']}: {line}\n")
            sys.stdout.flush()
            values = fresh
        time.sleep(_EVERY_SECONDS)


if __name__ == "__main__":
    main()
