"""How waivers look in a terminal: beside a verdict, in a list, and when one was given."""

from typing import Any

from rich.console import Console
from rich.table import Table

from lockgate.kernel.canonical import short

__all__ = ["beside", "given", "listing", "marks", "moment", "who"]

_COLOURS = {"in force": "yellow", "expired": "red", "untrusted": "red"}


def moment(text: str) -> str:
    """Write a moment to the minute."""
    return f"{text[:16].replace('T', ' ')} UTC"


def beside(waiver: dict[str, Any] | None) -> str:
    """Say beside a verdict how its waiver stands; empty where there is none."""
    if waiver is None:
        return ""
    said = {"in force": "waived until", "expired": "waiver expired", "untrusted": "waiver of nobody trusted, until"}
    return f" [{_COLOURS[waiver['state']]}]{said[waiver['state']]} {waiver['until'][:10]}[/]"


def who(waiver: dict[str, Any]) -> str:
    """Say who waived, and why."""
    return f"waived by {waiver['by']}, {waiver['at'][:10]}: {waiver['reason']}"


def marks(endpoint: dict[str, Any], console: Console) -> None:
    """Name what is waived of the releases that an endpoint answers with, or goes back to."""
    for release in endpoint["releases"]:
        if release["level"] not in {"live", "previous"}:
            continue
        named = f"{endpoint['name']} {release['version']} ({release['level']})"
        for one in release["gates"]:
            waiver = one["waiver"]
            if waiver is not None:
                text = f"{named} · {one['gate']}:{beside(waiver)} [dim]{who(waiver)}[/]"
                console.print(text, soft_wrap=True)


def listing(found: list[dict[str, Any]], console: Console) -> None:
    """Show the waivers of an endpoint; nothing where there are none."""
    if not found:
        return
    table = Table(title="waivers, newest first", title_justify="left", box=None, pad_edge=False)
    for name in ("gate", "package", "until", "state", "by", "at", "reason"):
        table.add_column(name, overflow="fold")
    for one in found:
        state = f"[{_COLOURS[one['state']]}]{one['state']}[/]"
        until, at = moment(one["until"]), one["at"][:10]
        table.add_row(one["gate"], short(one["package"]), until, state, one["by"], at, one["reason"])
    console.print(table)


def given(found: dict[str, Any], walk: str, console: Console | None = None) -> None:
    """Say what was waived, until when, and how to go on."""
    out = console or Console()
    out.print(
        f"[bold]{found['gate']}[/] is waived for package {short(found['package'])} of {found['endpoint']}"
        f" until {moment(found['until'])}. Its verdict stays as it was.",
        soft_wrap=True,
    )
    out.print(f"[dim]Next: lockgate ship --walk {walk}[/]", soft_wrap=True)
