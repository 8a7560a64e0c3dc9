"""How keys look in a terminal."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from lockgate.kernel.errors import NotFound
from lockgate.kernel.names import nearest
from lockgate.packages.folder import read_part
from lockgate.packages.signing import public_key, public_pem

__all__ = ["distrusted", "listing", "made", "meant", "one", "read", "trusted"]

_LARGEST = 10_000
_SHORTEST = 8


def read(file: Path) -> str:
    """Read a file that holds a public key; anything else stays on this machine.

    Raises:
        NotFound: it can't be read.
        Refused: it is a private key.
        Malformed: it is no Ed25519 public key.
    """
    try:
        data = read_part(file.resolve().parent, file.resolve().name, _LARGEST)
    except OSError as error:
        msg = f"{file} can't be read"
        raise NotFound(msg, expected="a file with PEM of an Ed25519 public key", found=str(error)) from error
    return public_pem(public_key(data, str(file))).decode()


def meant(found: list[dict[str, Any]], key: str) -> dict[str, Any]:
    """Give the key that is meant; the one that is signed with where none is named.

    Raises:
        NotFound: there is none, or there are several, or its public half is not known here.
    """
    if not key:
        return next(one for one in found if one["signing"])
    by_id = len(key) >= _SHORTEST
    those = [one for one in found if key == one["name"] or (by_id and one["key"].startswith(key.lower()))]
    # A name that was given again is of the key that is trusted now.
    those = [one for one in those if one["trusted"]] or those
    if len(those) == 1 and those[0]["public_key"]:
        return those[0]
    msg = f"No key whose public half is known here is meant by {key!r}"
    hint = nearest(key, [one["name"] or one["key"][:16] for one in found if one["public_key"]])
    expected = f"the name of a key, or its id or the first {_SHORTEST} digits of it or more"
    raise NotFound(msg, expected=expected, found=key, way_out=hint)


def listing(found: list[dict[str, Any]], console: Console | None = None) -> None:
    """Show every key in a line."""
    table = Table(box=None, pad_edge=False)
    for name in ("key", "whose", "here", "releases", "live", "previous", "last change"):
        table.add_column(name, overflow="fold")
    for key in found:
        here = ["[green]signs[/]"] if key["signing"] else []
        here += ["trusted"] if key["trusted"] else ["[red]not trusted[/]"]
        changed = _deed(key["changes"][0]) if key["changes"] else "-"
        live, previous = (", ".join(key[level]) or "-" for level in ("live", "previous"))
        table.add_row(
            key["key"][:16], key["name"] or "-", ", ".join(here), f"{key['releases']:,}", live, previous, changed
        )
    (console or Console()).print(table)


def _deed(change: dict[str, Any]) -> str:
    return f"{change['deed']} by {change['by']}, {change['at'][:10]}"


def one(found: dict[str, Any]) -> None:
    """Print a key so that it can be written to a file, and say on the side which it is and what was done with it."""
    side = Console(stderr=True)
    whose = f" ({found['name']})" if found["name"] else ""
    stands = "trusted here" if found["trusted"] else "[red]not trusted here[/]"
    side.print(f"[dim]key {found['key']}{whose}, {stands}[/]", soft_wrap=True)
    for change in found["changes"]:
        side.print(f"[dim]{_deed(change)}[/]", soft_wrap=True)
    print(found["public_key"], end="")  # noqa: T201 - what the command is for


def made(found: dict[str, Any], console: Console | None = None) -> None:
    """Say that another key is signed with, and what remains to do."""
    out = console or Console()
    out.print(f"[bold green]{found['key'][:16]}[/] is what this installation signs with from now on.")
    out.print(
        "[dim]What the old key signed is still loaded. Ship each project again, and the new key has signed what is"
        " live; then lockgate key distrust takes the old one out.[/]",
        soft_wrap=True,
    )


def trusted(found: dict[str, Any], console: Console | None = None) -> None:
    """Say that a key is believed."""
    said = f"[bold green]{found['key'][:16]}[/] ({found['name']}) is trusted: what it signed is loaded here."
    (console or Console()).print(said, soft_wrap=True)


def distrusted(found: dict[str, Any], console: Console | None = None) -> None:
    """Say that a key is out, and what is not loaded any more."""
    out = console or Console()
    whose = f" ({found['name']})" if found["name"] else ""
    out.print(
        f"[bold]{found['key'][:16]}[/]{whose} is not trusted any more: nothing that it signed is loaded from now on.",
        soft_wrap=True,
    )
    for name in found["live"]:
        said = "is live: workers that run keep it, one that starts loads none of it"
        out.print(f"  [red]{name}[/] {said}", soft_wrap=True)
    for name in found["previous"]:
        out.print(f"  [red]{name}[/] can't be gone back to", soft_wrap=True)
    for waiver in found["waivers"]:
        out.print(f"  [red]{waiver}[/] is not waived any more", soft_wrap=True)
    if found["live"]:
        out.print("[dim]Next: ship each of them again; it is then signed by the key of this installation.[/]")
