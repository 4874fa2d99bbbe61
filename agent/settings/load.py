"""Read the settings: the environment wins over the file, and everything that is wrong is told at once."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent.settings.knobs import KNOBS, Knob
from agent.settings.model import DEFAULT_LISTEN, Settings
from agent.settings.parsers import nearest
from shared.domain.codec import Json
from shared.runtime.listen import Listen

CONFIG_VARIABLE = "TRIMTAB_AGENT_CONFIG"
_NOT_SETTINGS = frozenset({CONFIG_VARIABLE, "TRIMTAB_AGENT_URL"})
"""Variables that start like ours and are no settings: where our file is, and where clients find an agent."""


class SettingsError(Exception):
    """The agent cannot start with what it was told; one text for each thing that is wrong, and what to do."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def load(environ: Mapping[str, str], config: Path | None = None) -> Settings:
    """The settings of `environ` and of the YAML file `config` (or the one that TRIMTAB_AGENT_CONFIG names).

    Raises:
        SettingsError: with every problem there is.
    """
    given = _Given(environ, config)
    found: dict[str, Any] = {"state_dir": default_state_dir(environ)}
    found |= {field: value for field in KNOBS if (value := given.value(field)) is not None}
    for field in ("token", "local_token"):
        found |= given.secret_of_file(field, found)
    if not found.get("token") and not given.mentions("token"):
        given.problems.append(
            "TRIMTAB_AGENT_TOKEN is missing; give the token that the control plane issued for this "
            "application/environment, or TRIMTAB_AGENT_TOKEN_FILE"
        )
    if given.problems:
        raise SettingsError(*given.problems)
    return Settings(**found)


def load_listen(environ: Mapping[str, str], config: Path | None = None) -> Listen:
    """Only the address: for a health command, which has no use for the other settings.

    Raises:
        SettingsError: the address or the file cannot be read.
    """
    given = _Given(environ, config)
    found = given.value("listen")
    if given.problems:
        raise SettingsError(*given.problems)
    return found if isinstance(found, Listen) else DEFAULT_LISTEN


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

    def __init__(self, environ: Mapping[str, str], config: Path | None) -> None:
        self.problems: list[str] = []
        self._environ = environ
        self._file: Mapping[str, Json] = {}
        named = environ.get(CONFIG_VARIABLE)
        self._path = config or (Path(named) if named else None)
        if self._path is not None:
            self._read(self._path)

    def mentions(self, field: str) -> bool:
        """Whether a problem of this setting was told already."""
        knob = KNOBS[field]
        return any(problem.startswith((knob.variable, f"{knob.name} ", f"{knob.name}_")) for problem in self.problems)

    def value(self, field: str) -> Any:
        """The setting's value, or None where it is not given or wrong."""
        knob = KNOBS[field]
        origin, raw = self._raw(knob)
        if raw in (None, ""):
            if knob.required:
                self.problems.append(f"{knob.variable} is missing; set it. {knob.meaning}")
            return None
        try:
            return knob.parse(raw)
        except ValueError as error:
            self.problems.append(f"{origin} {error}")
            return None

    def secret_of_file(self, field: str, found: Mapping[str, Any]) -> dict[str, str]:
        """The secret out of the file that `<field>_file` names, if it does."""
        knob, path = KNOBS[field], found.get(f"{field}_file")
        if path is None:
            return {}
        if found.get(field):
            self.problems.append(f"{knob.variable} and {knob.variable}_FILE are both given; give one of them")
            return {}
        try:
            return {field: knob.parse(path.read_text())}
        except OSError as error:
            self.problems.append(
                f"{knob.variable}_FILE: {path} cannot be read ({error.strerror}); correct path or mode"
            )
        except ValueError as error:
            self.problems.append(f"{knob.variable}_FILE: what is in {path} {error}")
        return {}

    def _raw(self, knob: Knob) -> tuple[str, Json]:
        if value := self._environ.get(knob.variable):
            return knob.variable, value
        return f"{knob.name} in {self._path}", self._file.get(knob.name)

    def _read(self, path: Path) -> None:
        import yaml  # noqa: PLC0415 - costs memory that only an agent with a file should pay

        try:
            # Every scalar stays the text that was written: no octal numbers, dates or `no` that means false.
            document = yaml.load(path.read_bytes(), yaml.BaseLoader)  # noqa: S506 - builds nothing but texts
        except OSError as error:
            self.problems.append(
                f"the file {path} cannot be read ({error.strerror}); correct --config or {CONFIG_VARIABLE}"
            )
            return
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            self.problems.append(f"the file {path} is not YAML: {' '.join(str(error).split())}")
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
