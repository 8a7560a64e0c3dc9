"""Calls the user's fitting function on a training set and turns what it gives into bytes."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import numpy as np
import polars as pl

from lockgate.declare.fitting import Fitted, TrainingSet
from lockgate.kernel.errors import Failed, Invalid
from lockgate.packages.formats import FORMATS
from lockgate.records.features import FeatureSet, FieldKind
from lockgate.records.package import Reference
from lockgate.records.training import ModelSpec
from lockgate.training.assemble import OUTCOME

__all__ = ["FitResult", "fit", "matrix"]

_QUESTIONS = 64
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class FitResult:
    """A fitted model as bytes, and what is known of it."""

    format: str
    model: bytes
    reference: Reference
    fitted: str
    logged: dict[str, float]
    seconds: float


def fit(
    spec: ModelSpec, features: FeatureSet, function: Callable[..., Any], train: pl.DataFrame, tested: pl.DataFrame
) -> FitResult:
    """Fit.

    Args:
        spec: the model as declared, with the parameters to use.
        features: the feature set.
        function: the user's.
        train: the rows to learn from.
        tested: the test rows; some become reference questions, their outcomes are not looked at.

    Raises:
        Failed: the function raised.
        Invalid: it gave something that can't be packed, or can't be asked.
    """
    training = TrainingSet(
        x=matrix(train, features),
        y=train[OUTCOME].to_numpy().copy(),
        columns=tuple(column.name for column in features.columns),
        categorical=tuple(column.type is FieldKind.CATEGORY for column in features.columns),
    )
    began = time.perf_counter()
    try:
        given = function(training, dict(spec.parameters))
    except (Exception, SystemExit) as error:
        msg = f"The fitting function {spec.name} failed"
        raise Failed(
            msg, found=f"{type(error).__name__}: {error}", way_out="Its output is kept with the walk."
        ) from error
    seconds = time.perf_counter() - began
    form = _format_of(spec, given)
    return FitResult(
        format=form,
        model=_packed(form, given.model),
        reference=_reference(given, spec, matrix(tested, features)),
        fitted=_described(given.model),
        logged=_logged(given),
        seconds=seconds,
    )


def matrix(frame: pl.DataFrame, features: FeatureSet) -> Any:  # noqa: ANN401 - NDArray[np.float64]; Polars types it loosely
    """Give the matrix of a training set's rows, (rows, columns)."""
    return frame.select(f"@{column.name}" for column in features.columns).to_numpy().astype(np.float64, order="C")


def _format_of(spec: ModelSpec, given: Any) -> str:  # noqa: ANN401 - whatever the user returned
    if not isinstance(given, Fitted):
        msg = f"The fitting function {spec.name} gave no fitted model"
        raise Invalid(msg, expected="lockgate.fitted(model)", found=type(given).__name__)
    for name, form in FORMATS.items():
        if form.takes(given.model):
            return name
    msg = f"There is no safe way to store a {type(given.model).__module__}.{type(given.model).__name__}"
    raise Invalid(msg, expected="a scikit-learn estimator or pipeline", found=type(given.model).__name__)


def _reference(given: Fitted, spec: ModelSpec, x: Any) -> Reference:  # noqa: ANN401 - NDArray[np.float64]
    """Put questions to the object itself, before it is packed; what the package answers must be the same."""
    chosen = x[np.unique(np.linspace(0, len(x) - 1, _QUESTIONS).astype(int))]
    ask, shape = ("predict_proba", (len(chosen), 2)) if spec.task == "binary" else ("predict", (len(chosen),))
    expected = f"{ask} to give {' by '.join(map(str, shape))} finite numbers"
    try:
        answers = np.asarray(getattr(given.model, ask)(chosen), dtype=np.float64)
    except Exception as error:
        msg = f"The model that {spec.name} fitted can't be asked"
        raise Invalid(msg, expected=expected, found=f"{type(error).__name__}: {error}") from error
    if answers.shape != shape or not np.isfinite(answers).all():
        msg = f"The model that {spec.name} fitted gives other answers than it must"
        found = " by ".join(map(str, answers.shape)) if answers.shape != shape else "numbers that are not finite"
        raise Invalid(msg, expected=expected, found=found)
    scores = answers[:, 1] if spec.task == "binary" else answers
    return Reference(
        x=tuple(tuple(None if math.isnan(value) else float(value) for value in row) for row in chosen),
        scores=tuple(float(score) for score in scores),
        tolerance=_TOLERANCE,
    )


def _packed(form: str, model: Any) -> bytes:  # noqa: ANN401 - what the format took
    try:
        return FORMATS[form].dump(model)
    except Exception as error:
        msg = f"This {type(model).__name__} can't be stored"
        raise Invalid(msg, expected="a model of plain parts", found=f"{type(error).__name__}: {error}") from error


def _logged(given: Fitted) -> dict[str, float]:
    """Give the numbers that were logged; JSON has no NaN and no infinity, so those are left out."""
    for name, value in given.logged.items():
        if not isinstance(value, int | float | np.number):
            msg = f"{name} is no number to log"
            raise Invalid(msg, expected=f"lockgate.fitted(model, {name}=<number>)", found=repr(value)[:80])
    return {name: float(value) for name, value in given.logged.items() if math.isfinite(value)}


def _described(model: Any) -> str:  # noqa: ANN401 - any estimator
    module = type(model).__module__.partition(".")[0]
    names = {"sklearn": "scikit-learn"}
    return f"{type(model).__name__} ({names.get(module, module)} {metadata.version(names.get(module, module))})"
