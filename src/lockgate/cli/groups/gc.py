"""The command that frees space."""

from typing import Annotated

import typer

from lockgate.cli.options import STATE, Json, State, show

__all__ = ["gc"]


def gc(
    state: State = STATE,
    keep_for: Annotated[str, typer.Option(help="Keep everything of so long back: 90d, 26w; a day or more.")] = "90d",
    keep_releases: Annotated[int, typer.Option(help="Keep so many releases of each endpoint, however old.")] = 3,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and why; delete nothing.")] = False,  # noqa: FBT002 - a flag
    why: Annotated[str, typer.Option(help="Say why one digest is kept, by which path; delete nothing.")] = "",
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Free space: delete what no endpoint, release, source or walk needs any more. Records stay."""
    from lockgate.cli import freeing  # noqa: PLC0415 - a command loads what it needs
    from lockgate.cli.client import connect  # noqa: PLC0415 - likewise
    from lockgate.cli.comparing import span  # noqa: PLC0415 - likewise

    seconds = f"PT{int(span(keep_for).total_seconds())}S"
    asked = f"?keep_for={seconds}&keep_releases={keep_releases}"
    with connect(state) as client:
        if why:
            show(client.get(f"/api/v1/garbage/{why}{asked}"), as_json, freeing.reason)
        elif dry_run:
            show(client.get(f"/api/v1/garbage{asked}"), as_json, freeing.would_go)
        else:
            body = {"keep_for": seconds, "keep_releases": keep_releases}
            show(client.post("/api/v1/garbage/sweep", body), as_json, freeing.went)
