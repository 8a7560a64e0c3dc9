"""Commands that examine a project and its data."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from lockgate.cli.options import STATE, Json, State

__all__ = ["check_app"]


class _Checking(TyperGroup):
    """`lockgate check FOLDER` and `lockgate check infer FOLDER`: what is no command is a folder."""

    # The command whose name is left out.
    left_out = "project"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's own click
        """Put the command in that was left out."""
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = [self.left_out, *args]
        return super().parse_args(ctx, args)


check_app = typer.Typer(cls=_Checking, help="Examine a project, and its data.")


@check_app.command(_Checking.left_out)
def check_project(
    folder: Annotated[Path, typer.Argument(help="The project folder.")] = Path(),
    data: Annotated[bool, typer.Option("--data", help="Examine the newest snapshots by its rules.")] = False,  # noqa: FBT002 - a flag
    snapshot: Annotated[str | None, typer.Option(help="Examine this snapshot; with --data.")] = None,
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Load a project and report every mistake in it; reads data only if told to."""
    from lockgate.cli import checking  # noqa: PLC0415 - a command loads what it needs

    if data or snapshot is not None:
        checking.check_data(folder, state, snapshot, as_json=as_json)
    else:
        checking.check_project(folder, state)


@check_app.command("infer")
def infer_checks(
    folder: Annotated[Path, typer.Argument(help="The project folder.")] = Path(),
    source: Annotated[str | None, typer.Option(help="One source; all that have a snapshot if left out.")] = None,
    snapshot: Annotated[str | None, typer.Option(help="This snapshot instead of the newest.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over files that are there.")] = False,  # noqa: FBT002 - a flag
    state: State = STATE,
) -> None:
    """Write rules down from what a snapshot looks like, in files for you to review: checks/SOURCE.toml."""
    from lockgate.cli.checking import infer_rules  # noqa: PLC0415 - a command loads what it needs

    infer_rules(folder, state, source, snapshot, replace=replace)
