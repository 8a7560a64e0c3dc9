"""Commands about packages."""

import enum
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from lockgate.cli.options import STATE, Json, State, ask, show

__all__ = ["package_app"]

package_app = typer.Typer(help="Packages: what is released, and taking it elsewhere.", no_args_is_help=True)


class Form(enum.Enum):
    """How a model card is written."""

    MARKDOWN = "md"
    PAGE = "html"
    MATERIALS = "cyclonedx"


What = Annotated[str, typer.Argument(help="An endpoint (its live release), endpoint@v2, or a digest.")]
_KEY = typer.Option("--key", help="Whose signature counts: a file with a public key (PEM); repeatable.")


@package_app.command("export")
def export_package(
    what: What,
    folder: Annotated[Path, typer.Argument(help="A new or an empty folder.")],
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Write a package to a folder that proves itself: its files, its signed release and its environment."""
    from lockgate.cli import packages  # noqa: PLC0415 - a command loads what it needs
    from lockgate.cli.client import connect  # noqa: PLC0415 - likewise

    with connect(state) as client:
        found = client.post("/api/v1/packages/export", {"what": what, "folder": str(folder.resolve())})
    show(found, as_json, packages.exported)


@package_app.command("verify")
def verify_package(
    folder: Annotated[Path, typer.Argument(help="A folder that was exported.")],
    key: Annotated[list[Path], _KEY],
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Verify an exported package, offline; exit code 1: not signed by such a key, or not whole; 2: changed since."""
    from lockgate.cli import packages  # noqa: PLC0415 - a command loads what it needs

    packages.verify_folder(folder, key, as_json=as_json)


@package_app.command("show")
def show_package(
    what: Annotated[str, typer.Argument(help="An exported folder, an endpoint, endpoint@v2, or a digest.")],
    key: Annotated[list[Path] | None, _KEY] = None,
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Show what a package is asked and answers, and what it is made of."""
    from lockgate.cli import packages  # noqa: PLC0415 - a command loads what it needs

    if Path(what).is_dir():
        packages.show_folder(Path(what), key or [], as_json=as_json)
    else:
        show(ask(state, f"/api/v1/packages/{quote(what, safe='@:')}"), as_json, packages.package)


@package_app.command("diff")
def diff_packages(
    first: What,
    second: What,
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Show how two packages differ: data, code, environment, parameters, metrics, answers to the same rows."""
    from lockgate.cli import differing  # noqa: PLC0415 - a command loads what it needs

    path = f"/api/v1/packages/{quote(first, safe='@:')}/diff/{quote(second, safe='@:')}"
    show(ask(state, path), as_json, differing.beside)


@package_app.command("card")
def write_card(
    what: What,
    form: Annotated[
        Form, typer.Option("--format", help="Markdown, a page, or a CycloneDX 1.6 ML-BOM.")
    ] = Form.MARKDOWN,
    output: Annotated[Path | None, typer.Option(help="Write it to this file.")] = None,
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Write a model card from what is recorded; what was not measured is said to be so."""
    from lockgate.cli.cards.writing import write  # noqa: PLC0415 - a command loads what it needs

    found = ask(state, f"/api/v1/packages/{quote(what, safe='@:')}/card")
    write(found, "json" if as_json else form.value, output)


@package_app.command("import")
def import_package(  # noqa: PLR0913, PLR0917 - each says what a column is for, or what must hold
    path: Annotated[str, typer.Argument(help="A model's file, an MLflow model folder, or script.py:function.")],
    name: Annotated[str, typer.Option(help="The endpoint's name.")],
    example: Annotated[Path, typer.Option(help="Example rows: CSV, Parquet or JSON lines.")],
    key: Annotated[str, typer.Option(help="The column that says what is asked about; else callers send an id.")] = "",
    asked_at: Annotated[str, typer.Option(help="The column that says when; else callers send a time.")] = "",
    outcome: Annotated[
        str, typer.Option(help="The column with what happened; metrics on these rows are evidence.")
    ] = "",
    answers: Annotated[str, typer.Option(help="The column with what the original answered; held to.")] = "",
    columns: Annotated[str, typer.Option(help="The model's columns in order, a,b,c, where it names none.")] = "",
    build: Annotated[str, typer.Option(help="For safetensors: script.py:function that builds the module.")] = "",
    arguments: Annotated[str, typer.Option(help="What that function is given beside torch: a JSON object.")] = "{}",
    floor: Annotated[
        list[str] | None, typer.Option(help="A gate: METRIC=LEAST, such as roc_auc=0.8; repeatable.")
    ] = None,
    ceiling: Annotated[
        list[str] | None, typer.Option(help="A gate: METRIC=MOST, such as log_loss=0.6; repeatable.")
    ] = None,
    min_rows: Annotated[int, typer.Option(help="With fewer rows metrics are not judged.")] = 200,
    gates: Annotated[Path | None, typer.Option(help="A file that declares more gates: gates = [...].")] = None,
    task: Annotated[str, typer.Option(help="binary or regression, where the model does not say.")] = "",
    threshold: Annotated[float, typer.Option(help="From this score on the answer is true.")] = 0.5,
    tolerance: Annotated[float, typer.Option(help="By how much answers may differ from the original's.")] = 1e-9,
    timezone: Annotated[str, typer.Option(help="The zone of times that have none.")] = "",
    final_after: Annotated[str, typer.Option(help="After how long an outcome is final: 90m, 24h, 7d.")] = "24h",
    owner: Annotated[str, typer.Option(help="Who answers for it.")] = "",
    rollout: Annotated[bool, typer.Option(help="Put the release live.")] = True,  # noqa: FBT002 - a flag
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Make a package of a model that was fitted elsewhere, and bring it through its gates to a release."""
    said = locals()
    from lockgate.cli.importing import asked_of  # noqa: PLC0415 - a command loads what it needs
    from lockgate.cli.shipping import import_model  # noqa: PLC0415 - likewise

    import_model(state, asked_of(said), as_json=as_json)


@package_app.command("rebuild")
def rebuild(
    what: What,
    repository: Annotated[Path, typer.Option(help="A repository that has its commit.")] = Path(),
    here: Annotated[bool, typer.Option("--here", help="In this environment instead of a fresh one.")] = False,  # noqa: FBT002 - a flag
    state: State = STATE,
    as_json: Json = False,  # noqa: FBT002 - a flag
) -> None:
    """Make a package again: its commit, the recorded environment, its training set; the same must come out."""
    from lockgate.cli.shipping import rebuild_package  # noqa: PLC0415 - a command loads what it needs

    asked = {"what": what, "repository": str(repository.absolute()), "fresh": not here}
    rebuild_package(state, asked, as_json=as_json)
