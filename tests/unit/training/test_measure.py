"""A package is measured as an endpoint would ask it, over all rows and by slices."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, roc_auc_score

from lockgate.kernel.errors import Invalid
from lockgate.training.assemble import OUTCOME
from lockgate.training.fit import matrix
from lockgate.training.measure import measure, transform_mismatches
from tests.making.projects import bound, history
from tests.making.trained import assembled, loaded


def scores_of(rows: pl.DataFrame) -> np.ndarray:
    return loaded().score(matrix(rows, bound()))


def test_metrics_over_all_rows_agree_with_scikit_learn() -> None:
    _, _, tested = assembled()
    found = measure(loaded(), tested, history(), [])
    y, scores = tested[OUTCOME].to_numpy(), scores_of(tested)

    assert found["rows"] == tested.height
    assert found["slices"] == {}
    assert found["metrics"] == pytest.approx(
        {
            "roc_auc": roc_auc_score(y, scores),
            "accuracy": accuracy_score(y, scores >= 0.5),
            "log_loss": log_loss(y, scores),
            "brier": brier_score_loss(y, scores),
        }
    )
    assert found["metrics"]["roc_auc"] > 0.7


def test_every_slice_is_measured_on_its_own_rows() -> None:
    _, _, tested = assembled()
    found = measure(loaded(), tested, history(), ["depot"])["slices"]["depot"]

    assert set(found) == {"east", "north", "west"}
    assert sum(part["rows"] for part in found.values()) == tested.height
    for depot, part in found.items():
        rows = tested.filter(pl.col("depot") == depot)
        assert part["rows"] == rows.height
        assert part["metrics"]["brier"] == pytest.approx(brier_score_loss(rows[OUTCOME], scores_of(rows)))


def test_a_slice_of_nulls_is_a_slice() -> None:
    _, _, tested = assembled()
    found = measure(loaded(), tested, history(), ["van"])["slices"]["van"]

    assert found["null"]["rows"] == tested["van"].null_count() > 0


def test_a_slice_of_one_class_has_no_roc_auc() -> None:
    _, _, tested = assembled()
    rows = tested.with_columns(pl.when(pl.col("depot") == "east").then(1.0).otherwise(pl.col(OUTCOME)).alias(OUTCOME))
    found = measure(loaded(), rows, history(), ["depot"])["slices"]["depot"]

    assert found["east"]["metrics"]["roc_auc"] is None
    assert found["east"]["metrics"]["brier"] is not None


def test_the_order_of_the_test_rows_does_not_count() -> None:
    _, _, tested = assembled()

    assert measure(loaded(), tested.sample(fraction=1, shuffle=True, seed=3), history(), ["depot"]) == measure(
        loaded(), tested, history(), ["depot"]
    )


def test_it_is_asked_by_its_own_look_ups_not_by_what_stands_in_the_rows() -> None:
    """The live package may look up other columns than the one the rows were made for."""
    _, _, tested = assembled()
    spoilt = tested.with_columns(pl.lit(-1.0).alias("@weight"), pl.lit(None, dtype=pl.Int64).alias("traffic.jams"))

    assert measure(loaded(), spoilt, history(), []) == measure(loaded(), tested, history(), [])


ABSENT = {
    "a field": ("weight", "columns weight"),
    "a source": ("traffic", "columns traffic.jams, traffic.mood"),
    "a column of a source": ("vans.built", "columns vans.built"),
}


@pytest.mark.parametrize("what", ABSENT)
def test_rows_without_what_the_package_asks_for_can_not_be_put_to_it(what: str) -> None:
    absent, expected = ABSENT[what]
    _, _, tested = assembled()
    rows = {name: pair for name, pair in history().items() if name != absent}
    if absent == "vans.built":
        rows["vans"] = (rows["vans"][0], rows["vans"][1].drop("built"))
    tested = tested.drop(absent, strict=False)

    with pytest.raises(Invalid, match="can't be put to this package") as refused:
        measure(loaded(), tested, rows, [])

    assert refused.value.expected == expected


def test_features_online_are_those_of_training_bit_for_bit() -> None:
    _, train, tested = assembled()
    width = len(bound().columns)

    assert transform_mismatches(loaded(), tested) == (tested.height * width, 0)
    # In the training rows every category is in the vocabulary as well.
    assert transform_mismatches(loaded(), train) == (train.height * width, 0)


PLANTED: dict[str, tuple[pl.Expr, int]] = {
    "one value in its last bit": (
        pl.when(pl.int_range(pl.len()) == 3)
        .then(pl.col("@weight") * (1 + 2**-52))
        .otherwise(pl.col("@weight"))
        .alias("@weight"),
        1,
    ),
    "a number where nothing was known": (
        pl.col("@van_age").fill_nan(7.0),
        -1,
    ),
    "nothing where a number was known": (
        pl.when(pl.int_range(pl.len()) < 2).then(float("nan")).otherwise(pl.col("@hour")).alias("@hour"),
        2,
    ),
    "another category": ((pl.lit(2.0) - pl.col("@depot")).alias("@depot"), -2),
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_difference_is_counted(what: str) -> None:
    change, expected = PLANTED[what]
    _, _, tested = assembled()
    if expected == -1:
        expected = int(tested["@van_age"].is_nan().sum())
    if expected == -2:
        expected = int((tested["@depot"] != 1.0).sum())

    values, different = transform_mismatches(loaded(), tested.with_columns(change))

    assert values == tested.height * len(bound().columns)
    assert different == expected > 0


def test_another_zone_is_a_difference(tmp_path: Path) -> None:
    _, _, tested = assembled()
    moved = tested.with_columns(pl.col("asked").dt.offset_by("1h"))

    assert transform_mismatches(loaded(), moved)[1] >= tested.height
    assert not list(tmp_path.iterdir())
