"""Commands about endpoints."""

from typing import Annotated

import typer

from lockgate.cli.options import STATE, State

__all__ = ["endpoint_app"]

endpoint_app = typer.Typer(help="Endpoints: names that answer.", no_args_is_help=True)


@endpoint_app.command("create")
def create_endpoint(
    name: Annotated[str, typer.Argument(help="The project's name.")],
    state: State = STATE,
    replay: Annotated[bool, typer.Option("--replay", help="Take event times freely, to replay history.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Make an endpoint before its first release; ship makes an ordinary one by itself."""
    from lockgate.cli.client import connect  # noqa: PLC0415 - a command loads what it needs

    with connect(state) as client:
        made = client.post("/api/v1/endpoints", {"name": name, "replay": replay})
    typer.echo(f"{made['name']} is there{', for replays' if made['replay'] else ''}. Next: lockgate ship")
