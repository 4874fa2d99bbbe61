"""Regular expressions by RE2, which take time in proportion to the text, whatever the expression.

The library is loaded when the first rule needs it: it takes some megabytes, which most agents can do without.
"""

from collections.abc import Callable

MAX_LENGTH = 512
"""Characters of an expression."""
MAX_MEMORY = 512 * 1024
"""Bytes that an expression may take when it is compiled and while it searches (RE2's `max_mem`)."""


class PatternError(ValueError):
    """A text is no regular expression of RE2, or too large a one."""


def searcher(pattern: str) -> Callable[[str], bool]:
    """Whether an expression is found anywhere in a text, anchored only where it says so; no text makes it raise.

    Raises:
        PatternError: it is no expression of RE2, or too large a one.
    """
    import re2  # type: ignore[import-untyped]  # noqa: PLC0415 - see above  # it has no types

    options = re2.Options()
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    options.never_capture = True
    try:
        search = re2.compile(pattern.encode(), options).search
    except re2.error as error:
        reason = error.args[0] if error.args else error
        raise PatternError(reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)) from error
    except UnicodeEncodeError as error:
        raise PatternError(str(error)) from error

    def found(text: str) -> bool:
        try:
            return search(text.encode()) is not None
        except UnicodeEncodeError:
            return False

    return found
