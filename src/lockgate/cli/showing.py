"""How what the API says looks in a terminal."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lockgate.cli import waivers
from lockgate.cli.charts import bars
from lockgate.cli.printable import printable
from lockgate.kernel.canonical import short

__all__ = ["endpoint", "explanation", "gates", "metrics", "origin", "overview", "rolled_back", "safe"]


def safe(found: Any) -> Any:  # noqa: ANN401 - JSON
    """Keep what callers and users wrote from being read as markup, or by the terminal."""
    if isinstance(found, dict):
        return {name: safe(value) for name, value in found.items()}
    if isinstance(found, list):
        return [safe(value) for value in found]
    return escape(printable(found)) if isinstance(found, str) else found


_COLOURS = {"pass": "green", "warn": "yellow", "inconclusive": "yellow", "fail": "red"}


def gates(release: dict[str, Any], console: Console | None = None) -> None:
    """Show what the gates of a release saw."""
    table = Table(title=f"gates of {release['version']}", title_justify="left", box=None, pad_edge=False)
    for name in ("gate", "verdict", "expected", "found"):
        table.add_column(name, overflow="fold")
    for one in release["gates"]:
        colour = _COLOURS[one["verdict"]]
        note = f"\n[dim]{one['note']}[/]" if one["note"] else ""
        note += f"\n[yellow]{waivers.who(one['waiver'])}[/]" if one["waiver"] else ""
        said = f"[{colour}]{one['verdict']}[/]{waivers.beside(one['waiver'])}"
        table.add_row(one["gate"], said, one["expected"], one["found"] + note)
    checks = Table(title="checks", title_justify="left", box=None, pad_edge=False)
    for name in ("stage", "verdict", "found"):
        checks.add_column(name, overflow="fold")
    for one in release["checks"]:
        checks.add_row(one["place"], f"[{_COLOURS[one['verdict']]}]{one['verdict']}[/]", one["found"])
    (console or Console()).print(checks)
    (console or Console()).print(table)


def overview(found: dict[str, Any]) -> None:
    """Show an installation."""
    console = Console()
    table = Table(title="endpoints", title_justify="left", box=None, pad_edge=False)
    for name in ("endpoint", "live", "previous", "plan", "reason", "by", "since"):
        table.add_column(name)
    for one in found["endpoints"]:
        table.add_row(*_endpoint_row(one))
    console.print(table if found["endpoints"] else "No endpoint yet. Next: lockgate ship FOLDER")
    for one in found["endpoints"]:
        _mark_untrusted(one, console)
        waivers.marks(one, console)
    for walk in found["walks"]:
        reason = f": {walk['reason'].partition(chr(10))[0]}" if walk["reason"] else ""
        console.print(
            f"[dim]walk {walk['id']} · {walk['commit'][:12] or 'import'} · {walk['at'][:19]}[/]"
            f" {walk['result']}{reason}"
        )
    running = found["running"]
    console.print("[dim]Nothing is running. Next: lockgate up[/]" if running is None else _running(running))


def _mark_untrusted(endpoint: dict[str, Any], console: Console) -> None:
    """Name what an endpoint answers with, or goes back to, and what no worker would load any more."""
    for release in endpoint["releases"]:
        if release["level"] in {"live", "previous"} and not release["signed_by"]:
            console.print(
                f"{endpoint['name']} {release['version']} ({release['level']}){_signed(release)}", soft_wrap=True
            )


def _endpoint_row(one: dict[str, Any]) -> tuple[str, ...]:
    versions = {release["release"]: release["version"] for release in one["releases"]}
    plan = one["plan"]
    name = f"{one['name']} [dim](replay)[/]" if one["replay"] else one["name"]
    if plan is None:
        return name, "-", "-", "-", "no release yet", "", ""
    live = f"[green]{versions.get(plan['live'], short(plan['live']))}[/] ({plan['level']})"
    previous = versions.get(plan["previous"], "-")
    return name, live, previous, str(plan["number"]), plan["reason"], plan["by"], plan["at"][:19]


def _running(running: dict[str, Any]) -> str:
    workers = ", ".join(f"worker {one['worker']} (pid {one['pid']})" for one in running.get("workers", ()))
    return f"[dim]running: {workers}, {_ingest(running.get('ingest', {}))}[/]"


def _ingest(ingest: dict[str, Any]) -> str:
    """Say how far posted rows are in the online store."""
    if not ingest.get("ready"):
        return "ingest is down: posted rows are kept in the log until it is back"
    behind = [
        f"{name} {one['lag_rows']:,} rows, {one['lag_seconds']:.1f} s behind"
        for name, one in ingest["endpoints"].items()
        if one["lag_rows"]
    ]
    troubles = [f"{name}: {one['trouble']}" for name, one in ingest["endpoints"].items() if one["trouble"]]
    return "; ".join([f"ingest (pid {ingest['pid']})", *behind, *troubles])


def endpoint(found: dict[str, Any]) -> None:
    """Show an endpoint: its releases, what their gates saw, and its plans."""
    console = Console()
    versions = {release["release"]: release["version"] for release in found["releases"]}
    for release in found["releases"]:
        console.print(
            f"[bold]{release['version']}[/] {release['level']} · package {short(release['package'])}"
            f" · {origin(release)}{_learnt(release)}{_signed(release)}"
        )
        gates(release, console)
        console.print()
    table = Table(title="plans, newest first", title_justify="left", box=None, pad_edge=False)
    for name in ("plan", "live", "previous", "reason", "by", "at"):
        table.add_column(name)
    for plan in found["plans"]:
        live, previous = versions.get(plan["live"], "?"), versions.get(plan["previous"], "-")
        table.add_row(str(plan["number"]), live, previous, plan["reason"], plan["by"], plan["at"][:19])
    console.print(table)
    waivers.listing(found["waivers"], console)


def origin(found: dict[str, Any], digits: int = 12) -> str:
    """Say where a release comes from: its commit, by so many digits, or what was brought."""
    if found.get("imported"):
        return f"imported from {found['imported']}"
    mark = " [yellow]uncommitted changes[/]" if found["dirty"] else ""
    return f"commit {found['commit'][:digits]}{mark}"


def _signed(release: dict[str, Any]) -> str:
    return "" if release["signed_by"] else " · [red]signed by nobody who is trusted here: no worker loads it[/]"


def _learnt(release: dict[str, Any]) -> str:
    return (
        "" if release.get("imported") else f" · {release['training_rows']:,} rows until {release['learnt_until'][:10]}"
    )


def metrics(found: dict[str, Any], metric: str | None = None, console: Console | None = None) -> None:
    """Show daily metrics with a small chart."""
    out = console or Console()
    days = found["days"]
    names = list(dict.fromkeys(day["metric"] for day in days))
    if not days or (metric is not None and metric not in names):
        there = f"; there is {', '.join(names)}" if names else ""
        out.print(f"No {metric or 'metric'} yet{there}.")
        return
    chosen = metric or names[0]
    shown = sorted((day for day in days if day["metric"] == chosen), key=lambda day: (day["day"], day["version"]))
    table = Table(title=f"{chosen} by day asked, {found['endpoint']}", title_justify="left", box=None, pad_edge=False)
    for name in ("day", "version", "predictions", "matured", "n", chosen, "", "naive"):
        table.add_column(name, justify="left" if name in {"version", "day", ""} else "right", no_wrap=True)
    for day, bar in zip(shown, bars([day["value"] for day in shown], width=12), strict=True):
        table.add_row(
            day["day"],
            f"v{day['version']}",
            f"{day['predictions']:,}",
            f"{day['matured']:.0%}",
            f"{day['n']:,}",
            _number(day["value"]),
            f"[cyan]{bar}[/]",
            f"[dim]{_number(day['naive_value'])}[/]",
        )
    out.print(table)
    out.print(
        f"[dim]matured: asked longer ago than outcomes take to be final, by the endpoint's clock"
        f" ({(found['watermark'] or '')[:19]}). naive: every outcome so far.[/]"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def rolled_back(done: dict[str, Any]) -> None:
    """Show a rollback."""
    console = Console()
    plan = done["plan"]
    console.print(
        f"[bold green]{plan['endpoint']}[/] plan {plan['number']}:"
        f" {short(plan['live'])} is live again ({plan['reason']})"
    )
    for ack in done["acks"]:
        console.print(f"  worker {ack['worker']} obeys since {ack['milliseconds']:.1f} ms after it was told")
    for error in done["errors"]:
        console.print(f"  [yellow]{error}[/]")
    for one in done["expired"]:
        console.print(
            f"  [red]its gate {one['gate']} is shut: the waiver by {one['by']} was for until"
            f" {waivers.moment(one['until'])}[/]. Going back was possible; no walk would put it live.",
            soft_wrap=True,
        )


def explanation(found: dict[str, Any], console: Console | None = None) -> None:
    """Show all that led to a prediction."""
    out = console or Console()
    out.print(
        f"[bold]{found['endpoint']} {found['version']}[/] answered [bold]{found['value']}[/]"
        f" (score {found['score']:.4f}, threshold {found['threshold']:g})"
    )
    table = _facts(_answer_facts(found))
    out.print(table)
    seen = Table(box=None, pad_edge=False, title="what the model saw", title_justify="left")
    for name in ("column", "value", "happened", "known since"):
        seen.add_column(name, no_wrap=True)
    for one in found["features"]:
        value = one.get("category") or ("missing" if one["value"] is None else f"{one['value']:g}")
        seen.add_row(one["name"], value, one.get("event_time", ""), one.get("known_since", ""))
    out.print(seen)
    out.print(_facts(_origin_facts(found)))


def _facts(facts: list[tuple[str, str]]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim", no_wrap=True, width=11)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, value)
    return table


def _answer_facts(found: dict[str, Any]) -> list[tuple[str, str]]:
    told = found["outcome"]
    return [
        ("asked", f"{found['asked_at']} by {found['by']}, received {found['received_at'][:19]}"),
        ("outcome", "not known yet" if told is None else f"{told['value']}, known {told['observed_at']}"),
        ("request", ", ".join(f"{name}={value}" for name, value in found["request"].items())),
        *([("unseen", ", ".join(found["unseen"]))] if found["unseen"] else []),
    ]


def _origin_facts(found: dict[str, Any]) -> list[tuple[str, str]]:
    parameters = ", ".join(f"{name}={value}" for name, value in found["parameters"].items())
    facts = [
        ("package", found["package"]),
        ("release", f"{found['release']}, by {found['released_by']}, {found['released_at'][:19]}"),
        ("imported", found["imported"])
        if found.get("imported")
        else ("commit", f"{found['commit']}{' with uncommitted changes' if found['dirty'] else ''}"),
        ("training", f"{found['fitted']}, {found['training_rows']:,} rows, {parameters}"),
        ("run", found["training_run"]),
        ("environment", f"Python {found['python']}, {found['environment']}"),
    ]
    facts += [
        (
            "snapshot",
            f"{one['source']} {short(one['snapshot'])}, {one['rows']:,} rows, known until {one['known_until'] or '-'}",
        )
        for one in found["snapshots"]
    ]
    return facts + [
        ("gate", f"{one['gate']}: [{_COLOURS[one['verdict']]}]{one['verdict']}[/], {one['found']}{_waived(one)}")
        for one in found["gates"]
    ]


def _waived(gate: dict[str, Any]) -> str:
    return f";{waivers.beside(gate['waiver'])}, {waivers.who(gate['waiver'])}" if gate["waiver"] else ""
