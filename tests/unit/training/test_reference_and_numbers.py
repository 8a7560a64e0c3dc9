"""Reference questions, packages that answer numbers, and what counts as a difference of features."""

import functools
import itertools
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
import polars as pl
import pytest
from sklearn import metrics
from sklearn.tree import DecisionTreeClassifier

import lockgate as lg
from lockgate.packages.formats.table import FORMATS
from lockgate.packages.runtime import LoadedPackage
from lockgate.records.features import Code
from lockgate.training.assemble import OUTCOME
from lockgate.training.fit import FitResult, fit, matrix
from lockgate.training.measure import measure, transform_mismatches
from tests.making.projects import blueprint, bound, history
from tests.unit.training.making import MINUTES, Made, make, packed

HISTORY = history()


@functools.cache
def shipped(task: str = "binary") -> tuple[LoadedPackage, Made]:
    with TemporaryDirectory() as folder:
        made = make(HISTORY, Path(folder) / "set", outcome=MINUTES if task == "regression" else None)
        return packed(made, HISTORY, Path(folder) / "package", task=task)[0], made


def grown(training: lg.TrainingSet, _: lg.Parameters) -> lg.Fitted:
    return lg.fitted(DecisionTreeClassifier(max_depth=4, random_state=0).fit(training.x, training.y))


def fit_and_ask(tested: pl.DataFrame) -> FitResult:
    return fit(blueprint().model, bound(), grown, shipped()[1].train, tested)


@pytest.mark.parametrize(("rows", "questions"), [(1, 1), (2, 2), (63, 63), (64, 64), (65, 64), (130, 64)])
def test_reference_questions_are_test_rows_spread_evenly(rows: int, questions: int) -> None:
    tested = shipped()[1].test.head(rows)
    assert tested.height == rows
    result = fit_and_ask(tested)
    asked = matrix(tested, bound())
    x = np.array([[math.nan if value is None else value for value in row] for row in result.reference.x])
    places = [next(i for i, row in enumerate(asked) if np.array_equal(row, one, equal_nan=True)) for one in x]

    assert len(x) == len(result.reference.scores) == questions
    assert (places[0], places[-1]) == (0, rows - 1)
    assert {second - first for first, second in itertools.pairwise(places)} <= {rows // 64, rows // 64 + 1}
    assert tuple(FORMATS[result.format].load(result.model, "binary").score(x)) == result.reference.scores


def test_the_outcomes_of_test_rows_are_not_looked_at() -> None:
    tested = shipped()[1].test

    assert fit_and_ask(tested.with_columns(pl.lit(math.nan).alias(OUTCOME))).reference == fit_and_ask(tested).reference


def test_a_regressions_metrics_are_those_of_scikit_learn() -> None:
    loaded, made = shipped("regression")
    y, scores = made.test[OUTCOME].to_numpy(), loaded.score(matrix(made.test, bound()))
    found = measure(loaded, made.test, HISTORY, ["depot"])

    assert found["metrics"] == pytest.approx(
        {"mae": metrics.mean_absolute_error(y, scores), "rmse": metrics.root_mean_squared_error(y, scores)}
    )
    for depot, one in found["slices"]["depot"].items():
        part = (made.test["depot"] == depot).to_numpy()
        assert one["metrics"]["rmse"] == pytest.approx(metrics.root_mean_squared_error(y[part], scores[part]))


def test_boosting_with_categories_is_measured_as_scikit_learn_would() -> None:
    loaded, made = shipped()
    y, scores = made.test[OUTCOME].to_numpy(), loaded.score(matrix(made.test, bound()))

    assert measure(loaded, made.test, HISTORY, [])["metrics"] == pytest.approx(
        {
            "roc_auc": metrics.roc_auc_score(y, scores),
            "accuracy": metrics.accuracy_score(y, scores >= 0.5),
            "log_loss": metrics.log_loss(y, scores),
            "brier": metrics.brier_score_loss(y, scores),
        }
    )


def test_right_answers_measure_best_and_wrong_ones_worst() -> None:
    loaded, made = shipped()
    answers = loaded.score(matrix(made.test, bound())) >= 0.5
    right = made.test.with_columns(pl.Series(OUTCOME, answers.astype(float)))
    wrong = made.test.with_columns(pl.Series(OUTCOME, (~answers).astype(float)))
    best, worst = (measure(loaded, rows, HISTORY, [])["metrics"] for rows in (right, wrong))

    assert (best["roc_auc"], best["accuracy"]) == (1.0, 1.0)
    assert (worst["roc_auc"], worst["accuracy"]) == (0.0, 0.0)
    assert best["brier"] < worst["brier"]
    assert best["log_loss"] < worst["log_loss"]


def planted(frame: pl.DataFrame, column: str, row: int, value: float) -> pl.DataFrame:
    values = frame[column].to_list()
    values[row] = value
    return frame.with_columns(pl.Series(column, values, dtype=pl.Float64))


def test_differences_add_up_and_missing_equals_missing() -> None:
    loaded, made = shipped()
    values = made.test.height * len(bound().columns)
    assert made.test["@van_age"].is_nan().any()
    one = planted(made.test, "@weight", 5, math.nextafter(made.test["@weight"][5], math.inf))
    two = planted(one, "@hour", 0, math.nan)
    three = planted(two, "@van_age", made.test["@van_age"].is_nan().to_list().index(True), 3.0)

    assert transform_mismatches(loaded, made.test) == (values, 0)
    assert transform_mismatches(loaded, one) == (values, 1)
    assert transform_mismatches(loaded, two) == (values, 2)
    assert transform_mismatches(loaded, three) == (values, 3)


def test_the_sign_of_zero_counts() -> None:
    loaded, made = shipped()
    row = made.test["@rush"].to_list().index(0.0)

    assert transform_mismatches(loaded, planted(made.test, "@rush", row, -0.0))[1] == 1


def test_a_package_whose_features_mean_something_else_differs_in_those_and_in_what_reads_them() -> None:
    loaded, made = shipped()
    features = loaded.contract.features
    later = Code(name="hour", source="def hour(asked):\n    return asked.hour + 24")
    changed = tuple(
        msgspec.structs.replace(one, code=later) if one.name == "hour" else one for one in features.features
    )
    contract = msgspec.structs.replace(loaded.contract, features=msgspec.structs.replace(features, features=changed))
    scorer = FORMATS["skops/1"].load(fit_and_ask(made.test).model, "binary")
    other = LoadedPackage(loaded.digest, loaded.package, contract, scorer)
    rushed = int(made.test["@rush"].sum())

    assert rushed > 0
    assert transform_mismatches(other, made.test)[1] == made.test.height + rushed
