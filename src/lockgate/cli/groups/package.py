"""Commands about packages."""

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from lockgate.cli.options import STATE, Json, State, ask, show

__all__ = ["package_app"]

package_app = typer.Typer(help="Packages: what is released, and taking it elsewhere.", no_args_is_help=True)

What = Annotated[str, typer.Argument(help="An endpoint (its live release), endpoint@v2, or a digest.")]
_KEY = typer.Option("--key", help="Whose signature counts: a file with a public key (PEM); repeatable.")


@package_app.command("export")
def export_package(
    what: What,
    folder: Annotated[Path, typer.Argument(help="A new or an empty folder.")],
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Write a package to a folder that proves itself: its files, its signed release and its environment."""
    from lockgate.cli import packages  # noqa: PLC0415 - a command loads what it needs
    from lockgate.cli.client import connect  # noqa: PLC0415 - likewise

    with connect(state) as client:
        found = client.post("/api/v1/packages/export", {"what": what, "folder": str(folder.resolve())})
    show(found, as_json, packages.exported)


@package_app.command("verify")
def verify_package(
    folder: Annotated[Path, typer.Argument(help="A folder that was exported.")],
    key: Annotated[list[Path], _KEY],
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Verify an exported package, offline; exit code 1: not signed by such a key, or not whole; 2: changed since."""
    from lockgate.cli import packages  # noqa: PLC0415 - a command loads what it needs

    packages.verify_folder(folder, key, as_json=as_json)


@package_app.command("show")
def show_package(
    what: Annotated[str, typer.Argument(help="An exported folder, an endpoint, endpoint@v2, or a digest.")],
    key: Annotated[list[Path] | None, _KEY] = None,
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Show what a package is asked and answers, and what it is made of."""
    from lockgate.cli import packages  # noqa: PLC0415 - a command loads what it needs

    if Path(what).is_dir():
        packages.show_folder(Path(what), key or [], as_json=as_json)
    else:
        show(ask(state, f"/api/v1/packages/{quote(what, safe='@:')}"), as_json, packages.package)
