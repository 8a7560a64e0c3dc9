"""The commands. Daily verbs at the top, the rest under nouns; `--json` wherever a script would want it."""

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from typer.core import TyperGroup

from lockgate.kernel.errors import Broken, LockgateError

__all__ = ["app", "main"]

app = typer.Typer(
    name="lockgate",
    help="From a commit to verified live answers, and keeping them right.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
endpoint_app = typer.Typer(help="Endpoints: names that answer.", no_args_is_help=True)
log_app = typer.Typer(help="The prediction log: what was asked and answered.", no_args_is_help=True)
token_app = typer.Typer(help="Tokens: who may do what.", no_args_is_help=True)
app.add_typer(endpoint_app, name="endpoint")
app.add_typer(log_app, name="log")
app.add_typer(token_app, name="token")
feature_app = typer.Typer(help="Features: what they mean, and who uses them.", no_args_is_help=True)
app.add_typer(feature_app, name="feature")
snapshot_app = typer.Typer(help="Snapshots: what was known of sources, and when.", no_args_is_help=True)
app.add_typer(snapshot_app, name="snapshot")

State = Annotated[Path, typer.Option("--state", envvar="LOCKGATE_STATE", help="The state folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Ledger = Annotated[
    str, typer.Option(help="Where the ledger is: sqlite:///PATH or postgresql://USER@HOST/DATABASE; remembered.")
]
Blobs = Annotated[str, typer.Option(help="Where the blobs are: file:///PATH or s3://BUCKET/PREFIX; remembered.")]
Store = Annotated[
    str, typer.Option(help="Where the online store is: sqlite:///PATH or valkey://HOST:PORT/DB; remembered.")
]
Anew = Annotated[
    list[str] | None, typer.Option(help="A source whose history begins anew, believed as in a first snapshot.")
]
_STATE = Path(".lockgate")


class _Checking(TyperGroup):
    """`lockgate check FOLDER` and `lockgate check infer FOLDER`: what is no command is a folder."""

    # The command whose name is left out.
    left_out = "project"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - typer's own click
        """Put the command in that was left out."""
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = [self.left_out, *args]
        return super().parse_args(ctx, args)


check_app = typer.Typer(cls=_Checking, help="Examine a project, and its data.")
app.add_typer(check_app, name="check")


@check_app.command(_Checking.left_out)
def check_project(
    folder: Annotated[Path, typer.Argument(help="The project folder.")] = Path(),
    data: Annotated[bool, typer.Option("--data", help="Examine the newest snapshots by its rules.")] = False,  # noqa: FBT002 - a flag
    snapshot: Annotated[str | None, typer.Option(help="Examine this snapshot; with --data.")] = None,
    state: State = _STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Load a project and report every mistake in it; reads data only if told to."""
    from lockgate.cli import checking  # noqa: PLC0415 - a command loads what it needs

    if data or snapshot is not None:
        checking.check_data(folder, state, snapshot, as_json=as_json)
    else:
        checking.check_project(folder, state)


@check_app.command("infer")
def infer_checks(
    folder: Annotated[Path, typer.Argument(help="The project folder.")] = Path(),
    source: Annotated[str | None, typer.Option(help="One source; all that have a snapshot if left out.")] = None,
    snapshot: Annotated[str | None, typer.Option(help="This snapshot instead of the newest.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over files that are there.")] = False,  # noqa: FBT002 - a flag
    state: State = _STATE,
) -> None:
    """Write rules down from what a snapshot looks like, in files for you to review: checks/SOURCE.toml."""
    from lockgate.cli.checking import infer_rules  # noqa: PLC0415 - a command loads what it needs

    infer_rules(folder, state, source, snapshot, replace=replace)


@app.command()
def ship(
    folder: Annotated[Path, typer.Argument(help="The project folder.")] = Path(),
    state: State = _STATE,
    as_of: Annotated[
        datetime | None, typer.Option(help="Use only what was known then (UTC unless it has a zone).")
    ] = None,
    dirty: Annotated[bool, typer.Option("--dirty", help="Ship uncommitted changes; the release is marked.")] = False,  # noqa: FBT002 - a flag
    rollout: Annotated[bool, typer.Option(help="Put the release live.")] = True,  # noqa: FBT002 - a flag
    anew: Anew = None,
    lineage_to: Annotated[
        str, typer.Option("--lineage", help="Send OpenLineage events there: file:PATH, or an endpoint's URL.")
    ] = "",
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Walk the line: from the current commit to a release that answers."""
    from lockgate.cli.shipping import ship_project  # noqa: PLC0415 - a command loads what it needs

    asked = {"as_of": as_of, "dirty": dirty, "rollout": rollout, "anew": anew or [], "lineage": lineage_to}
    ship_project(folder, state, asked, as_json=as_json)


@app.command()
def up(
    state: State = _STATE,
    port: Annotated[int, typer.Option(help="Where endpoints answer.")] = 8440,
    control_port: Annotated[int, typer.Option(help="Where the control plane answers.")] = 8441,
    once: Annotated[bool, typer.Option("--once", help="Stop everything when a process dies.")] = False,  # noqa: FBT002 - a flag
    tether: Annotated[bool, typer.Option("--tether", help="Stop when standard input closes.")] = False,  # noqa: FBT002 - a flag
    ledger: Ledger = "",
    blobs: Blobs = "",
    store: Store = "",
) -> None:
    """Run the control plane and every endpoint, in the foreground."""
    from lockgate.cli.running import run_everything  # noqa: PLC0415 - a command loads what it needs
    from lockgate.engine.stores import Stores  # noqa: PLC0415 - likewise

    stores = Stores(ledger=ledger, blobs=blobs, store=store)
    run_everything(state, stores, port=port, control_port=control_port, once=once, tether=tether)


@app.command()
def move(
    state: State = _STATE,
    ledger: Ledger = "",
    blobs: Blobs = "",
    store: Store = "",
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Move an installation to other stores: copies, verifies, and works there from then on."""
    from lockgate.cli.moving import move_everything  # noqa: PLC0415 - a command loads what it needs
    from lockgate.engine.stores import Stores  # noqa: PLC0415 - likewise

    move_everything(state, Stores(ledger=ledger, blobs=blobs, store=store), as_json=as_json)


@app.command()
def status(
    endpoint: Annotated[str | None, typer.Argument(help="One endpoint, in full.")] = None,
    state: State = _STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Show what is live, what was, how walks ended and what is running."""
    from lockgate.cli import showing  # noqa: PLC0415 - a command loads what it needs

    path = "/api/v1/overview" if endpoint is None else f"/api/v1/endpoints/{endpoint}"
    found = _ask(state, path)
    _print(found, as_json, showing.overview if endpoint is None else showing.endpoint)


@app.command()
def metrics(
    endpoint: Annotated[str, typer.Argument(help="The endpoint.")],
    state: State = _STATE,
    metric: Annotated[str | None, typer.Option(help="Another metric than the first.")] = None,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Show daily metrics of matured cohorts, the naive figure beside them."""
    from lockgate.cli import showing  # noqa: PLC0415 - a command loads what it needs

    found = _ask(state, f"/api/v1/endpoints/{endpoint}/metrics")
    _print(found, as_json, lambda value: showing.metrics(value, metric))


@app.command()
def rollback(
    endpoint: Annotated[str, typer.Argument(help="The endpoint.")],
    reason: Annotated[str, typer.Option(help="Why; kept with the plan.")],
    state: State = _STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Put the previous release back; it is loaded already."""
    from lockgate.cli import showing  # noqa: PLC0415 - a command loads what it needs
    from lockgate.cli.client import connect  # noqa: PLC0415 - likewise

    with connect(state) as client:
        done = client.post(f"/api/v1/endpoints/{endpoint}/rollback", {"reason": reason})
    _print(done, as_json, showing.rolled_back)


@app.command()
def explain(
    prediction: Annotated[str, typer.Argument(help="The id that came with the answer.")],
    state: State = _STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Explain a prediction: from its id to the commit, the rows and the evidence behind it."""
    from lockgate.cli import showing  # noqa: PLC0415 - a command loads what it needs

    _print(_ask(state, f"/api/v1/predictions/{prediction}"), as_json, showing.explanation)


@app.command()
def lineage(
    what: Annotated[
        str, typer.Argument(help="A project (its live release), project@v2, a release's digest, or a prediction's id.")
    ],
    state: State = _STATE,
    column: Annotated[str | None, typer.Option(help="One column of the model, or the outcome.")] = None,
    svg: Annotated[Path | None, typer.Option(help="Draw it into this file.")] = None,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Show where every column of a model comes from, back to snapshots and commit."""
    from lockgate.cli.ancestry import show_lineage  # noqa: PLC0415 - a command loads what it needs

    asked = f"?column={quote(column, safe='')}" if column else ""
    found = _ask(state, f"/api/v1/lineage/{quote(what, safe='@:')}{asked}")
    if svg is not None:
        from lockgate.cli.drawing import draw  # noqa: PLC0415 - likewise

        svg.write_text(draw(found), encoding="utf-8")
    _print(found, as_json, show_lineage)


@snapshot_app.command("take")
def take_snapshot(
    folder: Annotated[Path, typer.Argument(help="The project folder.")] = Path(),
    state: State = _STATE,
    as_of: Annotated[
        datetime | None, typer.Option(help="Use only what was known then (UTC unless it has a zone).")
    ] = None,
    dirty: Annotated[bool, typer.Option("--dirty", help="Also with uncommitted changes.")] = False,  # noqa: FBT002 - a flag
    anew: Anew = None,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Take a snapshot of every source of a project, without shipping it."""
    from lockgate.cli.shipping import take_snapshots  # noqa: PLC0415 - a command loads what it needs

    take_snapshots(folder, state, {"as_of": as_of, "dirty": dirty, "anew": anew or []}, as_json=as_json)


@snapshot_app.command("list")
def list_snapshots(
    project: Annotated[str | None, typer.Argument(help="One project.")] = None,
    state: State = _STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """List snapshots, the latest first, with what is assumed of their rows' times."""
    from lockgate.cli import snapshots  # noqa: PLC0415 - a command loads what it needs

    asked = f"?project={quote(project, safe='')}" if project else ""
    _print(_ask(state, f"/api/v1/snapshots{asked}"), as_json, snapshots.listing)


@snapshot_app.command("diff")
def diff_snapshots(
    first: Annotated[str, typer.Argument(help="A snapshot's id, or how it begins.")],
    second: Annotated[str, typer.Argument(help="Another one of the same source.")],
    state: State = _STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Show how two snapshots of a source differ: columns, rows, and how each column is spread."""
    from lockgate.cli import snapshots  # noqa: PLC0415 - a command loads what it needs

    found = _ask(state, f"/api/v1/snapshots/{quote(first, safe='')}/diff/{quote(second, safe='')}")
    _print(found, as_json, snapshots.difference)


@snapshot_app.command("pin")
def pin_snapshot(
    snapshot: Annotated[str, typer.Argument(help="A snapshot's id, or how it begins.")],
    state: State = _STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Copy the rows of a snapshot that only refers to a table."""
    from lockgate.cli import snapshots  # noqa: PLC0415 - a command loads what it needs
    from lockgate.cli.client import connect  # noqa: PLC0415 - likewise

    with connect(state) as client:
        found = client.post(f"/api/v1/snapshots/{quote(snapshot, safe='')}/pin", {})
    _print(found, as_json, snapshots.pinned)


@feature_app.command("list")
def list_features(state: State = _STATE, as_json: Json = False) -> None:  # noqa: FBT002 - a flag
    """List the features of every release, by the names they are registered under."""
    from lockgate.cli import register  # noqa: PLC0415 - a command loads what it needs

    _print(_ask(state, "/api/v1/features"), as_json, register.features)


@feature_app.command("show")
def show_feature(
    name: Annotated[str, typer.Argument(help="As registered: project/name, or name for one that projects share.")],
    state: State = _STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Show a feature: its versions and what they mean, its users, its sources and how fresh they are."""
    from lockgate.cli import register  # noqa: PLC0415 - a command loads what it needs

    _print(_ask(state, f"/api/v1/features/{quote(name)}"), as_json, register.feature)


@endpoint_app.command("create")
def create_endpoint(
    name: Annotated[str, typer.Argument(help="The project's name.")],
    state: State = _STATE,
    replay: Annotated[bool, typer.Option("--replay", help="Take event times freely, to replay history.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Make an endpoint before its first release; ship makes an ordinary one by itself."""
    from lockgate.cli.client import connect  # noqa: PLC0415 - a command loads what it needs

    with connect(state) as client:
        made = client.post("/api/v1/endpoints", {"name": name, "replay": replay})
    typer.echo(f"{made['name']} is there{', for replays' if made['replay'] else ''}. Next: lockgate ship")


@log_app.command("parity")
def compare_parity(
    endpoint: Annotated[str, typer.Argument(help="The endpoint.")],
    state: State = _STATE,
    last: Annotated[
        str | None, typer.Option(help="How far back from the endpoint's own clock, such as 7d; else all of it.")
    ] = None,
    classes: Annotated[
        list[str] | None, typer.Option("--class", help="transform, data, window or model; repeatable; else all.")
    ] = None,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Derive what was served again, offline, and compare; exit code 1: different, 3: nothing to compare with."""
    from lockgate.cli.comparing import compare_endpoint  # noqa: PLC0415 - a command loads what it needs

    code = compare_endpoint(endpoint, state, last=last, classes=classes or [], as_json=as_json)
    if code:
        raise typer.Exit(code)


@token_app.command("new")
def new_token(
    name: Annotated[str, typer.Argument(help="Who will call; records will name it.")],
    scope: Annotated[list[str], typer.Option(help="predict, outcome, event, read, release or admin; repeatable.")],
    state: State = _STATE,
    expires_at: Annotated[datetime | None, typer.Option(help="When it stops working (UTC).")] = None,
) -> None:
    """Make a token; it is shown once."""
    from datetime import UTC  # noqa: PLC0415 - a command loads what it needs

    from lockgate.cli.client import connect  # noqa: PLC0415 - likewise

    ends = expires_at.replace(tzinfo=expires_at.tzinfo or UTC).isoformat() if expires_at else None
    with connect(state) as client:
        made = client.post("/api/v1/tokens", {"name": name, "scopes": scope, "expires_at": ends})
    typer.echo(made["token"])


def _ask(state: Path, path: str) -> Any:  # noqa: ANN401 - JSON
    from lockgate.cli.client import connect  # noqa: PLC0415 - a command loads what it needs

    with connect(state) as client:
        return client.get(path)


def _print(found: Any, as_json: bool, show: Any) -> None:  # noqa: ANN401, FBT001 - JSON; handed on as given
    if as_json:
        typer.echo(json.dumps(found, indent=2))
    else:
        from lockgate.cli.showing import safe  # noqa: PLC0415 - a command loads what it needs

        show(safe(found))


def main() -> None:
    """Run a command; an error is one readable message on standard error, exit code 1 (refused) or 2 (broken)."""
    try:
        app()
    except LockgateError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2 if isinstance(error, Broken) else 1) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
