"""Texts about what others wrote, made fit to be sent: nothing in them may keep a report from being taken."""


def sendable(text: str, at_most: int) -> str:
    """The text without what PostgreSQL and JSON refuse (NUL, halves of surrogate pairs), cut to `at_most` characters."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:at_most].encode(errors="replace").decode()
