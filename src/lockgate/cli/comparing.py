"""`lockgate log parity`: asks for a comparison, shows how it goes and what came of it."""

import json
import re
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from lockgate.cli.client import Client, connect
from lockgate.cli.showing import safe
from lockgate.kernel.errors import Failed, Invalid
from lockgate.records.monitoring import ParityClass

__all__ = ["NOTHING_COMPARED", "compare_endpoint", "exit_code", "parity", "span"]

NOTHING_COMPARED = 3
"""The exit code where something had nothing to be compared with."""

_LOOK_AGAIN = 0.1
_CODES = {"pass": 0, "warn": 0, "fail": 1, "inconclusive": NOTHING_COMPARED}
_COLOURS = {"pass": "green", "warn": "yellow", "inconclusive": "yellow", "fail": "red"}
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes", "s": "seconds"}
_SPAN = re.compile(r"([1-9][0-9]{0,5})([wdhms])")


def span(text: str) -> timedelta:
    """Read a span.

    Raises:
        Invalid: it is none.

    >>> span("7d"), span("90m")
    (datetime.timedelta(days=7), datetime.timedelta(seconds=5400))
    """
    match = _SPAN.fullmatch(text)
    if match is None:
        msg = "This is no span of time"
        raise Invalid(msg, expected="a number and w, d, h, m or s, such as 7d", found=text)
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def compare_endpoint(endpoint: str, state: Path, *, last: str | None, classes: list[str], as_json: bool) -> int:
    """Compare an endpoint and wait for the end; give the exit code.

    Raises:
        Invalid: the span or a class is none.
        Failed: the comparison failed.
    """
    known = [one.value for one in ParityClass]
    if unknown := [one for one in classes if one not in known]:
        msg = "There is no such class of parity"
        raise Invalid(msg, expected=", ".join(known), found=", ".join(unknown))
    body = {"last": f"P{span(last).days}DT{span(last).seconds}S" if last else None, "classes": classes or known}
    with connect(state) as client:
        report = _follow(client, endpoint, body, Console(stderr=as_json))
    if as_json:
        print(json.dumps({**report, "mismatched": _mismatched(report)}, indent=2))  # noqa: T201 - what the command is for
    else:
        parity(safe(report))
    return exit_code(report)


def exit_code(report: dict[str, Any]) -> int:
    """Give 0 where all is equal, 1 where something differs, 3 where something was compared with nothing."""
    return _CODES[report["verdict"]]


def _mismatched(report: dict[str, Any]) -> int:
    return sum(line["mismatched"] for line in report["lines"])


def _follow(client: Client, endpoint: str, body: dict[str, Any], console: Console) -> dict[str, Any]:
    """Show how far a comparison is until it is done; give its report."""
    path = f"/api/v1/endpoints/{endpoint}/parity"
    going = client.post(path, body)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(24),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[note]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(f"comparing {endpoint}", total=1.0, note="")
        while going["state"] == "going":
            time.sleep(_LOOK_AGAIN)
            going = client.get(f"{path}/{going['id']}")
            progress.update(task, completed=going["share"], note=going["text"])
    if going["report"] is None:
        problem = going["problem"]
        msg = str(problem.get("title", "The comparison failed"))
        raise Failed(msg, expected=str(problem.get("expected", "")), found=str(problem.get("found", "")))
    report: dict[str, Any] = going["report"]
    return report


def parity(report: dict[str, Any], console: Console | None = None) -> None:
    """Show a parity report."""
    out = console or Console()
    asked = f"asked after {report['since'][:19]} up to {report['until'][:19]}" if report["since"] else "none asked"
    out.print(f"parity of [bold]{report['endpoint']}[/]: {report['predictions']:,} predictions, {asked}")
    table = Table(box=None, pad_edge=False)
    for name in ("version", "class", "column"):
        table.add_column(name, overflow="fold")
    for name in ("compared", "exact", "within", "different", "not covered"):
        table.add_column(name, justify="right", no_wrap=True)
    for line in _gathered(report["lines"]):
        table.add_row(*_row(line))
    out.print(table)
    for line in report["lines"]:
        if line["mismatched"]:
            _explain(line, out)
    for why, count in report["left_out"].items():
        out.print(f"[yellow]{count:,} predictions are not compared: {why}[/]")
    colour = _COLOURS[report["verdict"]]
    out.print(f"[{colour}]{report['verdict']}[/]: {_mismatched(report):,} values differ; {_coverage(report)}")


_COUNTS = ("compared", "exact", "within", "mismatched", "not_covered")


def _gathered(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give a line for all columns of a version and class that are equal, and one for every other column."""
    together: dict[tuple[int, str], dict[str, Any]] = {}
    shown = []
    for line in lines:
        if line["mismatched"] or not line["compared"] or line["not_covered"]:
            shown.append(line)
            continue
        place = line["version"], line["part"]
        if place not in together:
            together[place] = {**line, **dict.fromkeys(_COUNTS, 0), "columns": 0}
            shown.append(together[place])
        known = together[place]
        known |= {name: known[name] + line[name] for name in _COUNTS}
        known["columns"] += 1
        known["column"] = line["column"] if known["columns"] == 1 else f"{known['columns']} columns"
    return shown


def _row(line: dict[str, Any]) -> tuple[str, ...]:
    colour = "red" if line["mismatched"] else "yellow" if not line["compared"] else "green"
    return (
        f"v{line['version']}",
        line["part"],
        line["column"],
        f"{line['compared']:,}",
        f"{line['exact']:,}",
        f"{line['within']:,}",
        f"[{colour}]{line['mismatched']:,}[/]",
        f"{line['not_covered']:,}",
    )


def _explain(line: dict[str, Any], out: Console) -> None:
    """Show what is different in a line, with the worst example."""
    out.print(f"\n[bold red]v{line['version']} {line['part']} {line['column']}[/] since {line['first_seen'][:19]}")
    for reason in line["reasons"]:
        out.print(f"  {reason['cause']}: {reason['explains']:,} of {reason['of']:,} looked at; {reason['note']}")
    worst = line["worst"]
    served, expected = (_value(worst, side) for side in ("served", "expected"))
    out.print(f"  [dim]worst: {worst['prediction']} asked {worst['asked_at'][:19]}: {served}; derived {expected}[/]")


def _value(worst: dict[str, Any], side: str) -> str:
    event, known = worst[f"{side}_event"], worst[f"{side}_available"]
    times = f" (of {event[:19]}, known since {(known or '?')[:19]})" if event else ""
    return f"{'null' if worst[side] is None else worst[side]}{times}"


def _coverage(report: dict[str, Any]) -> str:
    if report["covered"] == report["predictions"]:
        return f"snapshots cover all {report['predictions']:,} predictions"
    until = ", ".join(f"{source} until {moment[:19]}" for source, moment in report["sources"].items())
    missing = report["predictions"] - report["covered"]
    return f"{missing:,} predictions are not covered by a snapshot ({until})"
