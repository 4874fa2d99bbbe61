"""RabbitMQ from Debian's package, run without its system user, its systemd unit or its system-wide epmd."""

import os
from pathlib import Path

from tests.servers.container import Container
from tests.servers.process import Home, Process
from tests.servers.server import Server, free_port, greets

IMAGE = "rabbitmq:4.1.4-management-alpine"
_PROGRAM = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # the one in /usr/sbin insists on the user rabbitmq
_HELLO = b"AMQP\x00\x00\x09\x01"
_START_FRAME = b"\x01\x00\x00"
_LOOPBACK = "{kernel,[{inet_dist_use_interface,{127,0,0,1}}]}"
_QUIET_VM = "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none"


def binary() -> Path | None:
    """The server's program, if this machine has one."""
    return _PROGRAM if _PROGRAM.exists() else None


async def local(program: Path, root: Path, *, managed: bool, keys_url: str = "", keys_ca: bytes = b"") -> Server:
    """A broker of our own. Managed, it has the HTTP API that makes virtual hosts in milliseconds, and stops slowly.

    `keys_url`: where the keys are with which it verifies the credentials of agents, if it is to know any; `keys_ca`: who
    vouches for that place.
    """
    home, port, management, epmd = Home(root, "rabbit"), free_port(), free_port(), free_port()
    environ = _environ(home, port, epmd)
    _configure(home, port, management if managed else None)
    if keys_url:
        _know_agents(home, keys_url, keys_ca)
    names = Process(home, ["epmd", "-port", str(epmd), "-address", "127.0.0.1"], environ=environ)
    return _server(port, management if managed else None, Process(home, [program], environ=environ, beside=names))


def container(*, managed: bool) -> Server:
    """A broker in a container."""
    port, management = free_port(), free_port()
    return _server(port, management if managed else None, Container(IMAGE, {5672: port, 15672: management}))


def _server(port: int, management: int | None, body: Process | Container) -> Server:
    async def answers() -> bool:
        if management is not None and not await greets(management, b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1."):
            return False
        return await greets(port, _HELLO, _START_FRAME)

    management_url = f"http://127.0.0.1:{management}" if management else ""
    return Server(f"amqp://guest:guest@127.0.0.1:{port}/", body, answers, management_url)


def _configure(home: Home, port: int, management: int | None) -> None:
    plugins = []
    lines = [
        f"listeners.tcp.1 = 127.0.0.1:{port}",
        "loopback_users = none",
        "log.console = true",
        "log.console.level = warning",
        "log.file = false",
        "disk_free_limit.absolute = 50MB",
        "vm_memory_high_watermark.absolute = 1GB",
    ]
    if management is not None:
        lines += ["management.tcp.ip = 127.0.0.1", f"management.tcp.port = {management}"]
        plugins.append("rabbitmq_management")
    home.write("rabbitmq.conf", "\n".join(lines) + "\n")
    home.write("enabled_plugins", f"[{','.join(plugins)}].\n")
    home.write("advanced.config", f"[{_LOOPBACK}].\n")


def _know_agents(home: Home, keys_url: str, keys_ca: bytes) -> None:
    """Let agents log in with credentials of their own, as docs/broker-authorization.md says it."""
    lines = ["auth_backends.1 = internal", "auth_backends.2 = rabbit_auth_backend_oauth2"]
    lines += ["auth_oauth2.resource_server_id = trimtab"]
    if keys_url.startswith("https:"):
        home.write("keys-ca.pem", keys_ca.decode())
        lines += [f"auth_oauth2.jwks_url = {keys_url}", f"auth_oauth2.https.cacertfile = {home.path / 'keys-ca.pem'}"]
        lines += ["auth_oauth2.https.peer_verification = verify_peer"]
    else:  # which `rabbitmq.conf` does not take
        keys = f'{{rabbitmq_auth_backend_oauth2,[{{key_config,[{{jwks_url,"{keys_url}"}}]}}]}}'
        home.write("advanced.config", f"[{_LOOPBACK},{keys}].\n")
    home.write("rabbitmq.conf", (home.path / "rabbitmq.conf").read_text() + "\n".join(lines) + "\n")
    enabled = (home.path / "enabled_plugins").read_text().strip("[].\n")
    plugins = [*filter(None, [enabled]), "rabbitmq_auth_backend_oauth2"]
    home.write("enabled_plugins", f"[{','.join(plugins)}].\n")


def _environ(home: Home, port: int, epmd: int) -> dict[str, str]:
    at = home.path
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(at),
        "LANG": "C.UTF-8",
        "RABBITMQ_NODENAME": f"t{port}@localhost",
        "RABBITMQ_CONFIG_FILE": str(at / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(at / "advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(at / "enabled_plugins"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(at / "generated"),
        "RABBITMQ_MNESIA_BASE": str(at / "mnesia"),
        "RABBITMQ_LOG_BASE": str(at / "logs"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": str(at / "pid"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": _QUIET_VM,
        "RUNNING_UNDER_SYSTEMD": "1",  # makes the script become the server, so that our signals reach it
        "ERL_EPMD_PORT": str(epmd),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
