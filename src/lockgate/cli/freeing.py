"""How freeing space looks in a terminal."""

from typing import Any

from rich.console import Console

from lockgate.cli.waivers import moment

__all__ = ["reason", "went", "would_go"]

_SHOWN = 50
_UNITS = ("bytes", "KB", "MB", "GB", "TB")
_STEP = 1000


def would_go(found: dict[str, Any], console: Console | None = None) -> None:
    """Say what would be deleted, why, and how much that is."""
    out = console or Console()
    for one in found["blobs"][:_SHOWN]:
        out.print(f"{one['digest']} {size(one['bytes']):>10}, stored {moment(one['stored_at'])}", soft_wrap=True)
        out.print(f"  [dim]{one['why']}[/]", soft_wrap=True)
    more = len(found["blobs"]) - _SHOWN
    if more > 0:
        out.print(f"and {more:,} smaller; --json lists all")
    for digest in found["packages"]:
        out.print(f"{digest} [dim]unpacked package, which no rule reaches[/]", soft_wrap=True)
    out.print(f"[bold]{_amount(found)}[/] would be deleted, {size(found['bytes'])}")
    _rest(found, out)


def went(done: dict[str, Any], console: Console | None = None) -> None:
    """Say what was deleted."""
    out, found = console or Console(), done["garbage"]
    out.print(f"[bold]{_amount(found)}[/] deleted, {size(found['bytes'])}")
    if done["steps"]:
        out.print(f"[dim]{done['steps']:,} finished steps are done again when a walk needs them[/]")
    _rest(found, out)


def reason(found: dict[str, Any], console: Console | None = None) -> None:
    """Say which rule keeps something, and by which path."""
    out = console or Console()
    if not found["path"]:
        out.print(f"{found['digest']}: no rule keeps it", soft_wrap=True)
        return
    out.print(f"{found['digest']} is kept by the rule [bold]{found['rule']}[/]:", soft_wrap=True)
    for depth, name in enumerate(found["path"]):
        out.print(f"{'  ' * depth}{'mentions ' if depth else ''}{name}", soft_wrap=True)


def size(count: int) -> str:
    """Write a number of bytes.

    >>> size(0), size(999), size(12_300_000)
    ('0 bytes', '999 bytes', '12.3 MB')
    """
    number, unit = float(count), 0
    while number >= _STEP and unit < len(_UNITS) - 1:
        number, unit = number / _STEP, unit + 1
    return f"{number:.1f} {_UNITS[unit]}" if unit else f"{count} bytes"


def _amount(found: dict[str, Any]) -> str:
    return f"{len(found['blobs']):,} blobs and {len(found['packages']):,} unpacked packages"


def _rest(found: dict[str, Any], out: Console) -> None:
    rules = ", ".join(f"{rule} {count:,}" for rule, count in found["rules"].items())
    out.print(
        f"[dim]{found['kept_blobs']:,} blobs stay, {size(found['kept_bytes'])}; everything since"
        f" {moment(found['kept_since'])} and {found['keep_releases']} releases of each endpoint is kept[/]",
        soft_wrap=True,
    )
    if found["young_blobs"]:
        out.print(f"[dim]{found['young_blobs']:,} of them no rule reaches, but they are younger than a day[/]")
    out.print(f"[dim]rules begin from: {rules}[/]", soft_wrap=True)
