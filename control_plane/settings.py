"""Every knob of the control plane, read once from the environment, frozen."""

from base64 import b64decode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError
from pydantic.config import JsonDict

from control_plane.domain.gates.outside import Prefixes, Sources
from control_plane.domain.limits import Limits
from control_plane.domain.proxies import TrustedProxies
from shared.runtime.http import Listen

PREFIX = "TRIMTAB_"
FILE_SUFFIX = "_FILE"
_SECRET: JsonDict = {"secret": True}
_LONGEST_KEY = 255
_DEEPEST_VALUE = 64
_SHORTEST_TOKEN = 20
_SEAL_KEY_BYTES = 64


class SettingsError(Exception):
    """Settings that cannot be used; one line for each, all of them at once."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def _url(*schemes: str) -> AfterValidator:
    def check(text: str) -> str:
        if text and not text.startswith(tuple(f"{scheme}://" for scheme in schemes)):
            msg = f"must start with {' or '.join(f'{scheme}://' for scheme in schemes)}"
            raise ValueError(msg)
        return text

    return AfterValidator(check)


def _listen(text: str) -> str:
    return str(Listen.parse(text))


def _token(text: str) -> str:
    if text and len(text) < _SHORTEST_TOKEN:
        msg = f"must have at least {_SHORTEST_TOKEN} characters; `trimtab operator-key` makes a good one"
        raise ValueError(msg)
    return text


def _seal_key(text: str) -> str:
    if text and len(_decoded(text)) != _SEAL_KEY_BYTES:
        msg = f"must be {_SEAL_KEY_BYTES} random bytes in base64; `openssl rand -base64 {_SEAL_KEY_BYTES}` makes some"
        raise ValueError(msg)
    return text


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return b""


def _proxies(text: str) -> str:
    TrustedProxies.parse(text)
    return text


def _sources(text: str) -> str:
    Sources.parse(text)
    return text


def _prefixes(text: str) -> str:
    Prefixes.parse(text)
    return text


def _required(text: str) -> str:
    if not text:
        msg = "must be given, for example postgresql://trimtab:secret@db.example/trimtab"
        raise ValueError(msg)
    return text


class Settings(BaseModel):
    """What can be set. Each field is the variable `TRIMTAB_<FIELD>`; a secret can come from a file instead."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)

    database_url: Annotated[str, AfterValidator(_required), _url("postgresql", "postgres")] = Field(
        "", repr=False, json_schema_extra=_SECRET, description="PostgreSQL 15 or later: the only truth. Required."
    )
    database_replica_url: Annotated[str, _url("postgresql", "postgres")] = Field(
        "",
        repr=False,
        json_schema_extra=_SECRET,
        description="A streaming replica of that database, for lists, histories, exports and other heavy reads. "
        "Empty: none. It need not be there, nor stay.",
    )
    redis_url: Annotated[str, _url("redis", "rediss", "unix")] = Field(
        "",
        repr=False,
        json_schema_extra=_SECRET,
        description="Redis for cached snapshots, the fleet and notices between replicas. "
        "Empty: in process, which suits a single replica.",
    )
    amqp_url: Annotated[str, _url("amqp", "amqps")] = Field(
        "",
        repr=False,
        json_schema_extra=_SECRET,
        description="RabbitMQ, to which changes are published. Empty: agents follow by server-sent events only.",
    )
    listen: Annotated[str, AfterValidator(_listen)] = Field(
        "127.0.0.1:8080", description="Where the API listens: `host:port` or `unix:/path`."
    )
    trusted_proxies: Annotated[str, AfterValidator(_proxies)] = Field(
        "",
        description="Proxies whose word about where a request comes from is taken: addresses and networks "
        "(`10.0.0.0/8, ::1`), `unix` for a unix socket. Empty: whoever is connected is who it comes from.",
    )
    trusted_proxy_header: Literal["x-forwarded-for", "forwarded"] = Field(
        "x-forwarded-for", description="The header in which all of these proxies say it; the other one is ignored."
    )
    bootstrap_token: Annotated[str, AfterValidator(_token)] = Field(
        "",
        repr=False,
        json_schema_extra=_SECRET,
        description="The bootstrap operator's token, kept as a hash at every start; it replaces the one before. "
        "Empty: whatever `trimtab operator-key` made.",
    )
    seal_key: Annotated[str, AfterValidator(_seal_key)] = Field(
        "",
        repr=False,
        json_schema_extra=_SECRET,
        description="What sensitive values are encrypted with in exports that ask for it: 64 random bytes in base64, "
        "the same in every installation that is to import them. Empty: exports leave them out.",
    )
    prometheus_url: Annotated[str, AfterValidator(_sources)] = Field(
        "",
        repr=False,
        json_schema_extra=_SECRET,
        description="Where gates of the type metric find their numbers: a Prometheus, or several as `name=URL` with "
        "commas between; a gate that names none asks the first. Empty: there can be no such gates.",
    )
    webhook_urls: Annotated[str, AfterValidator(_prefixes)] = Field(
        "",
        description="What URLs of gates of the type webhook may begin with (scheme, host, port and the beginning of the "
        "path), with commas between. Empty: there can be no such gates.",
    )
    migrate: bool = Field(False, description="Whether to migrate the schema at start, instead of `trimtab migrate`.")
    database_pool_size: PositiveInt = Field(20, description="Connections to PostgreSQL, at most.")
    database_wait: PositiveFloat = Field(30.0, description="Seconds to wait for PostgreSQL at start.")
    heartbeat_interval: PositiveFloat = Field(
        3.0, description="Seconds between heartbeats to agents. An agent that hears none for three of them resyncs."
    )
    warm_limit: int = Field(
        200, ge=0, description="App/environments whose snapshots are compiled at start, before the first request."
    )
    shutdown_grace: PositiveFloat = Field(
        2.0, description="Seconds that running requests get to finish when the process is told to stop."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Least severe level logged.")
    log_format: Literal["json", "text"] = Field("json", description="One JSON object a line, or lines for a person.")
    max_body_bytes: PositiveInt = Field(Limits().body_bytes, description="Size of a request's body.")
    max_value_bytes: PositiveInt = Field(Limits().value_bytes, description="Size of one value as compact JSON.")
    max_document_bytes: PositiveInt = Field(
        Limits().document_bytes, description="Size of one flag or segment as compact JSON."
    )
    max_value_depth: int = Field(Limits().value_depth, ge=1, le=_DEEPEST_VALUE, description="Nesting of one value.")
    max_key_length: int = Field(Limits().key_length, ge=1, le=_LONGEST_KEY, description="Characters of a key.")
    max_operations: PositiveInt = Field(Limits().operations, description="Operations of one change.")
    max_page_size: PositiveInt = Field(Limits().page_size, description="Items of one page of a list.")
    max_text_length: PositiveInt = Field(
        Limits().text_length, description="Characters of a message, a description or a search text."
    )
    max_import_bytes: PositiveInt = Field(Limits().import_bytes, description="Size of a document to import.")
    max_import_operations: PositiveInt = Field(
        Limits().import_operations, description="Operations of the one change that an import makes."
    )

    @property
    def proxies(self) -> TrustedProxies:
        """The proxies that are trusted."""
        return TrustedProxies.parse(self.trusted_proxies, self.trusted_proxy_header)

    @property
    def sources(self) -> Sources:
        """The Prometheus servers that gates may ask."""
        return Sources.parse(self.prometheus_url)

    @property
    def webhooks(self) -> Prefixes:
        """The webhooks that gates may ask."""
        return Prefixes.parse(self.webhook_urls)

    @property
    def limits(self) -> Limits:
        """The limits on what a request may carry."""
        return Limits(**{name: getattr(self, f"max_{name}") for name in Limits.__dataclass_fields__})


def load_settings(environ: Mapping[str, str], **overrides: object) -> Settings:
    """Read the settings; `overrides` (options of a command line) win over the environment where they are not None.

    Raises:
        SettingsError: some cannot be used.
    """
    problems: list[str] = []
    given: dict[str, Any] = {}
    for name in Settings.model_fields:
        try:
            if (text := _read(environ, name)) is not None:
                given[name] = text
        except (OSError, ValueError) as error:
            problems.append(str(error))
    given |= {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = Settings.model_validate(given)
    except ValidationError as error:
        problems += [_line(each["loc"][0], each["msg"]) for each in error.errors()]
        raise SettingsError(problems) from None
    if problems:
        raise SettingsError(problems)
    return settings


def variable(field: str) -> str:
    """The environment variable of a field."""
    return PREFIX + field.upper()


def is_secret(field: str) -> bool:
    """Whether the field may come from a file, and is never shown."""
    return Settings.model_fields[field].json_schema_extra == _SECRET


def _read(environ: Mapping[str, str], field: str) -> str | None:
    name = variable(field)
    text = environ.get(name)
    path = environ.get(name + FILE_SUFFIX) if is_secret(field) else None
    if path is None:
        return text
    if text is not None:
        msg = f"{name}: {name}{FILE_SUFFIX} is set as well; keep one of the two"
        raise ValueError(msg)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        msg = f"{name}{FILE_SUFFIX}: {path} cannot be read ({reason})"
        raise ValueError(msg) from error


def _line(field: str | int, message: str) -> str:
    text = message.removeprefix("Value error, ")
    meaning = (Settings.model_fields[str(field)].description or "").split(". ")[0].rstrip(".")
    return f"{variable(str(field))}: {text[:1].lower()}{text[1:]} ({meaning})"


def rows() -> Iterator[tuple[str, str, str]]:
    """Variable, default and meaning of every setting; for the reference."""
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = "" if default == "" else str(default).lower() if isinstance(default, bool) else str(default)
        meaning = field.description or ""
        if is_secret(name):
            meaning += f" Or `{variable(name)}{FILE_SUFFIX}`: a file that holds it."
        yield variable(name), shown, meaning
