"""The settings' table in `docs/agent.md`, made of the settings themselves: `python -m agent.settings.reference --check`."""

import sys
from pathlib import Path

from agent.settings.knobs import KNOBS

_PAGE = Path(__file__).parents[2] / "docs" / "agent.md"
_BEGIN, _END = "<!-- settings: begin -->\n", "<!-- settings: end -->\n"


def table() -> str:
    """The settings as a table in Markdown."""
    rows = [
        f"| `{knob.variable}` | {f'`{knob.flag}`' if knob.flag else 'none'} | `{knob.name}` "
        f"| {'**required**' if knob.required else knob.default} | {knob.meaning} |"
        for knob in KNOBS.values()
    ]
    return "\n".join(["| variable | flag | in the file | default | meaning |", "|---|---|---|---|---|", *rows, ""])


def main(arguments: list[str]) -> int:
    """Compare the page with the settings (`--check`), or bring it up to date (`--write`)."""
    page = _PAGE.read_text()
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    wanted = before + _BEGIN + table() + _END + after
    if arguments == ["--write"]:
        _PAGE.write_text(wanted)
    elif page != wanted:
        sys.stderr.write(
            "docs/agent.md does not show the settings as they are: python -m agent.settings.reference --write\n"
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
