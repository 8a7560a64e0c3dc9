"""Commands about snapshots."""

from datetime import datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from lockgate.cli.options import STATE, Anew, Json, State, ask, show

__all__ = ["snapshot_app"]

snapshot_app = typer.Typer(help="Snapshots: what was known of sources, and when.", no_args_is_help=True)


@snapshot_app.command("take")
def take_snapshot(
    folder: Annotated[Path, typer.Argument(help="The project folder.")] = Path(),
    state: State = STATE,
    as_of: Annotated[
        datetime | None, typer.Option(help="Use only what was known then (UTC unless it has a zone).")
    ] = None,
    dirty: Annotated[bool, typer.Option("--dirty", help="Also with uncommitted changes.")] = False,  # noqa: FBT002 - a flag
    anew: Anew = None,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Take a snapshot of every source of a project, without shipping it."""
    from lockgate.cli.shipping import take_snapshots  # noqa: PLC0415 - a command loads what it needs

    take_snapshots(folder, state, {"as_of": as_of, "dirty": dirty, "anew": anew or []}, as_json=as_json)


@snapshot_app.command("list")
def list_snapshots(
    project: Annotated[str | None, typer.Argument(help="One project.")] = None,
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """List snapshots, the latest first, with what is assumed of their rows' times."""
    from lockgate.cli import snapshots  # noqa: PLC0415 - a command loads what it needs

    asked = f"?project={quote(project, safe='')}" if project else ""
    show(ask(state, f"/api/v1/snapshots{asked}"), as_json, snapshots.listing)


@snapshot_app.command("diff")
def diff_snapshots(
    first: Annotated[str, typer.Argument(help="A snapshot's id, or how it begins.")],
    second: Annotated[str, typer.Argument(help="Another one of the same source.")],
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Show how two snapshots of a source differ: columns, rows, and how each column is spread."""
    from lockgate.cli import snapshots  # noqa: PLC0415 - a command loads what it needs

    found = ask(state, f"/api/v1/snapshots/{quote(first, safe='')}/diff/{quote(second, safe='')}")
    show(found, as_json, snapshots.difference)


@snapshot_app.command("pin")
def pin_snapshot(
    snapshot: Annotated[str, typer.Argument(help="A snapshot's id, or how it begins.")],
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Copy the rows of a snapshot that only refers to a table."""
    from lockgate.cli import snapshots  # noqa: PLC0415 - a command loads what it needs
    from lockgate.cli.client import connect  # noqa: PLC0415 - likewise

    with connect(state) as client:
        found = client.post(f"/api/v1/snapshots/{quote(snapshot, safe='')}/pin", {})
    show(found, as_json, snapshots.pinned)
