"""Commands about training runs."""

from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlencode

import typer

from lockgate.cli.options import STATE, Json, State, ask, show

__all__ = ["runs_app"]

runs_app = typer.Typer(help="Training runs: what was tried, and what came of it.", no_args_is_help=True)

Which = Annotated[str, typer.Argument(help="A run's id, or how it begins; an endpoint or endpoint@v2 for its release.")]


@runs_app.command("list")
def list_runs(
    state: State = STATE,
    model: Annotated[str | None, typer.Option(help="One model, by the name of its project.")] = None,
    search: Annotated[
        str | None, typer.Option(help="Only runs that this holds for: 'metric.loss < 0.3 and state = finished'.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 20,
    before: Annotated[int | None, typer.Option(help="Only those before this place; the list before says it.")] = None,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """List training runs, newest first, also those that failed."""
    from lockgate.cli import runs  # noqa: PLC0415 - a command loads what it needs

    asked = {"model": model, "search": search, "limit": limit, "before": before}
    given = urlencode({name: value for name, value in asked.items() if value is not None})
    show(ask(state, f"/api/v1/runs?{given}"), as_json, runs.listing)


@runs_app.command("show")
def show_run(
    run: Which,
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Show a run: parameters, metrics over steps, artifacts, tags, and the code and data behind it."""
    from lockgate.cli import runs  # noqa: PLC0415 - a command loads what it needs
    from lockgate.cli.client import connect  # noqa: PLC0415 - likewise

    path = f"/api/v1/runs/{quote(run, safe='@:')}"
    with connect(state) as client:
        found = client.get(path)
        found["curves"] = client.get(f"{path}/curves" if as_json else f"{path}/curves?most={runs.CURVE}")
    show(found if as_json else runs.in_words(found), as_json, runs.shown)


@runs_app.command("compare")
def compare_runs(
    run: Annotated[list[str], typer.Argument(help="Two or more runs, each as in show.")],
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Hold runs beside each other: what differs first, then curves, then what is the same."""
    from lockgate.cli import runs  # noqa: PLC0415 - a command loads what it needs
    from lockgate.cli.client import connect  # noqa: PLC0415 - likewise

    with connect(state) as client:
        found = client.get(f"/api/v1/runs/compare?{urlencode([('run', one) for one in run])}")
        if not as_json:
            found["curves"] = [
                client.get(f"/api/v1/runs/{one['run']}/curves?most={runs.CURVE}") for one in found["runs"]
            ]
    show(found if as_json else runs.compared_in_words(found), as_json, runs.compared)


@runs_app.command("artifact")
def take_artifact(
    run: Which,
    name: Annotated[str, typer.Argument(help="The artifact's name.")],
    output: Annotated[Path, typer.Option(help="The file to write it to; it must not exist.")],
    state: State = STATE,
) -> None:
    """Write an artifact of a run to a file."""
    from lockgate.cli import runs  # noqa: PLC0415 - a command loads what it needs
    from lockgate.cli.client import connect  # noqa: PLC0415 - likewise

    with connect(state) as client:
        data = client.get_bytes(f"/api/v1/runs/{quote(run, safe='@:')}/artifacts/{quote(name, safe='')}")
    runs.written(output, data)
