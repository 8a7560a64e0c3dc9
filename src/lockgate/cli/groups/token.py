"""Commands about tokens."""

from datetime import datetime
from typing import Annotated

import typer

from lockgate.cli.options import STATE, State

__all__ = ["token_app"]

token_app = typer.Typer(help="Tokens: who may do what.", no_args_is_help=True)


@token_app.command("new")
def new_token(
    name: Annotated[str, typer.Argument(help="Who will call; records will name it.")],
    scope: Annotated[list[str], typer.Option(help="predict, outcome, event, read, release or admin; repeatable.")],
    state: State = STATE,
    expires_at: Annotated[datetime | None, typer.Option(help="When it stops working (UTC).")] = None,
) -> None:
    """Make a token; it is shown once."""
    from datetime import UTC  # noqa: PLC0415 - a command loads what it needs

    from lockgate.cli.client import connect  # noqa: PLC0415 - likewise

    ends = expires_at.replace(tzinfo=expires_at.tzinfo or UTC).isoformat() if expires_at else None
    with connect(state) as client:
        made = client.post("/api/v1/tokens", {"name": name, "scopes": scope, "expires_at": ends})
    typer.echo(made["token"])
