"""`lockgate ship`, and what else asks for a walk: shows how it goes."""

import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from lockgate.cli import showing, snapshots
from lockgate.cli.client import Client, connect
from lockgate.kernel.canonical import short
from lockgate.kernel.errors import Failed, Refused, Unavailable

__all__ = ["go_on", "import_model", "rebuild_package", "ship_project", "take_snapshots"]

_LOOK_AGAIN = 0.1
_MISSES = 200


def ship_project(folder: Path, state: Path, asked: Mapping[str, Any], *, as_json: bool) -> None:
    """Ship a project folder and wait for the end of the walk.

    Args:
        folder: the project folder.
        state: the state folder.
        asked: `as_of`, `dirty`, `rollout`, `anew`, `lineage`.
        as_json: whether what came of it is printed as JSON.

    Raises:
        Refused: a check or a gate did not open, or something is yours to mend.
        Failed: a step failed.
    """
    with connect(state) as client:
        console = Console(stderr=as_json)
        walk, end = _walk(client, folder, asked, console)
        snapshots.assumptions(client.get(f"/api/v1/snapshots?line={walk}"), console)
        _finish(client, walk, end, as_json=as_json, console=console)


def go_on(state: Path, stopped: str, *, rollout: bool, as_json: bool) -> None:
    """Go on with a walk that was stopped, and wait for the end of the walk that this opens.

    Raises:
        Refused: it is stopped again, or can't be gone on with.
        Failed: a step failed.
    """
    with connect(state) as client:
        console = Console(stderr=as_json)
        opened = client.post(f"/api/v1/lines/{quote(stopped, safe='')}/again", {"rollout": rollout})
        walk, end = _follow_walk(client, opened, console)
        _finish(client, walk, end, as_json=as_json, console=console)


def rebuild_package(state: Path, asked: Mapping[str, Any], *, as_json: bool) -> None:
    """Have a package made again, wait for the end of the walk, and say what came out.

    Raises:
        Refused: it gives other answers, or can't be made again.
        Failed: it can't be made here.
    """
    with connect(state) as client:
        console = Console(stderr=as_json)
        opened = client.post("/api/v1/packages/rebuild", dict(asked))
        _, end = _follow_walk(client, opened, console)
        found = client.get(f"/api/v1/packages/{opened['release']}")["rebuilt"][0]
    if as_json:
        print(json.dumps(found, indent=2))  # noqa: T201 - what the command is for
    else:
        console.print(f"[bold green]rebuilt[/]: {showing.safe(end['reason'])}", soft_wrap=True)


def take_snapshots(folder: Path, state: Path, asked: Mapping[str, Any], *, as_json: bool) -> None:
    """Take a snapshot of every source of a project and wait until it is there.

    Raises:
        Failed: a step failed.
    """
    with connect(state) as client:
        console = Console(stderr=as_json)
        walk, _ = _walk(client, folder, {**asked, "until": "snapshots"}, console)
        taken = client.get(f"/api/v1/snapshots?line={walk}")
    if as_json:
        print(json.dumps(taken, indent=2))  # noqa: T201 - what the command is for
    else:
        snapshots.listing(taken, console)


def import_model(state: Path, asked: Mapping[str, Any], *, as_json: bool) -> None:
    """Import a model that was fitted elsewhere and wait for the end of the walk.

    Args:
        state: the state folder.
        asked: as the API takes it, paths from the root.
        as_json: whether what came of it is printed as JSON.

    Raises:
        Refused: a check or a gate did not open, or something is yours to mend.
        Failed: a step failed.
    """
    with connect(state) as client:
        console = Console(stderr=as_json)
        walk, end = _follow_walk(client, client.post("/api/v1/packages/import", dict(asked)), console)
        _finish(client, walk, end, as_json=as_json, console=console)


def _walk(client: Client, folder: Path, asked: Mapping[str, Any], console: Console) -> tuple[str, dict[str, Any]]:
    """Have a walk opened and show it to its end; give its id and how it ended."""
    as_of: datetime | None = asked["as_of"]
    cut = as_of.replace(tzinfo=as_of.tzinfo or UTC).isoformat() if as_of else None
    lineage = asked.get("lineage", "")
    if path := _path(lineage):
        lineage = f"file:{Path(path).absolute()}"
    body = {**asked, "folder": str(folder.resolve()), "as_of": cut, "lineage": lineage}
    return _follow_walk(client, client.post("/api/v1/lines", body), console)


def _follow_walk(client: Client, opened: dict[str, Any], console: Console) -> tuple[str, dict[str, Any]]:
    """Show a walk that was opened to its end; give its id and how it ended."""
    walk: str = opened["id"]
    told = "Ctrl-C stops it, the same command goes on" if opened["attended"] else "it goes on also without this command"
    console.print(f"[dim]walk {walk}; {told}[/]")
    end = _show(client, walk, console)
    if end["result"] not in {"released", "taken", "rebuilt"}:
        kind = Refused if end["result"] == "stopped" else Failed
        raise kind(end["reason"].removesuffix("."))
    return walk, end


def _path(lineage: str) -> str:
    """Give the path of a file that was named relative to here; empty for anything else."""
    return lineage.removeprefix("file:") if lineage.startswith("file:") and not lineage.startswith("file://") else ""


def _show(client: Client, walk: str, console: Console) -> dict[str, Any]:
    """Show what a walk says of itself until it ends."""
    columns = SpinnerColumn(finished_text="[green]✓"), TextColumn("{task.description:<22}"), BarColumn(24)
    with Progress(*columns, TimeElapsedColumn(), TextColumn("[dim]{task.fields[note]}"), console=console) as progress:
        tasks: dict[str, TaskID] = {}
        end: dict[str, Any] = {}
        for told, ended in _follow(client, walk):
            _draw(progress, tasks, told)
            end = ended or end
        return end


def _follow(client: Client, walk: str) -> Iterator[tuple[list[dict[str, Any]], dict[str, Any] | None]]:
    seen, missed = 0, 0
    while True:
        try:
            found = client.get(f"/api/v1/lines/{walk}?after={seen}")
        except Unavailable:
            missed += 1  # the control plane may be starting again, and goes on with the walk
            if missed > _MISSES or not client.there():
                raise
        else:
            seen, missed = seen + len(found["told"]), 0
            yield found["told"], found["end"]
            if found["end"] is not None:
                return
        time.sleep(_LOOK_AGAIN)


def _draw(progress: Progress, tasks: dict[str, TaskID], told: list[dict[str, Any]]) -> None:
    for one in told:
        station = one["station"]
        if station == "line":
            continue
        if station not in tasks:
            tasks[station] = progress.add_task(station, total=1.0, note="")
        note = one.get("text") or ("found, nothing to do" if one["state"] == "found" else None)
        done = one["state"] in {"done", "found"}
        progress.update(tasks[station], completed=1.0 if done else one.get("share", 0.0))
        if note:
            progress.update(tasks[station], note=showing.safe(note))


def _finish(client: Client, walk: str, end: dict[str, Any], *, as_json: bool, console: Console) -> None:
    overview = client.get("/api/v1/overview")
    found = next(
        (one, release)
        for one in overview["endpoints"]
        for release in one["releases"]
        if release["release"] == end["release"]
    )
    endpoint, release = found
    if as_json:
        print(json.dumps({"walk": walk, "endpoint": endpoint["name"], **release}, indent=2))  # noqa: T201 - what the command is for
        return
    showing.gates(showing.safe(release), console)
    console.print(
        f"[bold green]{endpoint['name']} {release['version']}[/] is {release['level']}"
        f" · package {short(release['package'])} · {showing.origin(showing.safe(release))}"
    )
    if overview["running"] is None:
        console.print("[dim]Next: lockgate up[/]")
