"""Calls the user's fitting function on a training set and turns what it gives into bytes."""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np
import polars as pl

from lockgate.declare.fitting import Fitted, TorchModel, TrainingSet
from lockgate.declare.run import Run
from lockgate.kernel.errors import Failed, Invalid, LockgateError
from lockgate.packages.formats.protocol import Format, Stored, Trees
from lockgate.packages.formats.table import FORMATS, format_for
from lockgate.packages.formats.trees import LIBRARY
from lockgate.packages.runtimes import AUTO, choose
from lockgate.records.features import FeatureSet, FieldKind
from lockgate.records.package import Reference
from lockgate.records.training import ModelSpec
from lockgate.training.assemble import OUTCOME

__all__ = ["FitResult", "fit", "matrix"]

_QUESTIONS = 64
_ASKED = 1_000
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class FitResult:
    """A fitted model as bytes, and what is known of it."""

    format: str
    model: Stored
    runtime: str
    trees: bytes
    reference: Reference
    fitted: str
    seconds: float


def fit(
    spec: ModelSpec,
    features: FeatureSet,
    function: Callable[..., Any],
    train: pl.DataFrame,
    tested: pl.DataFrame,
    run: Run | None = None,
) -> FitResult:
    """Fit.

    Args:
        spec: the model as declared, with the parameters to use.
        features: the feature set.
        function: the user's.
        train: the rows to learn from.
        tested: the test rows; some become reference questions, their outcomes are not looked at.
        run: what the function tells of itself goes there; in memory if left out.

    Raises:
        Failed: the function raised.
        Invalid: it gave something that can't be packed, or can't be asked.
        Refused: it logged what a run does not take.
    """
    run = run or Run()
    training = TrainingSet(
        x=matrix(train, features),
        y=train[OUTCOME].to_numpy().copy(),
        columns=tuple(column.name for column in features.columns),
        categorical=tuple(column.type is FieldKind.CATEGORY for column in features.columns),
        run=run,
    )
    began = time.perf_counter()
    try:
        given = function(training, spec.given())
    except LockgateError:
        raise
    except (Exception, SystemExit) as error:
        msg = f"The fitting function {spec.name} failed"
        raise Failed(
            msg, found=f"{type(error).__name__}: {error}", way_out="Its output is kept with the walk."
        ) from error
    seconds = time.perf_counter() - began
    name = _format_of(spec, given)
    run.log(given.logged)
    form, x = FORMATS[name], matrix(tested, features)
    stored = _packed(form, given.model)
    trees = _trees(spec, form, given.model, stored, training, x)
    return FitResult(
        format=name,
        model=stored,
        runtime=trees.runtime if trees else LIBRARY,
        trees=trees.data if trees else b"",
        reference=_reference(form, given, spec, x),
        fitted=_described(given.model),
        seconds=seconds,
    )


def matrix(frame: pl.DataFrame, features: FeatureSet) -> Any:  # noqa: ANN401 - NDArray[np.float64]; Polars types it loosely
    """Give the matrix of a training set's rows, (rows, columns)."""
    return frame.select(f"@{column.name}" for column in features.columns).to_numpy().astype(np.float64, order="C")


def _format_of(spec: ModelSpec, given: Any) -> str:  # noqa: ANN401 - whatever the user returned
    if not isinstance(given, Fitted):
        msg = f"The fitting function {spec.name} gave no fitted model"
        raise Invalid(msg, expected="lockgate.fitted(model)", found=type(given).__name__)
    return format_for(given.model)


def _reference(form: Format, given: Fitted, spec: ModelSpec, x: Any) -> Reference:  # noqa: ANN401 - NDArray[np.float64]
    """Put questions to the object itself, before it is packed; what the package answers must be the same."""
    chosen = x[np.unique(np.linspace(0, len(x) - 1, _QUESTIONS).astype(int))]
    expected = f"{len(chosen)} finite numbers"
    try:
        scores = form.scorer(given.model, spec.task).score(chosen)
    except LockgateError:
        raise
    except Exception as error:
        msg = f"The model that {spec.name} fitted can't be asked"
        raise Invalid(msg, expected=expected, found=f"{type(error).__name__}: {error}") from error
    if scores.shape != (len(chosen),) or not np.isfinite(scores).all():
        msg = f"The model that {spec.name} fitted gives other answers than it must"
        found = f"shape {scores.shape}" if scores.shape != (len(chosen),) else "numbers that are not finite"
        raise Invalid(msg, expected=expected, found=found)
    return Reference(
        x=tuple(tuple(None if math.isnan(value) else float(value) for value in row) for row in chosen),
        scores=tuple(float(score) for score in scores),
        tolerance=_TOLERANCE,
    )


def _packed(form: Format, model: Any) -> Stored:  # noqa: ANN401 - what the format took
    try:
        return form.dump(model)
    except LockgateError:
        raise
    except Exception as error:
        msg = f"This {type(model).__name__} can't be stored"
        raise Invalid(msg, expected="a model of plain parts", found=f"{type(error).__name__}: {error}") from error


def _trees(
    spec: ModelSpec,
    form: Format,
    model: Any,  # noqa: ANN401 - what the format took
    stored: Stored,
    training: TrainingSet,
    x: Any,  # noqa: ANN401 - NDArray[np.float64]
) -> Trees | None:
    """Give what a faster runtime answers by; None where the library is to answer."""
    trees = None if spec.runtime == LIBRARY else form.trees(model)
    if spec.runtime == AUTO:
        library = form.load(stored, spec.task)
        threshold = spec.threshold if spec.task == "binary" else None
        return choose(library, trees, x[:: max(1, len(x) // _ASKED)], _sizes(training), threshold)
    if spec.runtime != LIBRARY and trees is None:
        msg = f"{spec.runtime} can't answer for a {type(model).__name__}"
        raise Invalid(
            msg,
            expected="trees of scikit-learn, LightGBM or XGBoost, and treelite",
            found=type(model).__name__,
            way_out="Leave runtime out: what answers fastest and the same is found.",
        )
    return trees


def _sizes(training: TrainingSet) -> dict[int, int]:
    """Give the size of the vocabulary of each category column; every code of it is in a row."""
    found = {}
    for column in np.flatnonzero(training.categorical):
        codes = training.x[:, column]
        found[int(column)] = int(np.nanmax(codes)) + 1 if (~np.isnan(codes)).any() else 0
    return found


def _described(model: Any) -> str:  # noqa: ANN401 - what a format took
    if isinstance(model, FunctionType):
        return f"{model.__name__} (a function)"
    library, shown = (
        ("torch", model.module) if isinstance(model, TorchModel) else (type(model).__module__.partition(".")[0], model)
    )
    name = {"sklearn": "scikit-learn"}.get(library, library)
    return f"{type(shown).__name__} ({name} {sys.modules[library].__version__})"
