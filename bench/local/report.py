"""The comparison as a Markdown table and a chart: bars in an SVG, drawn with nothing but text."""

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from xml.sax.saxutils import escape

from bench.local.clients import Run
from bench.local.goals import GOALS, OURS, Runs

BEGIN, END = "<!-- written by: python -m bench --only local --write FILE -->", "<!-- end of what is written -->"
CHART = "local.svg"

_WIDTH, _LABEL, _BAR, _GAP, _HEAD = 860, 250, 18, 6, 30
_OURS_COLOR, _THEIRS_COLOR = "#0b7285", "#adb5bd"


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured, in which versions, and who was not there."""

    runs: Runs
    versions: Mapping[str, str]
    absent: Mapping[str, str]

    def write(self, file: Path) -> None:
        """Put the tables between the marks in `file` (at its end, without marks), and the chart into a folder beside it."""
        charts = file.parent / file.stem
        charts.mkdir(parents=True, exist_ok=True)
        (charts / CHART).write_text(self.chart())
        text = file.read_text() if file.exists() else "# Benchmarks\n"
        before, mark, rest = text.partition(BEGIN)
        after = rest.partition(END)[2] if mark else "\n"
        separator = "" if mark else "\n"
        file.write_text(f"{before}{separator}{BEGIN}\n\n{self.markdown(f'{file.stem}/{CHART}')}\n{END}{after}")

    def markdown(self, chart: str) -> str:
        """Both tables."""
        return "\n".join([*self._preface(), "", f"![CPU for a request]({chart})", "", *self._goals(), "", *self._all()])

    def _preface(self) -> list[str]:
        versions = ", ".join(f"{name.split(',')[0]} {version}" for name, version in self.versions.items())
        lines = [f"{os.cpu_count()} cores, CPython {platform.python_version()}, {versions}."]
        if self.absent:
            lines.append(
                "Not measured: "
                + "; ".join(f"{name} ({why.splitlines()[0][:100]})" for name, why in self.absent.items())
                + "."
            )
        return lines

    def _goals(self) -> list[str]:
        rows = ["| path | goal | measured | reached |", "|---|---|---|---|"]
        for goal in GOALS:
            ratio = goal.measured(self.runs)
            shown = (
                "not measured | -" if ratio is None else f"{ratio:.2f} | {'yes' if goal.reached(ratio) else '**no**'}"
            )
            rows.append(f"| {goal.case}: {goal.ours} | {goal.text} | {shown} |")
        return rows

    def _all(self) -> list[str]:
        rows = ["| path | server | CPU µs/request | requests/s | median µs |", "|---|---|---|---|---|"]
        for case, lines in self.runs.items():
            for name, runs in lines.items():
                cpu, rate, p50 = (_mid(runs, respect) for respect in ("cpu", "rate", "p50"))
                rows.append(f"| {case} | {name} | {cpu:,.1f} | {rate:,.0f} | {p50:,.0f} |")
        return rows

    def chart(self) -> str:
        """CPU for a request, by case; each case has a scale of its own."""
        drawn: list[str] = []
        y = 34
        for case, lines in self.runs.items():
            if not lines:
                continue
            drawn.append(_text(12, y + 14, case, weight="bold"))
            y += _HEAD
            costs = {name: _mid(runs, "cpu") for name, runs in lines.items()}
            for name, cost in costs.items():
                drawn += _bar(y, name, cost, max(costs.values()))
                y += _BAR + _GAP
            y += 12
        title = _text(12, 20, "Server CPU for one request, µs (less is better; each group has its own scale)")
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" font-family="sans-serif" font-size="13">'
        background = f'<rect width="{_WIDTH}" height="{y}" fill="#ffffff"/>'
        return "\n".join([head, background, title, *drawn, "</svg>", ""])


def _bar(y: int, name: str, cost: float, most: float) -> list[str]:
    width = max(2.0, (_WIDTH - _LABEL - 100) * cost / most)
    color = _OURS_COLOR if name.startswith(OURS) else _THEIRS_COLOR
    return [
        _text(_LABEL - 8, y + 13, name, anchor="end"),
        f'<rect x="{_LABEL}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{color}"/>',
        _text(round(_LABEL + width) + 6, y + 13, f"{cost:,.1f}"),
    ]


def _text(x: int, y: int, text: str, *, anchor: str = "start", weight: str = "normal") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-weight="{weight}" fill="#212529">{escape(text)}</text>'


def _mid(runs: Sequence[Run], respect: str) -> float:
    return float(median(getattr(each, respect) for each in runs))
