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
_QUIET_VM = "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none"


def binary() -> Path | None:
    """The server's program, if this machine has one."""
    return _PROGRAM if _PROGRAM.exists() else None


async def local(program: Path, root: Path, *, managed: bool, keys_url: str = "") -> Server:
    """A broker of our own. Managed, it has the HTTP API that makes virtual hosts in milliseconds, and stops slowly.

    `keys_url`: where the keys are with which it verifies the credentials of agents, if it is to know any.
    """
    home, port, management, epmd = Home(root, "rabbit"), free_port(), free_port(), free_port()
    environ = _environ(home, port, epmd)
    _configure(home, port, management if managed else None, keys_url)
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


def _configure(home: Home, port: int, management: int | None, keys_url: str) -> None:
    plugins, terms = [], ["{kernel,[{inet_dist_use_interface,{127,0,0,1}}]}"]
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
    if keys_url:
        lines += ["auth_backends.1 = internal", "auth_backends.2 = rabbit_auth_backend_oauth2"]
        lines += ["auth_oauth2.resource_server_id = trimtab"]
        # Its settings in `rabbitmq.conf` take https only.
        terms.append(f'{{rabbitmq_auth_backend_oauth2,[{{key_config,[{{jwks_url,"{keys_url}"}}]}}]}}')
        plugins.append("rabbitmq_auth_backend_oauth2")
    home.write("rabbitmq.conf", "\n".join(lines) + "\n")
    home.write("enabled_plugins", f"[{','.join(plugins)}].\n")
    home.write("advanced.config", f"[{','.join(terms)}].\n")


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
