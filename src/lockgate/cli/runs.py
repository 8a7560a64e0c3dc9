"""How training runs look in a terminal."""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from lockgate.cli.charts import spark
from lockgate.kernel.canonical import is_digest, short
from lockgate.kernel.errors import Refused
from lockgate.kernel.numbers import heard

__all__ = ["CURVE", "compared", "compared_in_words", "in_words", "listing", "shown", "written"]

CURVE = 40
"""How many points of a curve are drawn."""

_COLOURS = {"finished": "green", "failed": "red", "killed": "red"}
_METRICS = 4
_COMMIT = re.compile(r"[0-9a-f]{40}")


def listing(found: dict[str, Any], console: Console | None = None) -> None:
    """Show every run in a line, and how to go on."""
    out = console or Console()
    if not found["runs"]:
        none = "No run was recorded yet. Next: lockgate ship FOLDER"
        out.print(f"None of {found['looked_at']:,} runs." if found["looked_at"] else none)
        return
    table = Table(box=None, pad_edge=False)
    for name in ("run", "model", "began", "took", "state", "metrics", "tags"):
        table.add_column(name, overflow="fold")
    for one in found["runs"]:
        tags = " ".join(f"{name}={value}" for name, value in one["tags"].items())
        took = _duration(one["seconds"])
        table.add_row(short(one["run"]), one["model"], _moment(one), took, _state(one), _metrics(one), tags)
    out.print(table)
    if found["before"] is not None:
        out.print(f"[dim]Older ones: --before {found['before']}[/]")


def _moment(one: dict[str, Any]) -> str:
    return (one["began_at"] or "")[:19].replace("T", " ")


def _state(one: dict[str, Any]) -> str:
    version = f" [bold]{one['version']}[/]" if one["version"] else ""
    return f"[{_COLOURS[one['state']]}]{one['state']}[/]{version}"


def _metrics(one: dict[str, Any]) -> str:
    named = [f"{name} {_number(metric['last'])}" for name, metric in one["metrics"].items()]
    more = f" and {len(named) - _METRICS} more" if len(named) > _METRICS else ""
    return ", ".join(named[:_METRICS]) + more


def _number(value: Any) -> str:  # noqa: ANN401 - a number as it is written, or none
    return "" if value is None else f"{heard(value):.6g}"


def _duration(seconds: float) -> str:
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"  # noqa: PLR2004 - an hour


def in_words(found: dict[str, Any]) -> dict[str, Any]:
    """Give a run with its parameters as texts: JSON is written before anything is escaped for the terminal."""
    pairs = [[name, json.dumps(value)] for name, value in found["parameters"].items()]
    return {**found, "parameters": pairs}


def compared_in_words(found: dict[str, Any]) -> dict[str, Any]:
    """Give a comparison with its values as texts."""
    lines = [{**line, "values": [_cell(line["kind"], value) for value in line["values"]]} for line in found["lines"]]
    return {**found, "lines": lines}


def _cell(kind: str, value: Any) -> str:  # noqa: ANN401 - JSON values
    if value is None:
        return "-"
    if kind == "parameter":
        return json.dumps(value)
    if isinstance(value, str):
        return short(value) if is_digest(value) else value[:12] if _COMMIT.fullmatch(value) else value
    return f"{value:.6g}" if isinstance(value, float) else json.dumps(value)


def shown(found: dict[str, Any], console: Console | None = None) -> None:
    """Show a run in full."""
    out = console or Console()
    out.print(f"[bold]{found['model']}[/] run {short(found['run'])} {_state(found)}")
    if found["why"]:
        out.print(f"[red]{found['why']}[/]")
    _facts(found, out)
    _pairs("parameters", dict(found["parameters"]), out)
    _curves(found, out)
    _pairs("artifacts", {name: f"{one['size']:,} bytes" for name, one in found["artifacts"].items()}, out)
    _pairs("tags", found["tags"], out)
    if found["why"] and found["printed"].strip():
        out.print(f"\n[bold]printed last[/]\n[dim]{found['printed'].strip()}[/]")


def _facts(found: dict[str, Any], out: Console) -> None:
    changes = " with changes" if found["dirty"] else ""
    machine = found["machine"]
    cost = [f"took {_duration(found['seconds'])}"]
    if found["cpu_seconds"] is not None:
        cost.append(f"{_duration(found['cpu_seconds'])} of processor time")
    if found["peak_memory"]:
        cost.append(f"{found['peak_memory'] / 1e6:,.0f} MB at most")
    lines = {
        "began": f"{_moment(found)}, by {found['by']}" + (f", walk {found['line']}" if found["line"] else ""),
        "cost": ", ".join(cost),
        "fitted": found["fitted"],
        "code": f"commit {found['commit'][:12]}{changes}, {short(found['code'])}" if found["commit"] else "",
        "data": f"{found['training_rows']:,} rows, training set {short(found['training_set'])}: "
        + ", ".join(f"{source} {short(one)}" for source, one in found["snapshots"].items()),
        "environment": f"Python {found['python']}, {found['distributions']} distributions,"
        f" {short(found['environment'])}",
        "machine": f"{machine['processor']}, {machine['cores']} cores",
    }
    for name, text in lines.items():
        if text:
            out.print(f"[dim]{name:<12}[/]{text}", soft_wrap=True)


def _pairs(title: str, pairs: dict[str, str], out: Console) -> None:
    if not pairs:
        return
    table = Table(title=f"\n[bold]{title}[/]", title_justify="left", box=None, pad_edge=False, show_header=False)
    for name, text in pairs.items():
        table.add_row(name, text)
    out.print(table)


def _curves(found: dict[str, Any], out: Console) -> None:
    if not found["metrics"]:
        return
    table = Table(title="\n[bold]metrics[/]", title_justify="left", box=None, pad_edge=False)
    for name in ("name", "last", "step", "least", "greatest", "points", ""):
        table.add_column(name, overflow="fold", justify="left" if name in {"name", ""} else "right")
    for name, one in found["metrics"].items():
        bounds = [_number(one["last"]), f"{one['step']}", _number(one["least"]), _number(one["greatest"])]
        (drawn,) = _drawn([found["curves"].get(name)])
        table.add_row(name, *bounds, f"{one['points']:,}", drawn)
    out.print(table)


def _drawn(curves: Sequence[dict[str, Any] | None]) -> list[str]:
    """Draw the curves of a metric on one scale; empty where there is no curve, or one point only."""
    given = [[heard(value) for value in curve["values"]] if curve else [] for curve in curves]
    finite = [value for values in given for value in values if math.isfinite(value)]
    return [
        spark(values, min(finite, default=0.0), max(finite, default=0.0)) if len(values) > 1 else "" for values in given
    ]


def compared(found: dict[str, Any], console: Console | None = None) -> None:
    """Show runs beside each other."""
    out = console or Console()
    differ = [line for line in found["lines"] if line["differs"]]
    same = [line for line in found["lines"] if not line["differs"]]
    _beside("what differs", found["runs"], differ, out)
    _curves_beside(found, out)
    if same:
        names = ", ".join(f"{line['name']} {line['values'][0]}" for line in same)
        out.print(f"\n[dim]the same: {names}[/]")


def _beside(title: str, runs: list[dict[str, Any]], lines: list[dict[str, Any]], out: Console) -> None:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("", overflow="fold")
    table.add_column("", overflow="fold")
    for one in runs:
        version = f" {one['version']}" if one["version"] else ""
        table.add_column(f"{short(one['run'])}{version}", overflow="fold")
    kind = ""
    for line in lines:
        shown_kind, kind = ("" if line["kind"] == kind else line["kind"]), line["kind"]
        table.add_row(f"[dim]{shown_kind}[/]", line["name"], *line["values"])
    out.print(table if lines else "They differ in nothing that is recorded.")


def _curves_beside(found: dict[str, Any], out: Console) -> None:
    names = dict.fromkeys(name for curves in found["curves"] for name in curves)
    drawn = {name: _drawn([curves.get(name) for curves in found["curves"]]) for name in names}
    if not any(any(lines) for lines in drawn.values()):
        return
    table = Table(title="\ncurves, each metric on one scale", title_justify="left", box=None, pad_edge=False)
    for name in ("", "run", "from first to last point", "last"):
        table.add_column(name)
    for name, lines in drawn.items():
        for one, curves, line in zip(found["runs"], found["curves"], lines, strict=True):
            if line:
                last = _number(curves[name]["values"][-1])
                table.add_row(name if one is found["runs"][0] else "", short(one["run"]), line, last)
    out.print(table)


def written(output: Path, data: bytes) -> None:
    """Write an artifact to a file that is not there yet.

    Raises:
        Refused: it is there, or can't be written.
    """
    try:
        with output.open("xb") as file:
            file.write(data)
    except OSError as error:
        msg = f"{output} can't be written"
        found = f"{type(error).__name__}: {error.strerror}"
        raise Refused(msg, expected="a new file in a folder that exists", found=found) from error
    Console().print(f"{len(data):,} bytes in {output}", markup=False)
