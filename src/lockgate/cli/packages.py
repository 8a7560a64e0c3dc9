"""How packages look in a terminal; and verifying a folder, for which nothing but the folder and a key is needed."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from lockgate.cli.showing import safe
from lockgate.kernel.canonical import short
from lockgate.packages.exported import Verified, reader_of, verify
from lockgate.packages.signing import Trust

__all__ = ["exported", "package", "show_folder", "verify_folder"]


def verify_folder(folder: Path, keys: Sequence[Path], *, as_json: bool) -> None:
    """Verify an exported package and say who signed what, when, and each file.

    Raises:
        LockgateError: it does not hold; as `lockgate.packages.exported.verify`.
    """
    found = msgspec.to_builtins(verify(folder, Trust.of(keys)))
    if as_json:
        print(json.dumps(found, indent=2))  # noqa: T201 - what the command is for
    else:
        _verified(safe(found), Console())


def show_folder(folder: Path, keys: Sequence[Path], *, as_json: bool) -> None:
    """Show a package folder; verified first where keys are named.

    Raises:
        LockgateError: it does not hold, or is no package.
    """
    # Only here: what a package is asked is read with the room that loads models; verifying needs none of it.
    from lockgate.packages.describe import describe  # noqa: PLC0415

    verified: Verified | None = verify(folder, Trust.of(keys)) if keys else None
    shown = {
        **(msgspec.to_builtins(verified) if verified else {}),
        "package": msgspec.to_builtins(describe(reader_of(folder))),
    }
    if as_json:
        print(json.dumps(shown, indent=2))  # noqa: T201 - what the command is for
    else:
        package(safe(shown))


def exported(found: dict[str, Any], console: Console | None = None) -> None:
    """Say where a package was written to, and how it is verified."""
    out = console or Console()
    out.print(f"package [bold]{short(found['package'])}[/] is in {found['folder']}: {len(found['files'])} files")
    out.print(f"[dim]signed by key {found['signed_by']}[/]", soft_wrap=True)
    out.print(f"[dim]Next: lockgate package verify {found['folder']} --key {found['public_key']}[/]", soft_wrap=True)


def package(found: dict[str, Any], console: Console | None = None) -> None:
    """Show what a package is asked and answers, and what it is made of."""
    out = console or Console()
    one = found["package"]
    manifest = one["manifest"]
    out.print(f"[bold]{manifest['project']}[/] · package {one['package']}", soft_wrap=True)
    fields = [f"{field['name']} ({field['kind']}{', or null' if field['nullable'] else ''})" for field in one["fields"]]
    bar = f", true from {one['threshold']:g} on" if one["task"] == "binary" else ""
    facts = [
        *_release_facts(found),
        ("asked", ", ".join(fields)),
        ("by, at", f"{one['key']}, {one['asked_at']}"),
        ("looks up", ", ".join(one["sources"]) or "nothing"),
        ("columns", ", ".join(one["columns"])),
        ("foresees", f"{one['outcome']}, {one['task']}{bar}"),
        ("format", manifest["format"]),
        ("parameters", ", ".join(f"{name}={value}" for name, value in manifest["parameters"].items()) or "-"),
        ("environment", _environment(found) or manifest["environment"]),
    ]
    out.print(_facts(facts))
    _files(manifest["files"], out)


def _verified(found: dict[str, Any], out: Console) -> None:
    release, manifest = found["release"], found["package"]
    out.print(f"[bold green]{release['endpoint']} v{release['number']}[/] holds: it is what was signed")
    out.print(_facts([*_release_facts(found), ("format", manifest["format"]), ("environment", _environment(found))]))
    _files(manifest["files"], out)
    for path in found["beside"]:
        out.print(f"[yellow]{path}[/] is no part of it: nobody signed it, and nothing reads it")


def _release_facts(found: dict[str, Any]) -> list[tuple[str, str]]:
    if "release" not in found:
        return [("signed by", "[yellow]not verified; name the signer's key with --key[/]")]
    release = found["release"]
    mark = " with uncommitted changes" if release["dirty"] else ""
    return [
        ("signed by", f"key {found['signed_by']}"),
        ("release", f"v{release['number']}, {found['release_id']}"),
        ("released", f"by {release['by']}, {release['at'][:19].replace('T', ' ')} UTC"),
        ("package", release["package"]),
        ("commit", f"{release['commit']}{mark}") if release["commit"] else ("imported", found.get("imported") or "yes"),
    ]


def _environment(found: dict[str, Any]) -> str:
    if "environment" not in found:
        return ""
    return f"Python {found['environment']['python']}, {len(found['environment']['packages'])} distributions"


def _facts(facts: Sequence[tuple[str, str]]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True, width=11)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, value)
    return table


def _files(files: Sequence[dict[str, Any]], out: Console) -> None:
    longest = max((len(one["path"]) for one in files), default=0)
    for one in files:
        out.print(f"{one['path']:<{longest}} {one['bytes']:>12,} bytes  [dim]{one['digest']}[/]", soft_wrap=True)
