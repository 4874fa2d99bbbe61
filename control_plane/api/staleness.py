"""The header by which an answer says that it may be behind, for whoever does not read its document."""

STALE = "Trimtab-Stale"


def staleness(stale: bool) -> dict[str, str]:  # noqa: FBT001 - the one thing that it is about
    """The header where it applies, to be joined with others."""
    return {STALE: "true"} if stale else {}
