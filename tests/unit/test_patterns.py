"""Regular expressions: linear in the text, limited in memory, and loaded when the first rule needs them."""

import subprocess
import sys
import time

import pytest

from shared.domain.pattern import PatternError, searcher


def test_an_expression_that_ruins_others_takes_time_in_proportion_to_the_text() -> None:
    found = searcher("(x+x+)+y")
    begun = time.process_time()
    assert not found("x" * 1_000_000)
    assert time.process_time() - begun < 1


@pytest.mark.parametrize("pattern", ["(", "(?=a)", "(a)\\1", "a{1001}", "(?:\\pL{100}){9}", "[z-a]", "\\", "\ud800"])
def test_what_is_no_expression_or_too_large_a_one_is_refused_with_a_reason(pattern: str) -> None:
    with pytest.raises(PatternError) as refused:
        searcher(pattern)
    assert str(refused.value)


def test_no_text_makes_a_search_raise() -> None:
    assert not searcher("a")("\ud800")
    assert searcher("\x00")("a\x00b")


def test_the_library_is_not_loaded_until_a_rule_needs_it() -> None:
    asked = "import sys, shared.domain.program; print('re2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "False"
