"""How a program of ours is run: in one event loop, and with one line for whatever an operator can mend."""

import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from socket import gethostname
from typing import TypeVar

import anyio

from control_plane.domain.attribution import Attribution, Source
from control_plane.domain.errors import KeyLostError, UnavailableError
from control_plane.postgres.migrate import MigrationError
from shared.runtime.http import AddressInUseError

T = TypeVar("T")


class StartError(Exception):
    """It cannot run as it is; the text is one line that says why and what to do."""


def ourselves() -> Attribution:
    """To whom what a program does by itself is attributed."""
    return Attribution("system", gethostname(), source=Source.SYSTEM)


def in_event_loop(function: Callable[..., Awaitable[T]], *arguments: object) -> T:
    """Run a coroutine function to its end."""
    return anyio.run(function, *arguments, backend_options={"use_uvloop": True})


@contextmanager
def clear_errors(*also: type[Exception]) -> Iterator[None]:
    """Turn what an operator can mend, and what `also` names, into a `StartError`; a bug goes through."""
    try:
        yield
    except Exception as error:
        for leaf in _leaves(error):
            if (line := str(leaf) if isinstance(leaf, also) else _line(leaf)) is not None:
                raise StartError(line) from error
        raise


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors inside a task group's error."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


def _line(error: BaseException) -> str | None:
    match error:
        case StartError() | MigrationError():
            return str(error)
        case AddressInUseError():
            return f"{error.address} cannot be listened on: stop what uses it, or set TRIMTAB_LISTEN"
        case KeyLostError():
            return f"the installation's keys cannot be used: {error} Add that key to TRIMTAB_ENCRYPTION_KEY, behind a comma"
        case ssl.SSLError():
            return f"TLS cannot be used as it is set ({error.reason or error}): check the files of TRIMTAB_TLS_…"
        case UnavailableError():
            return f"{error}: check that it runs and that its URL is right"
        case _:
            return None
