"""A rollout over 1,000,000 users and 10,000 agents, simulated: `python -m tests.bench.rollout_simulation [--short]`.

Prints the tables of `rollout_simulation.md`, which says what they mean. Everything is deterministic.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.bench.clocks import around_a_step
from tests.bench.memory import evidence, held
from tests.bench.outcomes import found
from tests.bench.statistics import canaries, exposure, independence
from tests.bench.table import Table
from tests.bench.traffic import messages, reports

DOCUMENT = Path(__file__).with_suffix(".md")
MARK = "<!-- Written by: python -m tests.bench.rollout_simulation --write -->"
FULL = (1_000_000, 10_000, 20, 1_000)
SHORT = (5_000, 10_000, 3, 20)
"""Users, agents, rollouts over the users, rollouts over instances."""


def simulate(users: int, agents: int, salts: int, rollouts: int) -> Iterator[Table]:
    """All tables, one after the other."""
    ids = [f"user-{number}" for number in range(users)]
    names = [f"rollout-{number}" for number in range(salts)]
    yield exposure(ids, names)
    yield independence(ids, names)
    yield canaries(rollouts)
    yield around_a_step(agents)
    yield messages(agents)
    yield reports(agents)
    yield evidence(agents)
    yield found(rollouts // 10)
    yield held()


def main() -> None:
    """Print the tables, or write them into the document."""
    parser = argparse.ArgumentParser(description="Simulate a rollout over a million users and ten thousand agents.")
    parser.add_argument("--short", action="store_true", help="a hundredth of the users, to see that it runs")
    parser.add_argument("--write", action="store_true", help="write the tables into rollout_simulation.md")
    asked = parser.parse_args()
    tables = []
    for table in simulate(*(SHORT if asked.short else FULL)):
        tables.append(str(table))
        sys.stdout.write(f"{table}\n\n")
    if asked.write:
        prose = DOCUMENT.read_text().partition(MARK)[0]
        DOCUMENT.write_text(prose + MARK + "\n\n" + "\n\n".join(tables) + "\n")


if __name__ == "__main__":
    main()
