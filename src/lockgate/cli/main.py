"""The commands. Daily verbs at the top, the rest under nouns; `--json` wherever a script would want it."""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from lockgate.cli.groups.check import check_app
from lockgate.cli.groups.endpoint import endpoint_app
from lockgate.cli.groups.feature import feature_app
from lockgate.cli.groups.gc import gc
from lockgate.cli.groups.key import key_app
from lockgate.cli.groups.log import log_app
from lockgate.cli.groups.package import package_app
from lockgate.cli.groups.runs import runs_app
from lockgate.cli.groups.snapshot import snapshot_app
from lockgate.cli.groups.token import token_app
from lockgate.cli.groups.waive import waive
from lockgate.cli.options import MOMENTS, STATE, Anew, Json, State, ask, show
from lockgate.cli.printable import printable
from lockgate.kernel.errors import Broken, LockgateError

__all__ = ["app", "main"]

app = typer.Typer(
    name="lockgate",
    help="From a commit to verified live answers, and keeping them right.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(endpoint_app, name="endpoint")
app.add_typer(log_app, name="log")
app.add_typer(token_app, name="token")
app.add_typer(key_app, name="key")
app.add_typer(feature_app, name="feature")
app.add_typer(snapshot_app, name="snapshot")
app.add_typer(package_app, name="package")
app.add_typer(check_app, name="check")
app.add_typer(runs_app, name="runs")

Ledger = Annotated[
    str, typer.Option(help="Where the ledger is: sqlite:///PATH or postgresql://USER@HOST/DATABASE; remembered.")
]
Blobs = Annotated[str, typer.Option(help="Where the blobs are: file:///PATH or s3://BUCKET/PREFIX; remembered.")]
Store = Annotated[
    str, typer.Option(help="Where the online store is: sqlite:///PATH or valkey://HOST:PORT/DB; remembered.")
]


@app.command()
def ship(  # noqa: PLR0913, PLR0917 - each says how a walk is to be
    folder: Annotated[Path, typer.Argument(help="The project folder.")] = Path(),
    state: State = STATE,
    as_of: Annotated[
        datetime | None, typer.Option(help="Use only what was known then (UTC unless it has a zone).")
    ] = None,
    dirty: Annotated[bool, typer.Option("--dirty", help="Ship uncommitted changes; the release is marked.")] = False,  # noqa: FBT002 - a flag
    rollout: Annotated[bool, typer.Option(help="Put the release live.")] = True,  # noqa: FBT002 - a flag
    anew: Anew = None,
    lineage_to: Annotated[
        str, typer.Option("--lineage", help="Send OpenLineage events there: file:PATH, or an endpoint's URL.")
    ] = "",
    walk: Annotated[
        str, typer.Option(help="Go on with a walk that was stopped: with its folder, data and options.")
    ] = "",
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Walk the line: from the current commit to a release that answers."""
    from lockgate.cli.shipping import go_on, ship_project  # noqa: PLC0415 - a command loads what it needs

    if walk:
        if as_of or dirty or anew or lineage_to:
            msg = "--walk takes data and options from that walk; only --no-rollout goes with it"
            raise typer.BadParameter(msg)
        go_on(state, walk, rollout=rollout, as_json=as_json)
        return
    asked = {"as_of": as_of, "dirty": dirty, "rollout": rollout, "anew": anew or [], "lineage": lineage_to}
    ship_project(folder, state, asked, as_json=as_json)


app.command()(waive)
app.command()(gc)


@app.command()
def up(
    state: State = STATE,
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
    state: State = STATE,
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
    state: State = STATE,
    at: Annotated[
        datetime | None,
        typer.Option(formats=MOMENTS, help="What was live at that moment (UTC unless it has a zone), and why."),
    ] = None,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Show what is live, what was, how walks ended and what is running."""
    from lockgate.cli import showing, standing  # noqa: PLC0415 - a command loads what it needs

    if at is not None:
        if endpoint is None:
            msg = "--at is about one endpoint; name it"
            raise typer.BadParameter(msg)
        moment = quote(at.replace(tzinfo=at.tzinfo or UTC).isoformat(), safe="")
        show(ask(state, f"/api/v1/endpoints/{endpoint}/plan?at={moment}"), as_json, standing.standing)
        return
    path = "/api/v1/overview" if endpoint is None else f"/api/v1/endpoints/{endpoint}"
    found = ask(state, path)
    show(found, as_json, showing.overview if endpoint is None else showing.endpoint)


@app.command()
def metrics(
    endpoint: Annotated[str, typer.Argument(help="The endpoint.")],
    state: State = STATE,
    metric: Annotated[str | None, typer.Option(help="Another metric than the first.")] = None,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Show daily metrics of matured cohorts, the naive figure beside them."""
    from lockgate.cli import showing  # noqa: PLC0415 - a command loads what it needs

    found = ask(state, f"/api/v1/endpoints/{endpoint}/metrics")
    show(found, as_json, lambda value: showing.metrics(value, metric))


@app.command()
def rollback(
    endpoint: Annotated[str, typer.Argument(help="The endpoint.")],
    reason: Annotated[str, typer.Option(help="Why; kept with the plan.")],
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Put the previous release back; it is loaded already."""
    from lockgate.cli import showing  # noqa: PLC0415 - a command loads what it needs
    from lockgate.cli.client import connect  # noqa: PLC0415 - likewise

    with connect(state) as client:
        done = client.post(f"/api/v1/endpoints/{endpoint}/rollback", {"reason": reason})
    show(done, as_json, showing.rolled_back)


@app.command()
def explain(
    prediction: Annotated[str, typer.Argument(help="The id that came with the answer.")],
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Explain a prediction: from its id to the commit, the rows and the evidence behind it."""
    from lockgate.cli import showing  # noqa: PLC0415 - a command loads what it needs

    show(ask(state, f"/api/v1/predictions/{prediction}"), as_json, showing.explanation)


@app.command()
def lineage(
    what: Annotated[
        str, typer.Argument(help="A project (its live release), project@v2, a release's digest, or a prediction's id.")
    ],
    state: State = STATE,
    column: Annotated[str | None, typer.Option(help="One column of the model, or the outcome.")] = None,
    svg: Annotated[Path | None, typer.Option(help="Draw it into this file.")] = None,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Show where every column of a model comes from, back to snapshots and commit."""
    from lockgate.cli.ancestry import show_lineage  # noqa: PLC0415 - a command loads what it needs

    asked = f"?column={quote(column, safe='')}" if column else ""
    found = ask(state, f"/api/v1/lineage/{quote(what, safe='@:')}{asked}")
    if svg is not None:
        from lockgate.cli.drawing import draw  # noqa: PLC0415 - likewise

        svg.write_text(draw(found), encoding="utf-8")
    show(found, as_json, show_lineage)


def main() -> None:
    """Run a command; an error is one readable message on standard error, exit code 1 (refused) or 2 (broken)."""
    try:
        app()
    except LockgateError as error:
        sys.stderr.write(f"{printable(str(error))}\n")
        raise SystemExit(2 if isinstance(error, Broken) else 1) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
