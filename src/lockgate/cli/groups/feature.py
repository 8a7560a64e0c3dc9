"""Commands about the register of features."""

from typing import Annotated
from urllib.parse import quote

import typer

from lockgate.cli.options import STATE, Json, State, ask, show

__all__ = ["feature_app"]

feature_app = typer.Typer(help="Features: what they mean, and who uses them.", no_args_is_help=True)


@feature_app.command("list")
def list_features(state: State = STATE, as_json: Json = False) -> None:  # noqa: FBT002 - a flag
    """List the features of every release, by the names they are registered under."""
    from lockgate.cli import register  # noqa: PLC0415 - a command loads what it needs

    show(ask(state, "/api/v1/features"), as_json, register.features)


@feature_app.command("show")
def show_feature(
    name: Annotated[str, typer.Argument(help="As registered: project/name, or name for one that projects share.")],
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Show a feature: its versions and what they mean, its users, its sources and how fresh they are."""
    from lockgate.cli import register  # noqa: PLC0415 - a command loads what it needs

    show(ask(state, f"/api/v1/features/{quote(name)}"), as_json, register.feature)
