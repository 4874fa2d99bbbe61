"""Make the secrets of the composition, once: `python3 deploy/compose/make_secrets.py`, before `docker compose up`.

They are files in a directory that only you can enter. Its files can be read by all, since a container's user reads
them under another number than yours.
"""

import base64
import hashlib
import json
import secrets
import sys
from pathlib import Path

DIRECTORY = Path(__file__).parent / "secrets"
_AGENT_QUEUES = r"trimtab\.agent\..*"
_CHANGES = r"trimtab\.changes"


def rabbitmq_hash(password: str, salt: bytes) -> str:
    """A password as RabbitMQ's definitions hold it."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def definitions(control_plane: str, agent: str) -> str:
    """RabbitMQ's users: the control plane publishes changes, agents hear them on queues of their own."""
    users = {"control-plane": control_plane, "agent": agent}
    rights = {
        "control-plane": {"configure": f"^{_CHANGES}$", "write": f"^{_CHANGES}$", "read": "^$"},
        "agent": {
            "configure": f"^({_CHANGES}|{_AGENT_QUEUES})$",
            "write": f"^{_AGENT_QUEUES}$",
            "read": f"^({_CHANGES}|{_AGENT_QUEUES})$",
        },
    }
    document = {
        "vhosts": [{"name": "/"}],
        "users": [
            {
                "name": name,
                "password_hash": rabbitmq_hash(password, secrets.token_bytes(4)),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": "",
            }
            for name, password in users.items()
        ],
        "permissions": [{"user": name, "vhost": "/", **rights[name]} for name in users],
    }
    return json.dumps(document, indent=2)


def make() -> dict[str, str]:
    """All secrets by the names of their files, fresh."""
    postgres, control_plane, agent = (secrets.token_urlsafe(24) for _ in range(3))
    return {
        "postgres_password": postgres,
        "database_url": f"postgresql://trimtab:{postgres}@postgres:5432/trimtab",
        "rabbitmq_definitions": definitions(control_plane, agent),
        "control_plane_amqp_url": f"amqp://control-plane:{control_plane}@rabbitmq:5672/",
        "agent_settings": f"amqp_url: amqp://agent:{agent}@rabbitmq:5672/\n",
        "bootstrap_token": secrets.token_urlsafe(32),
        "encryption_key": base64.b64encode(secrets.token_bytes(32)).decode(),
    }


def main() -> int:
    """Write them, unless they are there: PostgreSQL keeps the password of its first start."""
    if DIRECTORY.exists():
        sys.stderr.write(f"{DIRECTORY} is there already; remove it, and the volumes with it, to start anew\n")
        return 1
    DIRECTORY.mkdir(mode=0o700)
    for name, text in make().items():
        file = DIRECTORY / name
        file.write_text(text, encoding="utf-8")
        file.chmod(0o444)
    sys.stdout.write(f"wrote {DIRECTORY}; the operator's token is in {DIRECTORY / 'bootstrap_token'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
