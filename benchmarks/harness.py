"""The one shape of a benchmark.

- A benchmark measures and hands back figures; it does not print or write by itself.
- A figure with a goal says whether it met it; a figure without one is for the record.
- What was not measured says so and why. It has no value, and never meets its goal.
- Two things are compared side by side on the same machine, in turns, and by their median ratio.
- What was measured where, and with which versions, stands in the same file as the figures.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

__all__ = [
    "Comparison",
    "Figure",
    "at_least",
    "at_most",
    "interleave",
    "machine",
    "main",
    "not_measured",
    "report",
    "versions_of",
]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One measured number."""

    # What was measured: `answer, 99th percentile`.
    name: str
    # The number, in `unit`. None: it was not measured, and `note` says why.
    value: float | None
    # `ms`, `rows/s`, `x`.
    unit: str
    # What it should be, in words: `at most 5 ms`. None when it is only for the record.
    goal: str | None = None
    # Whether it is what it should be. None without a goal.
    met: bool | None = None
    # What to know beside the number: of how many it is, beside what it stands.
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse a goal without a judgement, and a judgement without a goal."""
        if (self.goal is None) != (self.met is None):
            msg = (
                f"Figure {self.name!r} refused: goal and met belong together, "
                f"found goal={self.goal!r} and met={self.met!r}. Give both or neither."
            )
            raise ValueError(msg)
        if self.value is None and (self.met or not self.note):
            msg = f"Figure {self.name!r} refused: it was not measured, so it meets nothing and its note says why."
            raise ValueError(msg)


def at_most(name: str, value: float, unit: str, most: float, note: str = "") -> Figure:
    """Give a figure that should be small."""
    return Figure(name=name, value=value, unit=unit, goal=f"at most {most:g} {unit}", met=value <= most, note=note)


def at_least(name: str, value: float, unit: str, least: float, note: str = "") -> Figure:
    """Give a figure that should be large."""
    return Figure(name=name, value=value, unit=unit, goal=f"at least {least:g} {unit}", met=value >= least, note=note)


def not_measured(name: str, unit: str, goal: str, why: str) -> Figure:
    """Give the place of a figure that this run has not."""
    return Figure(name=name, value=None, unit=unit, goal=goal, met=False, note=why)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two callables timed in turns. Seconds per call."""

    # The median time of the first.
    first: float
    # The median time of the second.
    second: float
    # The median, over the rounds, of second / first: over 1 means that the second is slower.
    ratio: float
    # Between these two lies the ratio of half of the rounds.
    low: float
    high: float


def interleave(
    first: Callable[[], object],
    second: Callable[[], object],
    *,
    rounds: int = 15,
    warmup: int = 1,
    timer: Callable[[], float] = time.perf_counter,
) -> Comparison:
    """Time two callables in turns, first second first second, so that a change of the machine's pace meets both."""
    if rounds < 1:
        msg = f"Comparison refused: expected at least one round, found {rounds}. Pass rounds=1 or more."
        raise ValueError(msg)
    for _ in range(warmup):
        first()
        second()
    pairs = [(_seconds(first, timer), _seconds(second, timer)) for _ in range(rounds)]
    ratios = sorted(b / a for a, b in pairs)
    return Comparison(
        first=statistics.median(a for a, _ in pairs),
        second=statistics.median(b for _, b in pairs),
        ratio=statistics.median(ratios),
        low=ratios[len(ratios) // 4],
        high=ratios[len(ratios) * 3 // 4],
    )


def machine() -> dict[str, str | int | float]:
    """Describe where the figures come from; memory in GiB."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(memory, 1),
        "os": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def versions_of(*packages: str) -> dict[str, str]:
    """Read the installed version of each package."""
    return {package: metadata.version(package) for package in packages}


def report(
    figures: Sequence[Figure], versions: Mapping[str, str], path: Path | None, *, console: Console | None = None
) -> None:
    """Print the figures as a table and, given a path, write them as JSON."""
    console = console or Console()
    console.print(_table(figures))
    if path is None:
        return
    document: dict[str, Any] = {
        "figures": [asdict(figure) for figure in figures],
        "machine": machine(),
        "versions": dict(versions),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    console.print(f"written: {path}", highlight=False)


def main(
    measure: Callable[[], Sequence[Figure]],
    *,
    description: str,
    packages: Sequence[str] = ("lockgate",),
    arguments: Sequence[str] | None = None,
) -> None:
    """Be a benchmark's command line: measure, then report. A missed goal is reported, it does not fail the run."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, metavar="PATH", help="also write the figures to this file")
    options = parser.parse_args(arguments)
    report(measure(), versions_of(*packages), options.json)


def _seconds(function: Callable[[], object], timer: Callable[[], float]) -> float:
    start = timer()
    function()
    return timer() - start


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _table(figures: Sequence[Figure]) -> Table:
    table = Table()
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("goal")
    table.add_column("met")
    table.add_column("note")
    for figure in figures:
        value = "not measured" if figure.value is None else _number(figure.value)
        met = "" if figure.value is None else {None: "", True: "yes", False: "NO"}[figure.met]
        table.add_row(figure.name, value, figure.unit, figure.goal or "", met, figure.note)
    return table


def _number(value: float) -> str:
    """Give counts whole, and everything else with four digits."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"
