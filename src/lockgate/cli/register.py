"""How the register of features looks in a terminal."""

from datetime import timedelta
from typing import Any

import msgspec
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from lockgate.kernel.canonical import short

__all__ = ["feature", "features"]


def features(found: list[dict[str, Any]], console: Console | None = None) -> None:
    """Show every feature in a line."""
    out = console or Console()
    if not found:
        out.print("No feature was released yet. Next: lockgate ship FOLDER")
        return
    table = Table(box=None, pad_edge=False)
    for name in ("feature", "versions", "owner", "live in", "description"):
        table.add_column(name, overflow="fold")
    for one in found:
        versions = ", ".join(map(str, one["versions"]))
        table.add_row(one["name"], versions, one["owner"] or "-", ", ".join(one["projects"]) or "-", one["description"])
    out.print(table)


def feature(found: dict[str, Any], console: Console | None = None) -> None:
    """Show a feature in full."""
    out = console or Console()
    for version in found["versions"]:
        out.print(f"[bold]{found['name']}[/] version {version['version']} · {version['definition']}")
        for name, value in _facts(version):
            out.print(f"  [dim]{name:<12}[/]{value}", soft_wrap=True)
        literals = [f"{name} = {text}" for name, text in version["literals"].items()]
        text = "\n".join([*literals, version["source"]])
        out.print(Syntax(text.replace("\\[", "["), "python", background_color="default"))
        out.print()
    for one in found["freshness"]:
        out.print(f"[dim]{one['source']}[/] {_fresh(one)} · snapshot {short(one['snapshot'])}")


def _facts(version: dict[str, Any]) -> list[tuple[str, str]]:
    users = [f"{one['project']} {one['version']} ({one['level']})" for one in version["users"]]
    return [
        ("what", version["description"] or "-"),
        ("owner", version["owner"] or "-"),
        ("gives", version["returns"]),
        ("reads", ", ".join(version["inputs"]) or "-"),
        ("made of", ", ".join(version["columns"]) or "-"),
        ("used by", ", ".join(users) or "-"),
        ("registered", f"by {version['registered_by']}, {version['registered_at'][:19]}"),
    ]


def _fresh(one: dict[str, Any]) -> str:
    if one["newest"] is None:
        return "has no clock: as in its snapshot"
    age = msgspec.convert(one["age"], timedelta)
    return f"newest row {one['newest'][:19]}, {timedelta(seconds=int(age.total_seconds()))} ago"
