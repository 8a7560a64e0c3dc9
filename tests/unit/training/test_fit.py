"""The user's function is called on the training rows; what it gives is packed, or refused with the reason."""

import hashlib
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
from msgspec.structs import replace
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline

import lockgate as lg
from lockgate.kernel.canonical import canonical, parse
from lockgate.kernel.errors import Failed, Invalid, LockgateError
from lockgate.kernel.numbers import whole_floats
from lockgate.packages.formats.table import FORMATS
from lockgate.records.package import Reference
from lockgate.records.training import ModelSpec
from lockgate.training.assemble import OUTCOME
from lockgate.training.fit import FitResult, fit, matrix
from tests.making.projects import blueprint, bound
from tests.making.trained import assembled, fitted, fitting_function

ROOT = Path(__file__).parents[3]

DIGEST = """
import hashlib
from tests.making.trained import fitted
print(hashlib.sha256(fitted().model.data).hexdigest())
"""

Function = Callable[[lg.TrainingSet, Mapping[str, Any]], Any]


def run(
    function: Function, task: str = "binary", train: pl.DataFrame | None = None, told: lg.Run | None = None
) -> FitResult:
    spec = replace(blueprint().model, task=task)
    _, rows, tested = assembled()
    return fit(spec, bound(), function, rows if train is None else train, tested, told)


def logistic(training: lg.TrainingSet) -> Any:  # noqa: ANN401 - scikit-learn publishes no types
    model = make_pipeline(SimpleImputer(keep_empty_features=True), LogisticRegression())
    return model.fit(training.x, training.y)


def test_the_function_sees_the_training_rows_in_the_order_of_features() -> None:
    seen: list[lg.TrainingSet] = []

    def look(training: lg.TrainingSet, parameters: Mapping[str, Any]) -> lg.Fitted:
        assert parameters == {"strength": 1.5}
        seen.append(training)
        return lg.fitted(logistic(training))

    run(look)
    (training,) = seen
    _, train, _ = assembled()

    assert training.columns == tuple(column.name for column in bound().columns)
    assert training.categorical == (True, False, False, False, False, False, False, True)
    assert training.x.shape == (train.height, len(training.columns))
    assert training.x.dtype == training.y.dtype == np.float64
    assert training.y.tolist() == train[OUTCOME].to_list()
    assert np.array_equal(training.x[:, 1], train["weight"].to_numpy())


def test_the_function_may_change_what_it_was_given() -> None:
    """It gets copies: neither the rows nor the declared parameters are its to spoil."""

    def spoil(training: lg.TrainingSet, parameters: Any) -> lg.Fitted:  # noqa: ANN401 - it writes where it should not
        model = logistic(training)
        training.x[:] = -1
        training.y[:] = -1
        parameters["strength"] = -1
        return lg.fitted(model)

    _, train, tested = assembled()
    before = matrix(train, bound()), train[OUTCOME].to_list(), matrix(tested, bound())
    run(spoil)

    assert np.array_equal(matrix(train, bound()), before[0], equal_nan=True)
    assert train[OUTCOME].to_list() == before[1]
    assert np.array_equal(matrix(tested, bound()), before[2], equal_nan=True)
    assert blueprint().model.parameters == {"strength": 1.5}


def test_the_packed_model_gives_the_reference_answers() -> None:
    found = fitted()
    _, _, tested = assembled()
    scores = FORMATS[found.format].load(found.model, "binary").score(matrix(tested, bound()))
    by_row = {
        canonical(tuple(None if np.isnan(v) else v for v in row)): score
        for row, score in zip(matrix(tested, bound()).tolist(), scores.tolist(), strict=True)
    }

    assert len(found.reference.x) == len(found.reference.scores) == min(64, tested.height)
    assert [by_row[canonical(row)] for row in found.reference.x] == list(found.reference.scores)
    assert parse(canonical(found.reference), Reference) == found.reference


def test_what_was_fitted_is_told() -> None:
    found = fitted()

    assert found.fitted.startswith("HistGradientBoostingClassifier (scikit-learn ")
    assert found.seconds > 0


def test_what_the_function_logs_and_hands_over_is_in_its_run() -> None:
    def tells(training: lg.TrainingSet, _: Mapping[str, Any]) -> lg.Fitted:
        training.run.log(loss=0.5)
        training.run.log(loss=0.25)
        return lg.fitted(logistic(training), loss=0.2, share=float(training.y.mean()))

    told = lg.Run()
    run(tells, told=told)

    assert [(point.step, point.value) for point in told.metrics["loss"]] == [(0, 0.5), (1, 0.25), (2, 0.2)]
    assert told.metrics["share"][0].value == pytest.approx(assembled()[1][OUTCOME].mean())


def test_what_a_run_does_not_take_is_refused_in_its_own_words() -> None:
    def tells(training: lg.TrainingSet, _: Mapping[str, Any]) -> lg.Fitted:
        training.run.tag(folds=cast("Any", 5))
        return lg.fitted(logistic(training))

    with pytest.raises(Invalid, match="The tag folds is no text"):
        run(tells)


def test_a_float_that_is_whole_reaches_the_function_as_a_float() -> None:
    seen: list[Mapping[str, Any]] = []

    def look(training: lg.TrainingSet, parameters: Mapping[str, Any]) -> lg.Fitted:
        seen.append(parameters)
        return lg.fitted(logistic(training))

    declared = {"rate": 1.0, "trees": 100, "early": True, "bins": None, "steps": [2.0, 0.5]}
    spec = replace(blueprint().model, parameters=declared, whole_floats=whole_floats(declared))
    fit(parse(canonical(spec), ModelSpec), bound(), look, *assembled()[1:])

    assert [(name, value, type(value)) for name, value in seen[0].items()] == [
        (name, value, type(value)) for name, value in sorted(declared.items())
    ]
    assert [type(step) for step in seen[0]["steps"]] == [float, float]


def test_the_same_inputs_give_the_same_bytes_in_two_processes() -> None:
    found = subprocess.run(
        [sys.executable, "-c", DIGEST],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "1"},
        capture_output=True,
        check=True,
        text=True,
    ).stdout.strip()

    assert found == hashlib.sha256(fitted().model.data).hexdigest()


def test_fitting_twice_in_one_process_gives_the_same_bytes() -> None:
    _, train, tested = assembled()
    again = fit(blueprint().model, bound(), fitting_function(), train, tested)

    assert (again.model, again.reference) == (fitted().model, fitted().reference)


class Stranger:
    """A model that no library of ours knows."""

    def predict(self, x: np.ndarray) -> np.ndarray:
        return x


class Posing(LogisticRegression):  # type: ignore[misc]  # scikit-learn publishes no types
    """A class of a user's."""


def raising(_: lg.TrainingSet, __: Mapping[str, Any]) -> Any:  # noqa: ANN401 - it gives nothing
    msg = "no such column: wieght"
    raise KeyError(msg)


WRONG: dict[str, tuple[Function, str, type[LockgateError], str]] = {
    "it raises": (raising, "binary", Failed, "KeyError: 'no such column: wieght'"),
    "it exits": (lambda _, __: sys.exit(3), "binary", Failed, "SystemExit: 3"),
    "it gives nothing": (lambda _, __: None, "binary", Invalid, "NoneType"),
    "it gives the model itself": (lambda training, _: logistic(training), "binary", Invalid, "Pipeline"),
    "it gives a class": (lambda _, __: lg.fitted(LogisticRegression), "binary", Invalid, "type"),
    "it gives a model of a stranger": (lambda _, __: lg.fitted(Stranger()), "binary", Invalid, "Stranger"),
    "it gives a model of the user's own class": (
        lambda training, _: lg.fitted(Posing().fit(np.nan_to_num(training.x), training.y)),
        "binary",
        Invalid,
        "Posing",
    ),
    "it gives pickled bytes": (
        lambda training, _: lg.fitted(pickle.dumps(logistic(training))),
        "binary",
        Invalid,
        "bytes",
    ),
    "it gives a model that was not fitted": (
        lambda _, __: lg.fitted(LogisticRegression()),
        "binary",
        LockgateError,
        "NotFittedError",
    ),
    "it gives a regressor where an answer is true or false": (
        lambda training, _: lg.fitted(HistGradientBoostingRegressor(max_iter=2).fit(training.x, training.y)),
        "binary",
        Invalid,
        "predict_proba",
    ),
    "it gives a classifier that knows one answer": (
        lambda training, _: lg.fitted(DummyClassifier().fit(training.x, np.zeros(len(training.y)))),
        "binary",
        Invalid,
        "by 2 numbers",
    ),
    "it gives a classifier that knows three answers": (
        lambda training, _: lg.fitted(
            DummyClassifier(strategy="prior").fit(training.x, np.arange(len(training.y)) % 3)
        ),
        "binary",
        Invalid,
        "by 2 numbers",
    ),
    "it logs text": (lambda training, _: lg.fitted(logistic(training), note="good"), "binary", Invalid, "good"),  # type: ignore[arg-type]  # that is what fails
}


@pytest.mark.parametrize("what", WRONG)
def test_what_can_not_be_packed_is_refused_with_the_reason(what: str) -> None:
    function, task, kind, found = WRONG[what]
    with pytest.raises(kind) as refused:
        run(function, task)

    assert found in f"{refused.value}"


def test_a_model_that_answers_no_number_is_refused() -> None:
    def huge(training: lg.TrainingSet, _: Mapping[str, Any]) -> lg.Fitted:
        model = LinearRegression().fit(np.nan_to_num(training.x), training.y)
        model.coef_[:] = np.inf
        return lg.fitted(make_pipeline(SimpleImputer(keep_empty_features=True).fit(training.x), model))

    with pytest.raises(LockgateError):
        run(huge, "regression")


def test_a_regression_is_asked_for_numbers() -> None:
    def line(training: lg.TrainingSet, _: Mapping[str, Any]) -> lg.Fitted:
        model = make_pipeline(SimpleImputer(keep_empty_features=True), LinearRegression())
        return lg.fitted(model.fit(training.x, 100 * training.y))

    assert max(run(line, "regression").reference.scores) > 1


def test_numbers_that_json_does_not_have_are_logged_as_they_are() -> None:
    told = lg.Run()
    run(lambda training, _: lg.fitted(logistic(training), bad=float("nan"), worse=float("inf")), told=told)

    assert np.isnan(told.metrics["bad"][0].value)
    assert told.metrics["worse"][0].value == float("inf")


def test_a_model_that_can_not_be_stored_is_refused() -> None:
    def growing(training: lg.TrainingSet, _: Mapping[str, Any]) -> lg.Fitted:
        model = logistic(training)
        model.numbers = (number for number in range(3))
        return lg.fitted(model)

    with pytest.raises(Invalid, match="This Pipeline can't be stored"):
        run(growing)
