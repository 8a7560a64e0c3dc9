"""The commands. Daily verbs at the top, the rest under nouns; `--json` wherever a script would want it."""

import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

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

State = Annotated[Path, typer.Option("--state", envvar="LOCKGATE_STATE", help="The state folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_STATE = Path(".lockgate")


@app.command()
def check(folder: Annotated[Path, typer.Argument(help="The project folder.")] = Path()) -> None:
    """Load a project and report every mistake in it; runs its file, reads no data."""
    from lockgate.cli.checking import check_project  # noqa: PLC0415 - a command loads what it needs

    check_project(folder)


@app.command()
def ship(
    folder: Annotated[Path, typer.Argument(help="The project folder.")] = Path(),
    state: State = _STATE,
    as_of: Annotated[
        datetime | None, typer.Option(help="Use only what was known then (UTC unless it has a zone).")
    ] = None,
    dirty: Annotated[bool, typer.Option("--dirty", help="Ship uncommitted changes; the release is marked.")] = False,  # noqa: FBT002 - a flag
    rollout: Annotated[bool, typer.Option(help="Put the release live.")] = True,  # noqa: FBT002 - a flag
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Walk the line: from the current commit to a release that answers."""
    from lockgate.cli.shipping import ship_project  # noqa: PLC0415 - a command loads what it needs

    ship_project(folder, state, as_of=as_of, dirty=dirty, rollout=rollout, as_json=as_json)


@app.command()
def up(
    state: State = _STATE,
    port: Annotated[int, typer.Option(help="Where endpoints answer.")] = 8440,
    control_port: Annotated[int, typer.Option(help="Where the control plane answers.")] = 8441,
    once: Annotated[bool, typer.Option("--once", help="Stop everything when a process dies.")] = False,  # noqa: FBT002 - a flag
    tether: Annotated[bool, typer.Option("--tether", help="Stop when standard input closes.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Run the control plane and every endpoint, in the foreground."""
    from lockgate.cli.running import run_everything  # noqa: PLC0415 - a command loads what it needs

    run_everything(state, port=port, control_port=control_port, once=once, tether=tether)


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
