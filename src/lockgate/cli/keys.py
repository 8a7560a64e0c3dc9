"""How keys look in a terminal."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from lockgate.kernel.errors import Malformed, NotFound
from lockgate.kernel.names import nearest

__all__ = ["distrusted", "listing", "made", "meant", "one", "read", "trusted"]

_LARGEST = 10_000
_SHORTEST = 8


def read(file: Path) -> str:
    """Read a file that should hold a public key.

    Raises:
        NotFound: it can't be read.
        Malformed: it is no text, or far too long.
    """
    try:
        with file.open("rb") as opened:
            text = opened.read(_LARGEST + 1).decode("ascii")
    except OSError as error:
        msg = f"{file} can't be read"
        raise NotFound(msg, expected="PEM of an Ed25519 public key", found=str(error)) from error
    except UnicodeDecodeError as error:
        msg = f"{file} is no public key"
        raise Malformed(msg, expected="PEM of an Ed25519 public key", found="bytes that are no text") from error
    if len(text) > _LARGEST:
        msg = f"{file} is no public key"
        raise Malformed(msg, expected="PEM of an Ed25519 public key", found=f"more than {_LARGEST:,} bytes")
    return text


def meant(found: list[dict[str, Any]], key: str) -> dict[str, Any]:
    """Give the key that is meant; the one that is signed with where none is named.

    Raises:
        NotFound: there is none, or there are several, or its public half is not known here.
    """
    if not key:
        return next(one for one in found if one["signing"])
    those = [one for one in found if len(key) >= _SHORTEST and one["key"].startswith(key.lower())]
    if len(those) == 1 and those[0]["public_key"]:
        return those[0]
    msg = f"No key whose public half is known here is meant by {key!r}"
    hint = nearest(key, [one["key"][:16] for one in found if one["public_key"]])
    raise NotFound(msg, expected=f"the id of a key, or its first {_SHORTEST} digits or more", found=key, way_out=hint)


def listing(found: list[dict[str, Any]], console: Console | None = None) -> None:
    """Show every key in a line."""
    table = Table(box=None, pad_edge=False)
    for name in ("key", "here", "releases", "live", "previous", "since"):
        table.add_column(name, overflow="fold")
    for key in found:
        here = ["[green]signs[/]"] if key["signing"] else []
        here += ["trusted"] if key["trusted"] else ["[red]not trusted[/]"]
        last = key["changes"][0] if key["changes"] else None
        since = f"{last['what']} by {last['by']}, {last['at'][:10]}" if last else "-"
        live, previous = (", ".join(key[level]) or "-" for level in ("live", "previous"))
        table.add_row(key["key"][:16], ", ".join(here), f"{key['releases']:,}", live, previous, since)
    (console or Console()).print(table)


def one(found: dict[str, Any]) -> None:
    """Print a key so that it can be written to a file, and say on the side which it is."""
    Console(stderr=True).print(f"[dim]key {found['key']}[/]", soft_wrap=True)
    print(found["public_key"], end="")  # noqa: T201 - what the command is for


def made(found: dict[str, Any], console: Console | None = None) -> None:
    """Say that another key is signed with, and what remains to do."""
    out = console or Console()
    out.print(f"[bold green]{found['key'][:16]}[/] is what this installation signs with from now on.")
    out.print(
        "[dim]What the old key signed is still loaded. Ship each project again, and the new key has signed what is live;"
        " then lockgate key distrust takes the old one out.[/]",
        soft_wrap=True,
    )


def trusted(found: dict[str, Any], console: Console | None = None) -> None:
    """Say that a key is believed."""
    (console or Console()).print(f"[bold green]{found['key'][:16]}[/] is trusted: what it signed is loaded here.")


def distrusted(found: dict[str, Any], console: Console | None = None) -> None:
    """Say that a key is out, and what is not loaded any more."""
    out = console or Console()
    out.print(f"[bold]{found['key'][:16]}[/] is not trusted any more: nothing that it signed is loaded from now on.")
    lost = [(name, "is live") for name in found["live"]]
    lost += [(name, "can't be gone back to") for name in found["previous"]]
    for name, what in lost:
        out.print(
            f"  [red]{name}[/] {what}; workers that run keep it, one that starts does not load it", soft_wrap=True
        )
    for waiver in found["waivers"]:
        out.print(f"  [red]{waiver}[/] is not waived any more", soft_wrap=True)
    if found["live"]:
        out.print("[dim]Next: ship each of them again; it is then signed by the key of this installation.[/]")
