"""What commands share: the options that all take, and how they ask the API and print what it says."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = ["MOMENTS", "STATE", "Anew", "Json", "State", "ask", "show"]

State = Annotated[Path, typer.Option("--state", envvar="LOCKGATE_STATE", help="The state folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Anew = Annotated[
    list[str] | None, typer.Option(help="A source whose history begins anew, believed as in a first snapshot.")
]


MOMENTS = [
    "%Y-%m-%d",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M",
    *(f"%Y-%m-%d{between}%H:%M:%S{rest}" for between in "T " for rest in ("", ".%f", "%z", ".%f%z")),
]
"""How a moment may be written: as ISO 8601 has it, with a zone or without."""

STATE = Path(".lockgate")
"""The state folder where none is named."""


def ask(state: Path, path: str) -> Any:  # noqa: ANN401 - JSON
    """Ask the control plane of a state folder.

    Raises:
        LockgateError: what the API refused.
    """
    from lockgate.cli.client import connect  # noqa: PLC0415 - a command loads what it needs

    with connect(state) as client:
        return client.get(path)


def show(found: Any, as_json: bool, render: Any) -> None:  # noqa: ANN401, FBT001 - JSON; handed on as given
    """Print what was found, as JSON or for people."""
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        from lockgate.cli.showing import safe  # noqa: PLC0415 - a command loads what it needs

        render(safe(found))
