"""What a template is written in: Jinja2 in its sandbox, with the configs at hand. Runs in the templates' own process only.

Rendering is a function of the configs and the templates: there is no clock, no chance, no environment and no file but
templates of the same directory. What is missing is an error, never an empty text.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from jinja2 import BaseLoader, Environment, StrictUndefined, TemplateError, TemplateNotFound, TemplateSyntaxError
from jinja2.exceptions import UndefinedError
from jinja2.loaders import split_template_path
from jinja2.sandbox import ImmutableSandboxedEnvironment

from agent.files.nesting import nested
from agent.files.template_filters import FILTERS
from agent.files.unrenderable import UnrenderableError
from shared.domain.codec import Json

MAX_TEMPLATE = 1024 * 1024
"""Bytes of one template."""
MAX_OUTPUT = 8 * 1024 * 1024
"""Characters that a template may give."""
_LEFT_OUT = ("random",)
"""Filters that would give another file each time."""


class RequiredError(TemplateError):
    """The template itself says that something is not as it must be; `given` is the text that it gave for that."""

    def __init__(self, message: str, given: str) -> None:
        super().__init__(message)
        self.given = given


class RenderedTemplate(BaseLoader):
    """One template to render with all that it takes, and the record of what it was made of.

    `kept` are sources to use instead of the files; `stamps` tell later whether a file is still the one that was read.
    """

    def __init__(self, job: Mapping[str, Json]) -> None:
        self.directory, self.name = Path(job["directory"]), str(job["name"])
        self.values: Mapping[str, Json] = job["values"]
        self.agent: Mapping[str, Json] = job["agent"]
        self.secret: bool = job["secret"]
        self._kept: Mapping[str, str] | None = job["kept"]
        self.sources: dict[str, str] = {}
        self.stamps: dict[str, list[int]] = {}

    def may_tell(self, text: str) -> bool:
        """Whether a text that a template gave holds nothing of a sensitive value: it stands in a template as it is."""
        return not self.secret or text == self.name or any(str(text) in each for each in self.sources.values())

    def get_source(self, _environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        text = self._read(template) if self._kept is None else self._kept.get(template)
        if text is None:
            raise TemplateNotFound(template)
        self.sources[template] = text
        return text, template, lambda: True

    def _read(self, template: str) -> str:
        path = self.directory.joinpath(*split_template_path(template))
        called = template if self.may_tell(template) else "a template that is named by a value"
        self.stamps[str(path)] = []
        try:
            self._require_inside(path, template, called)
            text, found = _content(path)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise TemplateNotFound(template) from error
        except OSError as error:
            msg = f"{called} cannot be read ({error.strerror}); correct path or mode"
            raise UnrenderableError(msg, template=True) from error
        self.stamps[str(path)] = [found.st_mtime_ns, found.st_size, found.st_ino]
        if len(text) > MAX_TEMPLATE:
            msg = f"{called} is larger than {MAX_TEMPLATE:,} bytes"
            raise UnrenderableError(msg, template=True)
        try:
            return text.decode()
        except UnicodeDecodeError as error:
            msg = f"{called} is not UTF-8 (byte {error.start})"
            raise UnrenderableError(msg, template=True) from error

    def _require_inside(self, path: Path, template: str, called: str) -> None:
        """What a template includes lies in its directory, whatever is linked there; the template itself may be a link."""
        if template != self.name and not path.resolve(strict=True).is_relative_to(self.directory.resolve()):
            msg = f"{called} is a link that leads out of {self.directory}"
            raise UnrenderableError(msg, template=True)


def _content(path: Path) -> tuple[bytes, os.stat_result]:
    """As much of a file as a template may have, and what tells it from another; never waits for a pipe."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is no file")
        content = bytearray()
        while len(content) <= MAX_TEMPLATE and (more := os.read(descriptor, MAX_TEMPLATE + 1)):
            content += more
        return bytes(content), found
    finally:
        os.close(descriptor)


class _Sandbox(ImmutableSandboxedEnvironment):
    """The sandbox, in which a member of an object comes before the methods that objects have."""

    def getattr(self, obj: Json, attribute: str) -> Json:
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


def render(job: RenderedTemplate) -> str:
    """The text that a template gives.

    Raises:
        UnrenderableError: it does not; the text says in which line and why, and of sensitive values nothing.
    """
    environment = _environment(job)
    try:
        return "".join(_limited(environment.get_template(job.name).generate(_names(job, environment))))
    except (MemoryError, RecursionError):
        raise
    except UnrenderableError as error:
        raise error if error.template else UnrenderableError(f"{_place(error, job)}: {error.why}") from error
    except Exception as error:  # a template can raise anything that an expression can
        raise UnrenderableError(_told(error, job), template=not _lacks(error)) from error


def _environment(job: RenderedTemplate) -> Environment:
    environment = _Sandbox(
        loader=job,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        extensions=["jinja2.ext.loopcontrols"],
        auto_reload=False,
    )
    for name in _LEFT_OUT:
        del environment.filters[name]
    del environment.globals["lipsum"]
    environment.filters.update(FILTERS)
    return environment


def _names(job: RenderedTemplate, environment: Environment) -> dict[str, Json]:
    """What a template can speak of."""
    values = job.values

    def value(key: str, *default: Json) -> Json:
        if key in values:
            return values[key]
        return default[0] if default else environment.undefined(f"there is no config {key!r} here")

    def required(key: str, message: str = "") -> Json:
        if values.get(key) is None:
            raise RequiredError(message or f"the config {key!r} is required", message or key)
        return values[key]

    def fail(message: str) -> None:
        raise RequiredError(message, message)

    return {
        "configs": values,
        "config": _nested(values, environment),
        "value": value,
        "required": required,
        "has": values.__contains__,
        "under": lambda prefix: {key.removeprefix(prefix): values[key] for key in values if key.startswith(prefix)},
        "fail": fail,
        "agent": job.agent,
    }


def _nested(values: Mapping[str, Json], environment: Environment) -> Json:
    try:
        return nested(values)
    except UnrenderableError as error:
        return environment.undefined(f"`config` cannot be used: {error.why}")


def _limited(pieces: Iterator[str]) -> Iterator[str]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > MAX_OUTPUT:
            msg = f"gives more than {MAX_OUTPUT:,} characters"
            raise UnrenderableError(msg, template=True)
        yield piece


def _lacks(error: Exception) -> bool:
    """Whether it is the configs that are not as the template needs them."""
    return isinstance(error, (UndefinedError, RequiredError))


def _told(error: Exception, job: RenderedTemplate) -> str:
    """What is wrong, and where. What an error says may hold a value: sensitive ones are not told.

    What stands in a template word for word may be told all the same.
    """
    if isinstance(error, TemplateSyntaxError):
        return f"{error.name or job.name}, line {error.lineno}: {error.message}"
    if isinstance(error, TemplateNotFound) and job.may_tell(str(error.name)):
        return f"there is no template {error.name!r} in {job.directory}"
    if not job.secret or (isinstance(error, RequiredError) and job.may_tell(error.given)):
        return f"{_place(error, job)}: {str(error) or type(error).__name__}"
    return f"{_place(error, job)}: fails ({type(error).__name__}); why is not told, there are sensitive values in it"


def _place(error: Exception, job: RenderedTemplate) -> str:
    """The innermost line of a template that the error came from."""
    name, line, trace = job.name, 0, error.__traceback__
    while trace is not None:
        if (found := trace.tb_frame.f_code.co_filename) in job.sources:
            name, line = found, trace.tb_lineno
        trace = trace.tb_next
    return f"{name}, line {line}" if line else name
