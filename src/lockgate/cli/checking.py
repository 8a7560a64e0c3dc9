"""`lockgate check`: compiles a project, in a child as the line does; examines its data; writes rules down."""

import json
import tempfile
from difflib import unified_diff
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lockgate.cli.client import connect
from lockgate.cli.showing import safe
from lockgate.engine.children import Job, run_child
from lockgate.engine.jobs import Loaded
from lockgate.kernel.canonical import digest_of, short
from lockgate.kernel.errors import GateClosed, Refused

__all__ = ["check_data", "check_project", "infer_rules"]

_COLOURS = {"pass": "green", "warn": "yellow", "inconclusive": "yellow", "fail": "red"}
_SHOWN = 3


def check_project(folder: Path, state: Path) -> None:
    """Compile a project and say what it is; where there is a ledger, hold its features against the register.

    Raises:
        Invalid: with every mistake in it.
        Refused: a feature means something else than when it was released.
    """
    with tempfile.TemporaryDirectory(prefix="lockgate-") as scratch:
        loaded = run_child(Job(kind="load", folder=str(folder.resolve()), arguments={}), Path(scratch), Loaded)
    blueprint = loaded.blueprint
    if state.is_dir():
        with connect(state) as client:
            body = {"blueprint": msgspec.to_builtins(blueprint), "places": loaded.places}
            client.post("/api/v1/features/check", body)
    console = Console()
    console.print(f"[bold]{blueprint.name}[/] is well: blueprint {short(digest_of(blueprint))}")
    console.print(f"  asks for      {', '.join(field.name for field in blueprint.request.fields)}")
    console.print(f"  foresees      {blueprint.outcome.name}, final after {blueprint.outcome.final_after}")
    console.print(f"  sources       {', '.join(source.name for source in blueprint.sources)}")
    console.print(f"  the model sees {', '.join(column.name for column in blueprint.features.columns)}")
    console.print(f"  checks, gates {len(blueprint.rules)}, {len(blueprint.gates)}")
    for source in blueprint.sources:
        if source.available_delay is not None:
            console.print(
                f"  [dim]assumed: rows of {source.name} are known {source.available_delay} after they happen[/]"
            )


def check_data(folder: Path, state: Path, snapshot: str | None, *, as_json: bool) -> None:
    """Examine the newest snapshots of a project, or one, and show what every rule saw.

    Raises:
        GateClosed: a rule does not hold.
        NotFound: there is no snapshot.
    """
    with connect(state) as client:
        found = client.post("/api/v1/checks", {"folder": str(folder.resolve()), "snapshot": snapshot})
    if as_json:
        print(json.dumps(found, indent=2))  # noqa: T201 - what the command is for
    else:
        for report in safe(found):
            _show_report(report, Console())
    shut = [f"{one['source']}: {one['verdict']}" for one in found if one["verdict"] not in {"pass", "warn"}]
    if shut:
        raise GateClosed(
            f"{len(shut)} of {len(found)} snapshots do not hold",
            expected="every rule to hold",
            found="; ".join(shut),
            way_out="Mend the data, or what the project file expects of it.",
        )


def _show_report(report: dict[str, Any], console: Console) -> None:
    title = f"{report['source']} · snapshot {short(report['on'])} · {report['rows']:,} rows"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("verdict", "condition", "rows", "broken", "measured", "at most"):
        table.add_column(name, justify="right" if name in {"rows", "broken", "measured", "at most"} else "left")
    for one in report["results"]:
        colour = _COLOURS[one["verdict"]]
        rows = "did not run" if one["rows"] is None else f"{one['rows']:,}"
        measured = "" if one["measured"] is None else f"{one['measured']:.4g}"
        note = f"\n[dim]{one['note']}[/]" if one["note"] else ""
        verdict = f"[{colour}]{one['verdict']}[/]"
        table.add_row(verdict, one["condition"] + note, rows, f"{one['failures']:,}", measured, f"{one['at_most']:.4g}")
    console.print(table)
    if report["quarantine"]:
        console.print(f"  [yellow]{report['quarantine']['rows']:,} rows in quarantine[/]")
    for one in report["results"]:
        for example in one["examples"][:_SHOWN]:
            shown = ", ".join(f"{name}={value}" for name, value in example.items())
            console.print(f"  [dim]{one['rule']}: {shown}[/]")


def infer_rules(folder: Path, state: Path, source: str | None, snapshot: str | None, *, replace: bool) -> None:
    """Write rules down beside a project; files that are there are kept, unless told otherwise, and compared.

    Raises:
        Refused: a file is there.
        NotFound: there is no such source or snapshot.
    """
    asked = {"folder": str(folder.resolve()), "source": source, "snapshot": snapshot}
    with connect(state) as client:
        found = client.post("/api/v1/checks/infer", asked)
    files = {folder / path: text for one in found for path, text in one["files"].items()}
    there = [str(path) for path in files if path.exists()]
    if there and not replace:
        msg = "There are rules already; nothing was written"
        way_out = "Use --replace to write over them; the difference is shown, and git keeps the old ones."
        raise Refused(msg, expected="no such file", found=", ".join(there), way_out=way_out)
    console = Console()
    for path, text in files.items():
        if path.exists() and path.suffix == ".toml":
            before = path.read_text().splitlines(keepends=True)
            console.print(escape("".join(unified_diff(before, text.splitlines(keepends=True), str(path), str(path)))))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        console.print(f"{escape(str(path))} is written")
    names = "; ".join(f'{one["source"]}.expect(lg.rules_from("checks/{one["source"]}.toml"))' for one in found)
    console.print(f"[dim]Review them, then add to the project file: {escape(names)}[/]")
