"""What a benchmark gives back: named numbers with their units."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles


@dataclass(frozen=True, slots=True)
class Plan:
    """How long to measure."""

    short: bool
    write: Path | None = None
    """A Markdown file to write a report into, with charts beside it; for benchmarks that make one."""

    def count(self, full: int) -> int:
        """This many rounds, or a tenth of it in the short form."""
        return max(10, full // 10) if self.short else full

    def seconds(self, full: float) -> float:
        """This long, or a fifth of it in the short form."""
        return full / 5 if self.short else full


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table: a bench, its case, and numbers by name (unit in the name)."""

    bench: str
    case: str
    numbers: dict[str, float]

    def document(self) -> dict[str, object]:
        """The line as JSON."""
        return {"bench": self.bench, "case": self.case, **self.numbers}


def percentiles(seconds: Sequence[float], name: str = "ms") -> dict[str, float]:
    """p50 and p99 of durations, in milliseconds."""
    cuts = quantiles(sorted(seconds), n=100, method="inclusive")
    return {f"{name} p50": round(cuts[49] * 1000, 3), f"{name} p99": round(cuts[98] * 1000, 3)}


def table(results: Sequence[Result], machine: str) -> str:
    """The results for a person."""
    width = max(len(each.case) for each in results)
    lines, bench = [machine], ""
    for each in results:
        if each.bench != bench:
            bench = each.bench
            lines += ["", bench]
        numbers = "   ".join(f"{name} {value:,.6g}" for name, value in each.numbers.items())
        lines.append(f"  {each.case:<{width}}   {numbers}")
    return "\n".join(lines)
