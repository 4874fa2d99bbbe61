"""Texts about what others wrote, made fit to be sent: nothing in them may keep a report from being taken."""


def sendable(text: str, at_most: int) -> str:
    """The text without what PostgreSQL and JSON refuse (NUL, halves of surrogate pairs), cut to `at_most` characters."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:at_most].encode(errors="replace").decode()


def visible(text: str, keep: str = "") -> str:
    """The text, with escapes for what no person sees, but for `keep`: it could end a line, command a terminal, or turn words around."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or each in keep else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
