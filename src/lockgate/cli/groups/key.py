"""Commands about keys."""

from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from lockgate.cli.options import STATE, Json, State, ask, show

__all__ = ["key_app"]

key_app = typer.Typer(help="Keys: what is signed with, and who is believed.", no_args_is_help=True)

Key = Annotated[str, typer.Argument(help="A key's name, its id, or the first 8 digits of that or more.")]


@key_app.command("list")
def list_keys(
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Show every key that is known here, and what rests on it."""
    from lockgate.cli import keys  # noqa: PLC0415 - a command loads what it needs

    show(ask(state, "/api/v1/keys"), as_json, keys.listing)


@key_app.command("show")
def show_key(
    key: Annotated[str, typer.Argument(help="A key's name or id; else the one that is signed with.")] = "",
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Print the public half of a key, to give to whoever is to believe it."""
    from lockgate.cli import keys  # noqa: PLC0415 - a command loads what it needs

    show(keys.meant(ask(state, "/api/v1/keys"), key), as_json, keys.one)


@key_app.command("new")
def new_key(
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Sign with another key from now on; what the old one signed is still loaded."""
    from lockgate.cli import keys  # noqa: PLC0415 - a command loads what it needs
    from lockgate.cli.client import connect  # noqa: PLC0415 - likewise

    with connect(state) as client:
        made = client.post("/api/v1/keys", {})
    show(made, as_json, keys.made)


@key_app.command("trust")
def trust_key(
    file: Annotated[Path, typer.Argument(help="A file with an Ed25519 public key (PEM).")],
    name: Annotated[str, typer.Option(help="Whose key it is; shown wherever keys are.")],
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Load from now on what a key signed."""
    from lockgate.cli import keys  # noqa: PLC0415 - a command loads what it needs
    from lockgate.cli.client import connect  # noqa: PLC0415 - likewise

    body = {"public_key": keys.read(file), "name": name}
    with connect(state) as client:
        found = client.post("/api/v1/keys/trusted", body)
    show(found, as_json, keys.trusted)


@key_app.command("distrust")
def distrust_key(
    key: Key,
    even_if_live: Annotated[bool, typer.Option("--even-if-live", help="Also if what it signed is live.")] = False,  # noqa: FBT002 - a flag
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Load no more what a key signed."""
    from lockgate.cli import keys  # noqa: PLC0415 - a command loads what it needs
    from lockgate.cli.client import connect  # noqa: PLC0415 - likewise

    with connect(state) as client:
        done = client.post(f"/api/v1/keys/{quote(key, safe='')}/distrust", {"even_if_live": even_if_live})
    show(done, as_json, keys.distrusted)
