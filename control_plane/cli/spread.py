"""Groups of options: a dataclass whose fields are options, taken by a command as one parameter."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import wraps
from typing import Any

import typer


def command(group: typer.Typer, name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function the command of a group that has this name."""
    return lambda function: group.command(name)(spread(function))


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the fields of its groups in the place of each group, as the command line shows them."""
    signature = inspect.signature(command)
    groups: dict[str, Any] = {
        name: each.annotation for name, each in signature.parameters.items() if is_dataclass(each.annotation)
    }

    @wraps(command)
    def run(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{each.name: given.pop(each.name) for each in fields(group)})
        command(**given)

    shown = [option for each in signature.parameters.values() for option in _options(each)]
    run.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]  # what inspect looks for
    return run


def _options(parameter: inspect.Parameter) -> Iterator[inspect.Parameter]:
    if not is_dataclass(parameter.annotation):
        yield parameter
        return
    for each in fields(parameter.annotation):
        yield inspect.Parameter(each.name, inspect.Parameter.KEYWORD_ONLY, default=_default(each), annotation=each.type)


def _default(field: "Field[Any]") -> Any:
    return inspect.Parameter.empty if field.default is MISSING else field.default
