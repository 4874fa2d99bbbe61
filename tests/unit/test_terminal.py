"""What others wrote commands no terminal: neither of who asks the control plane nor of who asks an agent."""

import io
import sys
from collections.abc import Callable

import pytest

from agent.commands import saying
from control_plane.cli import terminal
from shared.wire.text import visible
from tests.rig import hostile

EVIL = "a\x1b]0;owned\x07\x1b[2Jb\x9b31m\u202ec\r\x7f"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("show", [terminal.show, saying.print_line])
def test_a_terminal_is_shown_what_a_pipe_gets(show: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    for out in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stdout", out)
        show(f"one\n\ttwo {EVIL}")
        said = out.getvalue()
        assert said.startswith("one\n\ttwo a")
        assert (EVIL in said) is not out.isatty()
        assert not out.isatty() or said.replace("\n", "").replace("\t", "").isprintable()


@pytest.mark.parametrize("tell", [terminal.tell, saying.say])
def test_remarks_are_shown_everywhere(tell: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    tell(EVIL)
    assert out.getvalue().endswith("\\u202ec\\r\\x7f\n")
    assert out.getvalue().rstrip("\n").isprintable()


def test_a_cell_of_a_table_is_one_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    for out in (Terminal(), io.StringIO()):
        monkeypatch.setattr(sys, "stdout", out)
        terminal.show_table(["a", "b"], [[f"{EVIL}\nforged\trow", "x"]])
        assert "\x1b]" not in out.getvalue()
        assert "\u202e" not in out.getvalue()
    assert out.getvalue().count("\n") == out.getvalue().count("\t") == 1


def test_what_is_visible_stays_as_it_is() -> None:
    for text in ("", "plain", "på svenska", "数", "🙂", "C:\\temp"):
        assert visible(text) == text
    for text in hostile.texts().values():
        assert visible(text).isprintable()
