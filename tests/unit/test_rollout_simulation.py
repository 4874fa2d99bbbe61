"""The simulation of a large rollout runs, and a small one shows what the large one does."""

from tests.bench.outcomes import found
from tests.bench.rollout_simulation import DOCUMENT, SHORT, simulate
from tests.bench.statistics import WEIGHTS
from tests.bench.table import Table, shown


def _column(table: Table, name: str) -> list[float]:
    return [float(row[table.columns.index(name)]) for row in table.rows]


def test_a_small_simulation_is_within_what_chance_allows() -> None:
    tables = {table.title: table for table in simulate(*SHORT)}
    exposed = tables["Exposure of users"]
    assert _column(exposed, "weight") == list(WEIGHTS)
    assert max(_column(exposed, "largest deviation (SD)")) < 5
    assert set(_column(exposed, "moved out")) == {0}
    assert max(_column(tables["Two rollouts at 30 % each"], "largest deviation (SD)")) < 5


def test_the_document_has_the_tables_of_the_script() -> None:
    text = DOCUMENT.read_text()
    titles = [table.title for table in simulate(100, 10_000, 2, 20)]
    assert [title for title in titles if not title.startswith("Instances") and title not in text] == []


def test_a_candidate_that_always_fails_is_found_at_once_and_an_innocent_one_is_not() -> None:
    rows = found(1).rows
    assert (rows[0][2], rows[-1][2], rows[-1][3]) == (0, 100, 15)


def test_numbers_are_shown_as_people_read_them() -> None:
    assert [shown(each) for each in ("-", 7, 7.0, 1_234.5, 0.01234)] == ["-", "7", "7", "1,234.50", "0.0123"]
