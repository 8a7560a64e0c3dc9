"""What the child of an import does: everything that parses what was brought. Files in, files out; it may die."""

import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockgate.engine.bringing.asked import ImportAsked
from lockgate.engine.bringing.declared import blueprint_of, reports_of
from lockgate.features.matrix import localised
from lockgate.kernel.canonical import canonical, digest_of
from lockgate.kernel.errors import Invalid
from lockgate.kernel.folders import replace_file
from lockgate.kernel.memory import peak_memory
from lockgate.packages.brought.files import kind_of_bytes
from lockgate.packages.brought.function import BroughtFunction, open_function
from lockgate.packages.brought.mlflow import MLMODEL, model_file, read_mlmodel
from lockgate.packages.brought.models import OPENERS, Brought
from lockgate.packages.brought.pytorch import open_torch
from lockgate.packages.formats.protocol import Scorer, Stored, Trees
from lockgate.packages.formats.table import format_named
from lockgate.packages.formats.trees import LIBRARY
from lockgate.packages.runtime import CODE, MODEL, REFERENCE, TREES
from lockgate.packages.runtimes import choose
from lockgate.project.blueprint import Blueprint
from lockgate.records.check import CheckReport
from lockgate.records.features import TrainingSet
from lockgate.records.package import Reference
from lockgate.snapshots.take import write_rows
from lockgate.training.example import Example, read_example, take_example

__all__ = ["BroughtIn", "bring_in"]

_QUESTIONS = 64
_ASKED = 1_000


class BroughtIn(msgspec.Struct, kw_only=True):
    """A model that was read; its bytes are in the files of a package, its answers in `reference.json`.

    The example rows are in `test.parquet`; `train.parquet` has none.
    """

    # All that a project would have said.
    blueprint: Blueprint
    training_set: TrainingSet
    # The format it is packed in, who answers, and what was fitted, in words.
    format: str
    runtime: str
    fitted: str
    # What it was brought as, and what it says of itself.
    kind: str
    said: dict[str, str]
    # What the example rows and the matrix look like.
    reports: list[CheckReport]
    # What there is to know of it, in words.
    notes: list[str]
    peak_memory: int


class _Opened(msgspec.Struct, kw_only=True):
    """What was brought, opened: a model or a function."""

    kind: str
    said: dict[str, str] = {}
    # Columns that are declared for it elsewhere than in it.
    declared: tuple[str, ...] = ()
    model: Brought | None = None
    function: BroughtFunction | None = None


def bring_in(_: Path, scratch: Path, arguments: dict[str, Any], __: object) -> BroughtIn:
    """Read what was brought, ask it the example rows, and write what a package is made of."""
    asked = msgspec.convert(arguments["asked"], ImportAsked)
    opened = _open(scratch, asked)
    frame = read_example(scratch / "example" / Path(asked.example).name)
    task = _task(asked, opened, frame)
    example = _example(asked, opened, frame, task)
    stored, form = _stored(opened)
    x = _matrix(example)
    answers = _asked_of_original(opened, example, x)
    library = format_named(form).load(stored, task)
    _check_same(asked, library.score(x), answers, "the packed model", task)
    if (original := example.answers()) is not None:
        _check_same(asked, answers, original, "the model that was brought", task)
        answers = original
    vocabulary = opened.model.vocabulary if opened.model else {}
    trees = _trees(asked, opened, library, x, task)
    files = {MODEL: stored.data, CODE: stored.code, TREES: trees.data if trees else b""}
    files[REFERENCE] = canonical(_reference(asked, x, answers))
    for name, data in files.items():
        replace_file(scratch / name, data)
    training_set = _training_set(example, scratch, vocabulary)
    feature = opened.function.feature if opened.function else None
    gates = scratch / "gates" / Path(asked.gates).name if asked.gates else None
    blueprint = blueprint_of(asked, example, task, vocabulary, feature=feature, gates=gates)
    return BroughtIn(
        blueprint=blueprint,
        training_set=training_set,
        format=form,
        runtime=trees.runtime if trees else LIBRARY,
        fitted=opened.model.fitted if opened.model else f"{_feature_name(opened)} (a function)",
        kind=opened.kind,
        said=opened.said,
        reports=reports_of(blueprint, example, training_set),
        notes=_notes(opened, example),
        peak_memory=peak_memory(),
    )


def _open(scratch: Path, asked: ImportAsked) -> _Opened:
    folder = scratch / "model"
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    if asked.function:
        (script,) = files.values()
        return _Opened(kind="function", function=open_function(script, asked.function, str(asked.place.parent)))
    if MLMODEL in files:
        said = read_mlmodel(files[MLMODEL].read_bytes())
        data = model_file(files, said.path).read_bytes()
        kind = said.flavour if said.flavour != "sklearn" else "skops"
        kind_of_bytes(said.path, data)  # refuses a pickle, whatever the flavour calls it
        opened = OPENERS[kind](data, asked.task)
        return _Opened(kind=f"mlflow/{said.flavour}", said=said.said, declared=said.columns, model=opened)
    ((name, path),) = files.items()
    data = path.read_bytes()
    kind = kind_of_bytes(name, data)
    if kind == "safetensors":
        return _Opened(kind=kind, model=_module(scratch, asked, data))
    return _Opened(kind=kind, model=OPENERS[kind](data, asked.task))


def _module(scratch: Path, asked: ImportAsked, data: bytes) -> Brought:
    script, function = asked.builder
    if not function:
        expected = "--build script.py:function, which is given torch and builds it"
        raise Invalid("These are weights, and nobody says of which module", expected=expected, found="no --build")
    return open_torch(data, scratch / "build" / script.name, function, asked.arguments, str(script.parent))


def _task(asked: ImportAsked, opened: _Opened, frame: pl.DataFrame) -> str:
    """Give the task: as the model has it; of a function, as its outcomes are."""
    said = opened.model.task if opened.model else ""
    if asked.task and said and asked.task != said:
        raise Invalid("This model is one for another task", expected=asked.task, found=said)
    if asked.task or said:
        return asked.task or said
    outcome = asked.roles.outcome
    if opened.function is not None and opened.function.feature.returns.value == "bool":
        return "binary"
    if outcome in frame.columns:
        return "binary" if frame.schema[outcome] == pl.Boolean else "regression"
    raise Invalid(
        "Nobody says what this model foresees", expected="--task binary or --task regression", found="neither"
    )


def _example(asked: ImportAsked, opened: _Opened, frame: pl.DataFrame, task: str) -> Example:
    if opened.function is not None:
        return take_example(
            frame,
            asked.roles,
            task=task,
            columns=list(opened.function.parameters),
            vocabulary={},
            feature=opened.function.feature,
            kinds=opened.function.parameters,
        )
    assert opened.model is not None  # noqa: S101 - it is one or the other
    columns = _columns(asked, opened.model, opened.declared, frame)
    return take_example(frame, asked.roles, task=task, columns=columns, vocabulary=opened.model.vocabulary)


def _columns(asked: ImportAsked, model: Brought, declared: tuple[str, ...], frame: pl.DataFrame) -> list[str]:
    """Give the columns that the model sees, in order: as said, as it names them, else what the rows have left."""
    named = asked.columns or model.names or declared
    if not named:
        named = tuple(name for name in frame.columns if name not in asked.roles.named())
    if model.width is not None and len(named) != model.width:
        raise Invalid(
            "The model takes another number of columns than there are",
            expected=f"{model.width} columns",
            found=f"{len(named)}: {', '.join(named[:20])}",
            way_out="Say which, in the model's order: --columns a,b,c.",
        )
    # LightGBM writes names without their spaces.
    spaced = {name.replace(" ", "_"): name for name in frame.columns}
    return [name if name in frame.columns else spaced.get(name, name) for name in named]


def _stored(opened: _Opened) -> tuple[Stored, str]:
    if opened.function is not None:
        return opened.function.stored, "python/1"
    assert opened.model is not None  # noqa: S101 - it is one or the other
    return opened.model.stored, opened.model.format


def _trees(asked: ImportAsked, opened: _Opened, library: Scorer, x: NDArray[np.float64], task: str) -> Trees | None:
    """Give what a faster runtime answers by, if there is one that agrees with the library."""
    if opened.model is None or opened.model.model is None:
        return None
    trees = format_named(opened.model.format).trees(opened.model.model)
    names = list(opened.model.names)
    sizes = {names.index(name): len(values) for name, values in opened.model.vocabulary.items()}
    return choose(library, trees, x[:: max(1, len(x) // _ASKED)], sizes, asked.threshold if task == "binary" else None)


def _matrix(example: Example) -> NDArray[np.float64]:
    columns = [f"@{column.name}" for column in example.features.columns]
    return example.rows.select(columns).to_numpy().astype(np.float64, order="C")


def _asked_of_original(opened: _Opened, example: Example, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ask the original itself: the library's own object, or the function with the values as they are."""
    try:
        if opened.model is not None:
            answers = opened.model.ask(x)
        else:
            assert opened.function is not None  # noqa: S101 - it is one or the other
            call = opened.function.call
            rows = localised(example.rows, example.request, example.features).select(list(opened.function.parameters))
            answers = np.array([float(call(*row)) for row in rows.iter_rows()], dtype=np.float64)
    except Exception as error:  # the library, or the user's function, raises what it likes
        expected = "an answer to every example row"
        found = f"{type(error).__name__}: {error}"
        raise Invalid("What was brought can't be asked these rows", expected=expected, found=found) from error
    if answers.shape != (len(x),) or not np.isfinite(answers).all():
        expected = f"{len(x)} finite numbers"
        raise Invalid("What was brought gives other answers than it must", expected=expected, found=f"{answers.shape}")
    return answers


def _check_same(
    asked: ImportAsked, answers: NDArray[np.float64], expected: NDArray[np.float64], whose: str, task: str
) -> None:
    """Refuse answers that are not the original's.

    Raises:
        Invalid: with how many rows differ, by how much at most, and how many decisions that turns.
    """
    apart = np.abs(answers - expected)
    apart[np.isnan(apart)] = math.inf
    if (apart <= asked.tolerance).all():
        return
    turned = int(((answers >= asked.threshold) != (expected >= asked.threshold)).sum()) if task == "binary" else 0
    decisions = f"; {turned:,} decisions turn" if task == "binary" else ""
    count = f"{int((apart > asked.tolerance).sum()):,} of {len(apart):,} rows differ"
    raise Invalid(
        f"The answers of {whose} are not those of the original",
        expected=f"differences up to {asked.tolerance:g}",
        found=f"{count}, by {apart.max():.3g} at most{decisions}",
        way_out="Bring the original itself, in its own library's format; a conversion may round otherwise.",
    )


def _reference(asked: ImportAsked, x: NDArray[np.float64], answers: NDArray[np.float64]) -> Reference:
    chosen = np.unique(np.linspace(0, len(x) - 1, _QUESTIONS).astype(int))
    return Reference(
        x=tuple(tuple(None if math.isnan(value) else float(value) for value in row) for row in x[chosen]),
        scores=tuple(float(score) for score in answers[chosen]),
        tolerance=asked.tolerance,
    )


def _training_set(example: Example, scratch: Path, vocabulary: dict[str, tuple[str, ...]]) -> TrainingSet:
    asked_at = example.rows[example.request.asked_at]
    first, last = asked_at.min(), asked_at.max()
    return TrainingSet(
        snapshots={},
        features=digest_of(example.features),
        outcome=digest_of(example.outcome),
        known_until=last,  # type: ignore[arg-type] # of a column of times
        test_from=first,  # type: ignore[arg-type] # likewise
        first_asked=first,  # type: ignore[arg-type] # likewise
        last_asked=last,  # type: ignore[arg-type] # likewise
        train_rows=0,
        test_rows=example.rows.height,
        left_out={"without an outcome": example.without_outcome} if example.without_outcome else {},
        train_files=(write_rows(example.rows.clear(), scratch / "train.parquet"),),
        test_files=(write_rows(example.rows, scratch / "test.parquet"),),
        vocabulary=vocabulary,
    )


def _notes(opened: _Opened, example: Example) -> list[str]:
    notes = list(opened.model.notes) if opened.model else []
    if example.left_out:
        notes.append(f"not asked for: {', '.join(example.left_out)}")
    return notes


def _feature_name(opened: _Opened) -> str:
    return opened.function.feature.name if opened.function else ""
