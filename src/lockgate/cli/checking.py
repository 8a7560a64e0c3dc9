"""`lockgate check`: compiles a project, in a child as the line does."""

import tempfile
from pathlib import Path

import msgspec
from rich.console import Console

from lockgate.cli.client import connect
from lockgate.engine.children import Job, run_child
from lockgate.engine.jobs import Loaded
from lockgate.kernel.canonical import digest_of, short

__all__ = ["check_project"]


def check_project(folder: Path, state: Path) -> None:
    """Compile a project and say what it is; where there is a ledger, hold its features against the register.

    Raises:
        Invalid: with every mistake in it.
        Refused: a feature means something else than when it was released.
    """
    with tempfile.TemporaryDirectory(prefix="lockgate-") as scratch:
        loaded = run_child(Job(kind="load", folder=str(folder.resolve()), arguments={}), Path(scratch), Loaded)
    blueprint = loaded.blueprint
    if state.is_dir():
        with connect(state) as client:
            body = {"blueprint": msgspec.to_builtins(blueprint), "places": loaded.places}
            client.post("/api/v1/features/check", body)
    console = Console()
    console.print(f"[bold]{blueprint.name}[/] is well: blueprint {short(digest_of(blueprint))}")
    console.print(f"  asks for      {', '.join(field.name for field in blueprint.request.fields)}")
    console.print(f"  foresees      {blueprint.outcome.name}, final after {blueprint.outcome.final_after}")
    console.print(f"  sources       {', '.join(source.name for source in blueprint.sources)}")
    console.print(f"  the model sees {', '.join(column.name for column in blueprint.features.columns)}")
    console.print(f"  checks, gates {len(blueprint.rules)}, {len(blueprint.gates)}")
    for source in blueprint.sources:
        if source.available_delay is not None:
            console.print(
                f"  [dim]assumed: rows of {source.name} are known {source.available_delay} after they happen[/]"
            )
