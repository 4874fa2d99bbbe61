"""The settings' table in `docs/control-plane.md`, made of the settings: `python -m control_plane.cli.reference --check`."""

import sys
from pathlib import Path

from control_plane.settings.load import rows

_PAGE = Path(__file__).parents[2] / "docs" / "control-plane.md"
_BEGIN, _END = "<!-- settings: begin -->\n", "<!-- settings: end -->\n"


def table() -> str:
    """The settings as a table in Markdown."""
    lines = [f"| `{name}` | {f'`{default}`' if default else ''} | {meaning} |" for name, default, meaning in rows()]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *lines, ""])


def main(arguments: list[str]) -> int:
    """Compare the page with the settings (`--check`), or bring it up to date (`--write`)."""
    page = _PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    wanted = before + _BEGIN + table() + _END + after
    if arguments == ["--write"]:
        _PAGE.write_text(wanted, encoding="utf-8")
    elif page != wanted:
        sys.stderr.write(
            "docs/control-plane.md does not show the settings as they are: "
            "python -m control_plane.cli.reference --write\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
