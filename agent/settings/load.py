"""Read the settings: flags win over the environment, that over the file, and everything that is wrong is told at once."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.settings.knobs import KNOBS
from agent.settings.members import MistakesError
from agent.settings.model import DEFAULT_LISTEN, Settings
from agent.settings.parsers import nearest
from agent.settings.secret_knobs import missing
from agent.settings.tls_knobs import half
from shared.domain.codec import Json
from shared.runtime.listen import Listen

CONFIG_VARIABLE = "TRIMTAB_AGENT_CONFIG"
_NOT_SETTINGS = frozenset({CONFIG_VARIABLE, "TRIMTAB_AGENT_URL"})
"""Variables that start like ours and are no settings: where our file is, and where clients find an agent."""

_IN_FILES = ("token", "local_token", "amqp_url")
"""Secrets: `<field>_file` names a file that holds one."""
_NOTHING: Mapping[str, str] = {}


class SettingsError(Exception):
    """The agent cannot start with what it was told; one text for each thing that is wrong, and what to do."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(environ: Mapping[str, str], config: Path | None = None, flags: Mapping[str, str] = _NOTHING) -> Settings:
    """The settings of `flags` (by field), of `environ`, and of the YAML file `config` (or TRIMTAB_AGENT_CONFIG's).

    Raises:
        SettingsError: with every problem there is.
    """
    given = _Given(environ, config, flags)
    found: dict[str, Any] = {"state_dir": default_state_dir(environ)}
    found |= {field: value for field in KNOBS if (value := given.value(field)) is not None}
    for field in _IN_FILES:
        found |= given.secret_of_file(field, found)
    if not found.get("token") and not given.mentions("token"):
        given.problems.append(
            "TRIMTAB_AGENT_TOKEN is missing; give the token that the control plane issued for this "
            "application/environment, or a file that holds it as TRIMTAB_AGENT_TOKEN_FILE (--token-file)"
        )
    given.problems += [*missing(found), *half(found)]
    if given.problems:
        raise SettingsError(*given.problems)
    settings = Settings(**found)
    if settings.all_sets:
        _refuse_overlaps(settings)
    return settings


def _refuse_overlaps(settings: Settings) -> None:
    from agent.settings.file_sets import overlaps  # noqa: PLC0415 - who renders no files does not pay for their forms

    if twice := overlaps(settings.all_sets):
        raise SettingsError(*(f"TRIMTAB_AGENT_FILES and TRIMTAB_AGENT_FILE_SETS together {each}" for each in twice))


def load_listen(environ: Mapping[str, str], config: Path | None = None, flags: Mapping[str, str] = _NOTHING) -> Listen:
    """Only the address: for a health command, which has no use for the other settings.

    Raises:
        SettingsError: the address or the file cannot be read.
    """
    given = _Given(environ, config, flags)
    found = given.value("listen")
    if given.problems:
        raise SettingsError(*given.problems)
    return found if isinstance(found, Listen) else DEFAULT_LISTEN


def config_file(environ: Mapping[str, str], config: Path | None = None) -> Path | None:
    """The YAML file, if there is one."""
    named = environ.get(CONFIG_VARIABLE)
    return config or (Path(named) if named else None)


def unknown_variables(environ: Mapping[str, str]) -> list[str]:
    """Variables that look like settings of an agent and are none: probably misspelled."""
    known = tuple(each.variable for each in KNOBS.values())
    strange = sorted(v for v in environ if v.startswith("TRIMTAB_AGENT_") and v not in known and v not in _NOT_SETTINGS)
    return [f"{variable} is not a setting{nearest(variable, known)}" for variable in strange]


def default_state_dir(environ: Mapping[str, str]) -> Path:
    """Where state belongs on this machine for this user."""
    if systemd := environ.get("STATE_DIRECTORY"):
        return Path(systemd.split(":")[0])
    if os.geteuid() == 0:
        return Path("/var/lib/trimtab")
    home = environ.get("XDG_STATE_HOME") or f"{environ.get('HOME') or '/tmp'}/.local/state"  # noqa: S108 - no home at all
    return Path(home) / "trimtab"


class _Given:
    """What was given, by setting, and what is wrong with it."""

    def __init__(self, environ: Mapping[str, str], config: Path | None, flags: Mapping[str, str]) -> None:
        self.problems: list[str] = []
        self._environ, self._flags = environ, flags
        self._troubled: set[str] = set()
        self._file: Mapping[str, Json] = {}
        self._path = config_file(environ, config)
        if self._path is not None:
            self._read(self._path)

    def mentions(self, field: str) -> bool:
        """Whether a problem of this setting was told already."""
        return not self._troubled.isdisjoint((field, f"{field}_file"))

    def value(self, field: str) -> Any:
        """The setting's value, or None where it is not given or wrong."""
        knob = KNOBS[field]
        origin, raw = self._raw(field)
        if raw == "" and field in self._flags:
            self._trouble(field, f"{origin} is empty; give a value, or leave the flag out")
            return None
        if raw in (None, ""):
            if knob.required:
                self._trouble(field, f"{knob.variable} is missing; set it, or give {knob.flag}. {knob.meaning}")
            return None
        try:
            return knob.parse(raw)
        except MistakesError as error:
            for each in error.mistakes:
                self._trouble(field, f"{origin}: {each}")
        except ValueError as error:
            self._trouble(field, f"{origin} {error}")
        return None

    def secret_of_file(self, field: str, found: Mapping[str, Any]) -> dict[str, str]:
        """The secret out of the file that `<field>_file` names, if it does."""
        knob, path = KNOBS[field], found.get(f"{field}_file")
        if path is None:
            return {}
        if found.get(field) and self._rank(field) < self._rank(f"{field}_file"):
            return {}
        if found.get(field) and self._rank(field) == self._rank(f"{field}_file"):
            self._trouble(field, f"{knob.variable} and {knob.variable}_FILE are both given; give one of them")
            return {}
        try:
            return {field: knob.parse(path.read_text())}
        except OSError as error:
            self._trouble(
                field, f"{knob.variable}_FILE: {path} cannot be read ({error.strerror}); correct path or mode"
            )
        except ValueError as error:
            self._trouble(field, f"{knob.variable}_FILE: what is in {path} {error}")
        return {}

    def _rank(self, field: str) -> int:
        """Where a setting is given: the least wins."""
        if field in self._flags:
            return 0
        return 1 if self._environ.get(KNOBS[field].variable) else 2

    def _trouble(self, field: str, problem: str) -> None:
        self._troubled.add(field)
        self.problems.append(problem)

    def _raw(self, field: str) -> tuple[str, Json]:
        knob = KNOBS[field]
        if (flag := self._flags.get(field)) is not None:
            return knob.flag, flag
        if value := self._environ.get(knob.variable):
            return knob.variable, value
        return f"{knob.name} in {self._path}", self._file.get(knob.name)

    def _read(self, path: Path) -> None:
        from agent.settings.texts import TextsError, read_texts  # noqa: PLC0415 - memory that only an agent with a file should pay

        try:
            document = read_texts(path)
        except OSError as error:
            self.problems.append(
                f"the file {path} cannot be read ({error.strerror}); correct --config or {CONFIG_VARIABLE}"
            )
            return
        except TextsError as error:
            self.problems.append(f"the file {path} {error}")
            return
        if not isinstance(document, dict):
            self.problems.append(f"the file {path} holds no settings; write them as `name: value`")
            return
        names = tuple(knob.name for knob in KNOBS.values())
        for name in document:
            if name not in names:
                self.problems.append(f"{name!r} in {path} is not a setting{nearest(str(name), names)}")
        self._file = document


__all__ = ["CONFIG_VARIABLE", "SettingsError", "default_state_dir", "load", "load_listen", "unknown_variables"]
