"""Prepare the composition's applications through the API: register them and issue each agent its token.

`setup.py DIRECTORY-FOR-THE-TOKENS` runs once. Run again it does nothing twice: what is registered stays, and a token
that lies in its file is kept.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

_CONFLICT = 409
_SECONDS = 10.0
URL = os.environ.get("TRIMTAB_URL", "http://control-plane-1:8080")
AGENTS = (("checkout", "prod"), ("billing", "prod"))
SAMPLES = (
    (None, None, "log.level", "info"),
    ("checkout", None, "payment.timeout_seconds", 5),
    ("checkout", "prod", "feature.express_checkout", True),
    ("billing", None, "invoice.currency", "EUR"),
)


class Api:
    """The control plane's API as the bootstrap operator sees it."""

    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """The answer, or None where it exists already."""
        request = urllib.request.Request(  # noqa: S310 - our own URL
            f"{self._url}/api/v1{path}",
            data=json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:  # noqa: S310
                return dict(json.load(answer))
        except urllib.error.HTTPError as error:
            with error:
                if error.code == _CONFLICT:
                    return None
                sys.exit(f"POST {path}: {error.code} {error.read().decode(errors='replace')}")


def prepare(api: Api, app_id: str, environment: str, tokens: Path) -> None:
    """Register an application's environment and keep a token for its agent."""
    api.post("/apps", {"app_id": app_id, "description": "sample application"})
    api.post(f"/apps/{app_id}/environments", {"environment": environment})
    file = tokens / f"{app_id}-{environment}"
    if not file.exists():
        path = f"/apps/{app_id}/environments/{environment}/agent-tokens"
        issued = api.post(path, {"description": "composition"})
        if issued is None:
            sys.exit(f"no token for {app_id}/{environment}")
        new = file.with_suffix(".new")
        new.touch(mode=0o600)
        new.write_text(issued["token"], encoding="ascii")
        new.rename(file)


def main() -> None:
    """Prepare every agent, then put in some configs to look at."""
    api = Api(URL, Path(os.environ["TRIMTAB_TOKEN_FILE"]).read_text(encoding="utf-8").strip())
    tokens = Path(sys.argv[1])
    tokens.mkdir(mode=0o700, exist_ok=True)
    for app_id, environment in AGENTS:
        prepare(api, app_id, environment, tokens)
    for app, env, key, value in SAMPLES:
        api.post("/configs", {"app_id": app, "environment": env, "key": key, "value": value})


if __name__ == "__main__":
    main()
