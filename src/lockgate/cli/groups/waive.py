"""The command that waives a verdict."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from lockgate.cli.options import STATE, Json, State, show

__all__ = ["waive"]


def waive(
    walk: Annotated[str, typer.Argument(help="The walk that was stopped; lockgate ship and lockgate status name it.")],
    gate: Annotated[str, typer.Option(help='The gate that stays shut, by name: "metric roc_auc".')],
    reason: Annotated[str, typer.Option(help="Why its verdict need not hold this package back; shown everywhere.")],
    until: Annotated[datetime, typer.Option(help="When the gate is shut again (UTC); 90 days away at most.")],
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Waive what one gate decided about one package, for a while: signed, and shown wherever the package is."""
    from lockgate.cli import waivers  # noqa: PLC0415 - a command loads what it needs
    from lockgate.cli.client import connect  # noqa: PLC0415 - likewise

    ends = until.replace(tzinfo=until.tzinfo or UTC).isoformat()
    with connect(state) as client:
        given = client.post("/api/v1/waivers", {"walk": walk, "gate": gate, "reason": reason, "until": ends})
    show(given, as_json, lambda found: waivers.given(found, walk))
