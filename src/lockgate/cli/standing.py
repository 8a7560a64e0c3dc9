"""How what was live at a moment looks in a terminal."""

from typing import Any

from rich.console import Console

from lockgate.cli.showing import gates, origin
from lockgate.cli.waivers import moment
from lockgate.kernel.canonical import short

__all__ = ["standing"]


def standing(found: dict[str, Any], console: Console | None = None) -> None:
    """Show the plan in force at a moment, and for each of its releases by whom and on which evidence."""
    out = console or Console()
    plan, live = found["plan"], found["releases"][0]["release"]
    until = f"until {moment(found['until'])}" if found["until"] else "and still is"
    out.print(
        f"[bold]{found['endpoint']} {live['version']}[/] was live on {moment(found['at'])}:"
        f" plan {plan['number']}, in force since {moment(found['since'])} {until}",
        soft_wrap=True,
    )
    out.print(
        f"[dim]{plan['reason']} · wanted by {plan['by']} · {plan['level']} · {found['plan_id']}[/]", soft_wrap=True
    )
    for one in found["releases"]:
        out.print()
        _release(one, out)


def _release(one: dict[str, Any], out: Console) -> None:
    release, walk = one["release"], one["walk"]
    out.print(
        f"[bold]{release['version']}[/] {release['level']} · package {release['package']} · {origin(release)}",
        soft_wrap=True,
    )
    out.print(f"released by {release['by']}, {moment(release['at'])}: {release['release']}", soft_wrap=True)
    if walk is not None:
        out.print(f"walk {walk['id']} by {walk['by']}, {moment(walk['at'])}: {walk['folder']}", soft_wrap=True)
    if release["level"] == "previous":
        return
    for source, digest in sorted(release["snapshots"].items()):
        out.print(f"[dim]snapshot[/] {source} {digest}", soft_wrap=True)
    gates(release, out)
    for evidence in one["evidence"]:
        measured = evidence["measured"]
        out.print(
            f"[dim]evidence[/] {measured['kind']} about {short(measured['package'])},"
            f" {moment(measured['at'])}: {evidence['evidence']}",
            soft_wrap=True,
        )
