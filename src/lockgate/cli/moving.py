"""`lockgate move`: takes an installation to other stores, and shows how far it is."""

from pathlib import Path

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from lockgate.engine.moving import Moved, move
from lockgate.engine.stores import Stores

__all__ = ["move_everything"]


def move_everything(state: Path, to: Stores, *, as_json: bool) -> None:
    """Move an installation and say what was moved.

    Raises:
        LockgateError: it was not moved, and why.
    """
    console = Console(stderr=as_json)
    columns = SpinnerColumn(finished_text="[green]✓"), TextColumn("{task.description:<22}"), BarColumn(24)
    with Progress(*columns, MofNCompleteColumn(), TimeElapsedColumn(), console=console) as progress:
        tasks: dict[str, TaskID] = {}

        def told(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what)
            progress.update(tasks[what], completed=done, total=total)

        moved = move(state, to, told)
    typer.echo(msgspec.json.encode(moved).decode() if as_json else _in_words(moved))


def _in_words(moved: Moved) -> str:
    lines = []
    if moved.ledger is not None:
        counts = ", ".join(f"{mark.rows:,} {name}" for name, mark in moved.ledger.items())
        lines.append(f"ledger  {moved.stores.ledger}\n        {counts}: the same there as here")
    if moved.blobs is not None:
        lines.append(f"blobs   {moved.stores.blobs}\n        {moved.blobs:,} blobs, each read back and verified")
    if moved.store:
        lines.append(f"store   {moved.stores.store}\n        empty; lockgate up rebuilds it from snapshots and events")
    if not lines:
        return "Everything is there already."
    return "\n".join([*lines, "What was copied is still where it was; delete it when you no longer want it."])
