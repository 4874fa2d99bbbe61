"""How each setting is given: its variable, what it means, what holds without it, how it is read."""

from collections.abc import Callable, Mapping
from typing import Any

from agent.settings import parsers
from agent.settings.knob import Knob
from agent.settings.secret_knobs import SECRET_KNOBS
from agent.settings.tls_knobs import TLS_KNOBS
from shared.domain.codec import Json


def _files(raw: Json) -> Any:
    from agent.settings.file_sets import files  # noqa: PLC0415 - who renders no files does not pay for their forms

    return files(raw)


def _file_sets(raw: Json) -> Any:
    from agent.settings.file_sets import file_sets  # noqa: PLC0415 - as above

    return file_sets(raw)


def _exec(name: str, flag: str, parse: Callable[[Json], Any], meaning: str, default: str) -> Knob:
    """A setting of `trimtab-agent exec`."""
    return Knob(f"TRIMTAB_AGENT_EXEC_{name}", parse, meaning, default, command="exec", called=flag)


EXEC_KNOBS: Mapping[str, Knob] = {
    "exec_on_change": _exec(
        "ON_CHANGE",
        "--on-change",
        parsers.one_of("restart", "signal", "none"),
        "With `exec`: `restart` the command when its environment changes, `signal` it, or do `none` of it.",
        "`restart`",
    ),
    "exec_signal": _exec("SIGNAL", "--signal", parsers.signal_name, "With `exec`: what `signal` sends.", "`HUP`"),
    "exec_prefixes": _exec(
        "PREFIXES",
        "--env-prefix",
        parsers.texts,
        "With `exec`: only configs whose keys start so become variables; several, comma separated.",
        "all configs",
    ),
    "exec_strip_prefix": _exec(
        "STRIP_PREFIX", "--strip-prefix", parsers.boolean, "With `exec`: name variables without that prefix.", "`false`"
    ),
    "exec_renames": _exec(
        "RENAMES",
        "--env-rename",
        parsers.variables,
        "With `exec`: variables that are not named after their keys: `db.url=DATABASE_URL,db.pool=POOL`.",
        "none",
    ),
    "exec_inherit": _exec(
        "INHERIT",
        "--inherit",
        parsers.inherited,
        "With `exec`: which of the agent's own variables the command gets: `all` but settings of ours, `none`, or names, "
        "comma separated.",
        "`all`",
    ),
    "exec_quiet": _exec(
        "QUIET",
        "--quiet-period",
        parsers.seconds,
        "With `exec`: seconds without further changes after which the command is restarted or signalled.",
        "`1`",
    ),
    "exec_max_wait": _exec(
        "MAX_WAIT", "--max-wait", parsers.seconds, "With `exec`: seconds that this may take at most.", "`10`"
    ),
    "exec_kill_signal": _exec(
        "KILL_SIGNAL", "--kill-signal", parsers.signal_name, "With `exec`: what asks the command to end.", "`TERM`"
    ),
    "exec_kill_timeout": _exec(
        "KILL_TIMEOUT",
        "--kill-timeout",
        parsers.seconds,
        "With `exec`: seconds after which it is killed if it did not.",
        "`10`",
    ),
    "exec_settle": _exec(
        "SETTLE",
        "--settle",
        parsers.seconds,
        "With `exec`: a command that fails within so many seconds after a restart on new values is started again.",
        "`10`",
    ),
    "exec_tries": _exec("TRIES", "--restart-tries", parsers.count, "With `exec`: how often that happens.", "`5`"),
    "exec_backoff": _exec(
        "BACKOFF",
        "--restart-backoff",
        parsers.seconds,
        "With `exec`: seconds before the first of these starts, doubled each time, up to 30.",
        "`1`",
    ),
    "exec_ready_timeout": _exec(
        "READY_TIMEOUT",
        "--ready-timeout",
        parsers.seconds,
        "With `exec`: seconds that the agent has to become ready; after them it ends with 124.",
        "`60`",
    ),
}

KNOBS: Mapping[str, Knob] = {
    "app_id": Knob("TRIMTAB_APP", parsers.name, "The application, as the control plane knows it.", required=True),
    "environment": Knob(
        "TRIMTAB_ENVIRONMENT", parsers.name, "The environment, as the control plane knows it.", required=True
    ),
    "control_plane_urls": Knob(
        "TRIMTAB_CONTROL_PLANE_URL",
        parsers.urls,
        "Where the control plane is; several URLs, comma separated, are tried in turn.",
        required=True,
    ),
    "token": Knob(
        "TRIMTAB_AGENT_TOKEN",
        parsers.secret,
        "The agent token of this application/environment. This or the next one is required.",
        secret=True,
    ),
    "token_file": Knob("TRIMTAB_AGENT_TOKEN_FILE", parsers.path, "A file that holds the agent token."),
    "amqp_url": Knob(
        "TRIMTAB_AMQP_URL",
        parsers.amqp_url,
        "The message broker. Where it names no user, the control plane gives the agent a credential of its own. Without "
        "it changes come over HTTP from the control plane.",
        "none",
        secret=True,
    ),
    "amqp_url_file": Knob(
        "TRIMTAB_AMQP_URL_FILE", parsers.path, "A file that holds the broker's URL with its password.", "none"
    ),
    "signing_keys": Knob(
        "TRIMTAB_AGENT_SIGNING_KEYS",
        parsers.signing_keys,
        "The keys by which the agent knows its control plane, as `id:key`, comma separated. With them nothing unsigned is "
        "believed, not even at the first start; they are followed through rotations.",
        "those that it finds at the first start",
    ),
    "listen": Knob(
        "TRIMTAB_AGENT_LISTEN",
        parsers.listen,
        "Where the application reaches the agent: `host:port`, or `unix:/path` for a socket.",
        "`127.0.0.1:2772`",
    ),
    "state_dir": Knob(
        "TRIMTAB_AGENT_STATE_DIR",
        parsers.path,
        "Where the last known good is kept. One agent at a time uses it for an application/environment.",
        "`$STATE_DIRECTORY`; as root `/var/lib/trimtab`; else `$XDG_STATE_HOME/trimtab` (`~/.local/state/trimtab`)",
    ),
    "state_key_file": Knob(
        "TRIMTAB_AGENT_STATE_KEY_FILE",
        parsers.path,
        "A file that holds the key, 32 bytes in base64, by which sensitive values are encrypted in the last known good.",
        "systemd's credential `trimtab-state-key`; else `keys/` in the state directory, made at first use",
    ),
    "files": Knob(
        "TRIMTAB_AGENT_FILES",
        _files,
        "Files to render: paths, comma separated, the format by their names (`.json`, `.yaml`, `.toml`, `.env`, "
        "`.properties`, `.ini`); in the YAML file also mappings `{path, format, prefix, mode, …}`.",
        "none",
    ),
    "file_sets": Knob(
        "TRIMTAB_AGENT_FILE_SETS",
        _file_sets,
        "Sets of files that are checked, published and reloaded together: a mapping by name, or the path of a YAML file "
        "that holds it.",
        "none",
    ),
    "override": Knob(
        "TRIMTAB_AGENT_OVERRIDE",
        parsers.path,
        "For development: a YAML file whose `values`, `flags`, `variants` and `hidden` are served instead of what the "
        "control plane says. It is followed, and marked in answers and in the fleet.",
        "none",
    ),
    "labels": Knob(
        "TRIMTAB_AGENT_LABELS",
        parsers.labels,
        "What operators see beside the agent: `region=eu,tier=web`.",
        "none",
    ),
    "instance": Knob(
        "TRIMTAB_AGENT_INSTANCE",
        parsers.instance,
        "The agent's name in the fleet; different for any two that run at the same time.",
        "host name and a random part, kept in the state directory",
    ),
    "max_staleness": Knob(
        "TRIMTAB_AGENT_MAX_STALENESS",
        parsers.seconds,
        "Seconds without agreement with the control plane after which `/readyz` is 503 and reads say `STALE`. "
        "Values are served all the same.",
        "unlimited",
    ),
    "require_fresh": Knob(
        "TRIMTAB_AGENT_REQUIRE_FRESH",
        parsers.boolean,
        "`true`: `/readyz` is 503 unless the agent is in touch with the control plane and agrees with it.",
        "`false`",
    ),
    "local_token": Knob(
        "TRIMTAB_AGENT_LOCAL_TOKEN",
        parsers.local_token,
        "What an application shows (`Authorization: Bearer …`) to read sensitive values over TCP. "
        "Without it they are served on a unix socket only.",
        "none",
        secret=True,
    ),
    "local_token_file": Knob(
        "TRIMTAB_AGENT_LOCAL_TOKEN_FILE", parsers.path, "A file that holds the local token.", "none"
    ),
    "allowed_hosts": Knob(
        "TRIMTAB_AGENT_ALLOWED_HOSTS",
        parsers.hosts,
        "Further names by which requests may call the agent, comma separated.",
        "`localhost`, `127.0.0.1`, `[::1]` and the listening address",
    ),
    "cors_origins": Knob(
        "TRIMTAB_AGENT_CORS_ORIGINS",
        parsers.origins,
        "Origins whose pages may read from the agent in a browser, comma separated: `https://app.example.com`.",
        "none",
    ),
    "socket_mode": Knob("TRIMTAB_AGENT_SOCKET_MODE", parsers.mode, "Mode of the unix socket: who may read.", "`0660`"),
    "probe": Knob(
        "TRIMTAB_AGENT_PROBE",
        parsers.probe,
        "How to ask the application whether it is healthy: `http://127.0.0.1:8080/health`, `tcp://127.0.0.1:5432`, or "
        "`exec:` and a command. Gates of rollouts judge by it.",
        "nobody asks",
    ),
    "probe_interval": Knob(
        "TRIMTAB_AGENT_PROBE_INTERVAL",
        parsers.seconds,
        "Seconds from one probe to the next; a fifth of that while a candidate is new.",
        "`5`",
    ),
    "probe_timeout": Knob(
        "TRIMTAB_AGENT_PROBE_TIMEOUT", parsers.seconds, "Seconds after which no answer is a failure.", "`2`"
    ),
    "probe_failures": Knob(
        "TRIMTAB_AGENT_PROBE_FAILURES", parsers.count, "Failures in a row that make it unhealthy.", "`3`"
    ),
    "proven_after": Knob(
        "TRIMTAB_AGENT_PROVEN_AFTER",
        parsers.seconds,
        "Seconds for which the application has to stay healthy until a snapshot counts as proven, and is kept as a second copy.",
        "`300`",
    ),
    "fallback": Knob(
        "TRIMTAB_AGENT_FALLBACK",
        parsers.boolean,
        "`true`: an application that stays unhealthy on the newest snapshot is given the proven one.",
        "`false`",
    ),
    "fallback_after": Knob(
        "TRIMTAB_AGENT_FALLBACK_AFTER", parsers.seconds, "Seconds for which it has to stay unhealthy for that.", "`60`"
    ),
    "log_level": Knob(
        "TRIMTAB_AGENT_LOG_LEVEL",
        parsers.one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        "`DEBUG`, `INFO`, `WARNING` or `ERROR`.",
        "`INFO`",
    ),
    "log_format": Knob(
        "TRIMTAB_AGENT_LOG_FORMAT",
        parsers.one_of("json", "text"),
        "`json`, one object a line, or `text` for people.",
        "`json`",
    ),
    **TLS_KNOBS,
    **SECRET_KNOBS,
    **EXEC_KNOBS,
}
"""The settings by the names of their fields, in the order in which they are documented."""
