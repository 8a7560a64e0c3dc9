"""Commands about the prediction log."""

from typing import Annotated

import typer

from lockgate.cli.options import STATE, Json, State

__all__ = ["log_app"]

log_app = typer.Typer(help="The prediction log: what was asked and answered.", no_args_is_help=True)


@log_app.command("parity")
def compare_parity(
    endpoint: Annotated[str, typer.Argument(help="The endpoint.")],
    state: State = STATE,
    last: Annotated[
        str | None, typer.Option(help="How far back from the endpoint's own clock, such as 7d; else all of it.")
    ] = None,
    classes: Annotated[
        list[str] | None, typer.Option("--class", help="transform, data, window or model; repeatable; else all.")
    ] = None,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Derive what was served again, offline, and compare; exit code 1: different, 3: nothing to compare with."""
    from lockgate.cli.comparing import compare_endpoint  # noqa: PLC0415 - a command loads what it needs

    code = compare_endpoint(endpoint, state, last=last, classes=classes or [], as_json=as_json)
    if code:
        raise typer.Exit(code)
