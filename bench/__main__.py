"""`python -m bench`: run the benchmarks and print a table, or JSON with `--json`.

Everything is started here, on loopback, in a temporary directory, and stopped at the end. Compare only numbers of one
run: a machine's speed varies from hour to hour.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio

from bench import audit, commits, evaluation, fetches, footprint, lookback, previews, propagation, reads, soak
from bench.local import measure as local
from bench.result import Plan, Result, table
from shared.domain.codec import encode

Bench = Callable[[Path, Plan], Awaitable[list[Result]]]

BENCHES: dict[str, Bench] = {
    "propagation": propagation.measure,
    "commits": commits.measure,
    "reads": reads.measure,
    "local": local.measure,
    "evaluation": evaluation.measure,
    "fetches": fetches.measure,
    "lookback": lookback.measure,
    "previews": previews.measure,
    "audit": audit.measure,
    "footprint": footprint.measure,
    "soak": soak.measure,
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--short", action="store_true", help="fewer rounds: shows that it works, not how fast")
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="put the report of `local` into this Markdown file, charts beside it"
    )
    parser.add_argument("--only", choices=sorted(BENCHES), action="append", help="run this one (repeatable)")
    return parser.parse_args()


async def _run(arguments: argparse.Namespace) -> list[Result]:
    plan = Plan(short=arguments.short, write=arguments.write)
    results: list[Result] = []
    for name in arguments.only or BENCHES:
        print(f"… {name}", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="trimtab-bench-") as directory:
            Path(directory).chmod(0o711)  # noqa: ASYNC240 - run by root, the servers are somebody else
            results += await BENCHES[name](Path(directory), plan)
    return results


def main() -> None:
    """Run what was asked for."""
    arguments = _arguments()
    results = anyio.run(_run, arguments, backend_options={"use_uvloop": True})
    machine = f"{os.cpu_count()} cores, CPython {platform.python_version()}, {platform.system()} {platform.release()}"
    if arguments.json:
        sys.stdout.write(encode({"machine": machine, "results": [each.document() for each in results]}).decode() + "\n")
    else:
        print(table(results, machine))


if __name__ == "__main__":
    main()
