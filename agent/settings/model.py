"""The settings of one agent, read and checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from signal import Signals
from typing import TYPE_CHECKING

from shared.runtime.listen import Listen

if TYPE_CHECKING:  # who has neither files nor a probe does not pay for their forms
    from agent.files.file_set import FileSet
    from agent.probing.target import Target

DEFAULT_LISTEN = Listen("127.0.0.1", 2772)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Every knob of the agent; `agent.settings.knobs` tells what each is for. Secrets are not part of its `repr`."""

    app_id: str
    environment: str
    control_plane_urls: tuple[str, ...]
    state_dir: Path
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    amqp_url: str = field(default="", repr=False)
    amqp_url_file: Path | None = None
    listen: Listen = DEFAULT_LISTEN
    state_key_file: Path | None = None
    files: "tuple[FileSet, ...]" = ()
    file_sets: "tuple[FileSet, ...]" = ()
    override: Path | None = None
    signing_keys: Mapping[str, bytes] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    instance: str = ""
    max_staleness: float | None = None
    require_fresh: bool = False
    local_token: str = field(default="", repr=False)
    local_token_file: Path | None = None
    allowed_hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    socket_mode: int = 0o660
    probe: "Target | None" = None
    probe_interval: float = 5.0
    probe_timeout: float = 2.0
    probe_failures: int = 3
    proven_after: float = 300.0
    fallback: bool = False
    fallback_after: float = 60.0
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    secret_providers: tuple[str, ...] = ()
    secret_directories: tuple[Path, ...] = ()
    secret_variables: tuple[str, ...] = ()
    secret_refresh: float = 300.0
    secret_max_stale: float = 3_600.0
    vault_url: str = ""
    vault_ca_file: Path | None = None
    vault_namespace: str = ""
    vault_auth: str = "token"
    vault_auth_mount: str = ""
    vault_token_file: Path | None = None
    vault_role_id: str = ""
    vault_secret_id_file: Path | None = None
    vault_role: str = ""
    vault_jwt_file: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    aws_region: str = ""
    aws_url: str = ""
    log_level: str = "INFO"
    log_format: str = "json"
    exec_on_change: str = "restart"
    exec_signal: Signals = Signals.SIGHUP
    exec_prefixes: tuple[str, ...] = ()
    exec_strip_prefix: bool = False
    exec_renames: Mapping[str, str] = field(default_factory=dict)
    exec_inherit: tuple[str, ...] | None = None
    exec_quiet: float = 1.0
    exec_max_wait: float = 10.0
    exec_kill_signal: Signals = Signals.SIGTERM
    exec_kill_timeout: float = 10.0
    exec_settle: float = 10.0
    exec_tries: int = 5
    exec_backoff: float = 1.0
    exec_ready_timeout: float = 60.0

    @property
    def all_sets(self) -> "tuple[FileSet, ...]":
        """Every set, those of one file as well."""
        return self.files + self.file_sets
