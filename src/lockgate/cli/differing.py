"""How the difference of two packages looks in a terminal."""

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from lockgate.cli.waivers import moment
from lockgate.kernel.canonical import short

__all__ = ["beside"]

_PARTS = {"data": "data", "files": "code", "features": "features", "environment": "environment"} | {
    "parameters": "parameters"
}


def beside(found: dict[str, Any], console: Console | None = None) -> None:
    """Show what differs, part by part, and then how the answers differ."""
    out = console or Console()
    first, second = found["first"], found["second"]
    heads = [f"{one['endpoint']} {one['version']}" for one in (first, second)]
    for name, one in zip(heads, (first, second), strict=True):
        out.print(f"[bold]{name}[/] package {one['package']}, released {moment(one['at'])}", soft_wrap=True)
    if found["same"]:
        out.print("It is one package, released twice.")
    for part, title in _PARTS.items():
        _changes(title, heads, found[part], out)
    metrics = found["metrics"]
    where = "on the same test rows" if metrics["same_rows"] else "each on test rows of its own: not to be compared"
    _changes(f"metrics, {where}", heads, metrics["changes"], out)
    _behaviour(found, heads, out)


def _changes(title: str, heads: Sequence[str], changes: Sequence[dict[str, Any]], out: Console) -> None:
    if not changes:
        out.print(f"[dim]{title}: nothing differs[/]")
        return
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for head in ("", *heads):
        table.add_column(head, overflow="fold")
    for one in changes:
        table.add_row(one["name"], _value(one["first"]), _value(one["second"]))
    out.print(table)


def _value(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value(one)}" for name, one in value.items())
    if isinstance(value, str):
        return short(value) if value.startswith("sha256:") else value
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else json.dumps(value)


def _behaviour(found: dict[str, Any], heads: Sequence[str], out: Console) -> None:
    one = found["behaviour"]
    if one is None:
        out.print(f"[yellow]answers were not compared: {found['reason']}[/]", soft_wrap=True)
        return
    share = one["flipped"] / one["rows"] if one["flipped"] is not None and one["rows"] else 0.0
    flips = "" if one["flipped"] is None else f"{one['flipped']:,} decisions flipped ({share:.2%}); "
    out.print(
        f"[bold]answers[/] to the {one['rows']:,} test rows of {found['asked']}: {flips}scores differ by"
        f" {one['mean_difference']:.3g} on average, {one['largest_difference']:.3g} at most",
        soft_wrap=True,
    )
    if one["most_different"]:
        table = Table(title="rows most different", title_justify="left", box=None, pad_edge=False)
        for head in ("row", "asked at", *heads):
            table.add_column(head, overflow="fold")
        for row in one["most_different"]:
            table.add_row(row["key"], moment(row["asked_at"]), f"{row['first']:.4f}", f"{row['second']:.4f}")
        out.print(table)
