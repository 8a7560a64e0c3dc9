"""How snapshots look in a terminal, and how two of them differ."""

from typing import Any

from rich.console import Console
from rich.table import Table

from lockgate.kernel.canonical import short

__all__ = ["assumptions", "difference", "listing", "pinned"]

_BAR = 24


def listing(found: list[dict[str, Any]], console: Console | None = None) -> None:
    """Show every reading in a line, and what is assumed of each source."""
    out = console or Console()
    if not found:
        out.print("No snapshot was taken yet. Next: lockgate snapshot take FOLDER")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("project", "source", "snapshot", "as of", "found"):
        table.add_column(name, overflow="fold")
    for one in found:
        moment = one["taken_as_of"][:19].replace("T", " ")
        table.add_row(one["project"], one["source"], short(one["snapshot"]), moment, one["said"])
    out.print(table)
    assumptions(found, out)


def assumptions(found: list[dict[str, Any]], console: Console) -> None:
    """Say once for each source what is assumed of when its rows were known."""
    for source, assumed in {one["source"]: one["assumed"] for one in reversed(found)}.items():
        console.print(f"[dim]{source}: {assumed}[/]", soft_wrap=True)


def pinned(found: dict[str, Any], console: Console | None = None) -> None:
    """Say what pinning did."""
    out = console or Console()
    if not found["copied"]:
        out.print(
            f"Snapshot {short(found['snapshot'])} holds its {found['rows']:,} rows itself; nothing was to be done"
        )
        return
    out.print(
        f"Snapshot [bold]{short(found['snapshot'])}[/] holds the {found['rows']:,} rows of {short(found['was'])};"
        " later readings continue it"
    )


def difference(found: dict[str, Any], console: Console | None = None) -> None:
    """Show how two snapshots differ, in words and bars."""
    out = console or Console()
    one, other = (f"{short(digest)} ({at[:19]})" for digest, at in zip(*_sides(found), strict=True))
    out.print(f"[bold]{found['source']}[/]: {one} against {other}")
    rows = found["rows"]
    if found["added"] is None:
        out.print(f"{rows[0]:,} rows and {rows[1]:,} rows; their columns differ, so rows are not compared")
    else:
        out.print(
            f"{rows[0]:,} rows, then {rows[1]:,}: {found['added']:,} added, {found['gone']:,} gone,"
            f" {found['corrected']:,} of those corrected"
        )
    for column in found["columns"]:
        _column(column, rows, out)


def _sides(found: dict[str, Any]) -> tuple[list[str], list[str]]:
    return found["snapshots"], found["taken_as_of"]


def _column(column: dict[str, Any], rows: list[int], out: Console) -> None:
    types = column["types"]
    if column["change"] != "same":
        said = {"added": f"is new, {types[1]}", "gone": f"is gone, was {types[0]}"}
        out.print(
            f"\n[bold]{column['name']}[/] [yellow]{said.get(column['change'], f'was {types[0]}, is {types[1]}')}[/]"
        )
        return
    missing = " → ".join(
        f"{nulls / max(1, count):.1%}" for nulls, count in zip(column["nulls"], rows, strict=True) if nulls is not None
    )
    distance = column.get("distance")
    apart = "" if distance is None else f", {distance:.1%} moved"
    out.print(f"\n[bold]{column['name']}[/] [dim]{types[0]}, missing {missing}{apart}[/]")
    if not column.get("parts"):
        return
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 1))
    for before, after, part in zip(*column["shares"], column["parts"], strict=True):
        table.add_row(part[:28], f"[dim]{_bar(before)}[/]", f"{before:.1%}", _bar(after), f"{after:.1%}")
    out.print(table)


def _bar(share: float) -> str:
    return ("█" * round(share * _BAR)).ljust(_BAR, "·")
