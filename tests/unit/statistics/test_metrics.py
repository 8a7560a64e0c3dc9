"""A metric is what everybody means by its name; where it is not defined it is None, never 0."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as sklearn

from lockgate.records.verdict import METRIC_DIRECTIONS
from lockgate.statistics import METRICS, accuracy, brier, log_loss, mae, rmse, roc_auc

Array = NDArray[np.float64]

# Few values, so that ties are common.
SCORES = st.integers(0, 8).map(lambda number: number / 8)
PAIRS = st.lists(st.tuples(st.booleans(), SCORES | st.floats(0, 1)), min_size=1, max_size=40)
NUMBERS = st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=40)

EMPTY: Array = np.array([], dtype=np.float64)


def arrays(pairs: list[tuple[bool, float]] | list[tuple[float, float]]) -> tuple[Array, Array]:
    return np.array([float(y) for y, _ in pairs]), np.array([score for _, score in pairs])


@given(pairs=PAIRS)
def test_roc_auc_agrees_with_scikit_learn(pairs: list[tuple[bool, float]]) -> None:
    y, scores = arrays(pairs)
    assume(0 < y.sum() < len(y))

    assert roc_auc(y, scores) == pytest.approx(sklearn.roc_auc_score(y, scores), abs=1e-12)


@given(pairs=PAIRS)
def test_roc_auc_is_the_share_of_pairs_in_the_right_order_ties_counting_half(pairs: list[tuple[bool, float]]) -> None:
    y, scores = arrays(pairs)
    wins = [(a > b) + (a == b) / 2 for a in scores[y == 1] for b in scores[y == 0]]

    assert roc_auc(y, scores) == (pytest.approx(sum(wins) / len(wins), abs=1e-12) if wins else None)


@given(pairs=PAIRS)
def test_brier_and_log_loss_agree_with_scikit_learn(pairs: list[tuple[bool, float]]) -> None:
    y, scores = arrays(pairs)
    # Probabilities of 0 and 1 are kept away from there by other amounts.
    inside = np.clip(scores, 1e-12, 1 - 1e-12)

    assert brier(y, scores) == pytest.approx(sklearn.brier_score_loss(y, scores, pos_label=1), abs=1e-12)
    assert log_loss(y, inside) == pytest.approx(sklearn.log_loss(y, inside, labels=[0, 1]), rel=1e-9)


@given(pairs=PAIRS, threshold=SCORES)
def test_accuracy_agrees_with_scikit_learn_at_every_threshold(
    pairs: list[tuple[bool, float]], threshold: float
) -> None:
    y, scores = arrays(pairs)

    assert accuracy(y, scores, threshold) == pytest.approx(sklearn.accuracy_score(y, scores >= threshold))


@given(pairs=NUMBERS)
def test_errors_of_numbers_agree_with_scikit_learn(pairs: list[tuple[float, float]]) -> None:
    y, scores = arrays(pairs)

    assert mae(y, scores) == pytest.approx(sklearn.mean_absolute_error(y, scores))
    assert rmse(y, scores) == pytest.approx(sklearn.root_mean_squared_error(y, scores))


@pytest.mark.parametrize("name", [*METRICS["binary"], *METRICS["regression"]])
def test_a_metric_of_no_rows_is_not_defined(name: str) -> None:
    metric = (METRICS["binary"] | METRICS["regression"])[name]

    assert metric(EMPTY, EMPTY, 0.5) is None


@pytest.mark.parametrize("y", [0.0, 1.0])
def test_roc_auc_of_one_class_is_not_defined(y: float) -> None:
    assert roc_auc(np.full(5, y), np.linspace(0, 1, 5)) is None


EXACT = {
    "every pair is in order": (roc_auc, [0, 0, 1], [0.1, 0.2, 0.3], 1.0),
    "every pair is in the wrong order": (roc_auc, [1, 0], [0.1, 0.2], 0.0),
    "nothing is told apart": (roc_auc, [1, 0, 0, 1], [0.5] * 4, 0.5),
    "a score at the threshold answers true": (accuracy, [1, 0], [0.5, 0.49], 1.0),
    "certain and right": (log_loss, [1, 0], [1.0, 0.0], 0.0),
    "certain and wrong is a great loss, not an infinite one": (log_loss, [1], [0.0], -math.log(1e-15)),
    "a coin": (log_loss, [1, 0], [0.5, 0.5], math.log(2)),
    "half": (brier, [1, 0], [0.5, 0.5], 0.25),
    "absolute": (mae, [1, -1], [3, -1], 1.0),
    "squared": (rmse, [0, 0], [3, 4], math.sqrt(12.5)),
}


@pytest.mark.parametrize("what", EXACT)
def test_a_metric_of_known_rows(what: str) -> None:
    metric, y, scores, expected = EXACT[what]

    assert metric(np.array(y, dtype=np.float64), np.array(scores, dtype=np.float64)) == pytest.approx(
        expected, abs=1e-9
    )


@given(pairs=PAIRS, data=st.data())
def test_the_order_of_rows_does_not_count(pairs: list[tuple[bool, float]], data: st.DataObject) -> None:
    other = data.draw(st.permutations(pairs))
    for metric in METRICS["binary"].values():
        one, two = metric(*arrays(pairs), 0.5), metric(*arrays(other), 0.5)
        assert one == (None if two is None else pytest.approx(two, rel=1e-12))


@given(pairs=PAIRS)
def test_roc_auc_sees_the_order_of_scores_and_nothing_else(pairs: list[tuple[bool, float]]) -> None:
    y, scores = arrays(pairs)

    assert roc_auc(y, scores) == roc_auc(y, np.searchsorted(np.unique(scores), scores).astype(np.float64))


def test_every_metric_is_told_by_the_name_that_projects_use() -> None:
    assert {task: set(table) for task, table in METRICS.items()} == {
        task: set(table) for task, table in METRIC_DIRECTIONS.items()
    }
