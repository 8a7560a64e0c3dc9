"""A faster runtime answers only where no row is found on which it answers otherwise, and such rows are looked for."""

import functools
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression

from lockgate.kernel.canonical import canonical, sha256
from lockgate.kernel.errors import Corrupt, Invalid
from lockgate.packages.folder import pack
from lockgate.packages.formats.protocol import Stored, Trees
from lockgate.packages.formats.scikit_learn import read_skops
from lockgate.packages.formats.table import FORMATS, format_for
from lockgate.packages.formats.trees import TOLERANCE, load_trees, opened
from lockgate.packages.probes import probe_rows
from lockgate.packages.runtime import CONTRACT, MODEL, REFERENCE, TREES, load_package
from lockgate.packages.runtimes import Agreement, agreement, choose
from tests.making.package import contract, trained

RANDOM = np.random.default_rng(11)
X = np.column_stack([RANDOM.normal(size=(600, 3)), RANDOM.integers(0, 6, 600)])
WHOLE = X.copy()
X[::7, 1] = np.nan
X[::11, 3] = np.nan
DUST = 1e-34
Y = ((WHOLE[:, 0] + WHOLE[:, 1] * WHOLE[:, 2] + (WHOLE[:, 3] == 2)) > 0).astype(int)

MODELS: dict[str, tuple[Callable[[], Any], str, bool]] = {
    "boosting with categories": (
        lambda: HistGradientBoostingClassifier(max_iter=20, categorical_features=[3], random_state=0).fit(X, Y),
        "binary",
        True,
    ),
    "boosting of numbers": (
        lambda: HistGradientBoostingRegressor(max_iter=20, random_state=0).fit(X, WHOLE[:, 0]),
        "regression",
        True,
    ),
    "a forest": (
        lambda: RandomForestClassifier(20, max_depth=6, random_state=0).fit(WHOLE, Y),
        "binary",
        True,
    ),
    "extra trees": (lambda: ExtraTreesClassifier(10, max_depth=6, random_state=0).fit(WHOLE, Y), "binary", True),
    "gradient boosting": (
        lambda: GradientBoostingRegressor(n_estimators=10, random_state=0).fit(WHOLE, WHOLE[:, 0]),
        "regression",
        True,
    ),
    "LightGBM with categories": (
        lambda: lightgbm.LGBMClassifier(n_estimators=20, verbose=-1, n_jobs=1).fit(X, Y, categorical_feature=[3]),
        "binary",
        True,
    ),
    # It adds up in float32, in another order: close, but not the same.
    "XGBoost": (lambda: xgboost.XGBClassifier(n_estimators=50, n_jobs=1).fit(X, Y), "binary", False),
}


@functools.cache
def compared(what: str) -> Agreement:
    make, task, _ = MODELS[what]
    model = make()
    form = FORMATS[format_for(model)]
    trees = form.trees(model)
    assert trees is not None
    rows = WHOLE if what in {"a forest", "extra trees", "gradient boosting"} else X
    return agreement(form.load(form.dump(model), task), trees, rows, {3: 6}, 0.5 if task == "binary" else None)


@pytest.mark.parametrize("what", MODELS)
def test_trees_answer_as_their_library_on_and_beside_every_split(what: str) -> None:
    found = compared(what)

    assert found.holds is MODELS[what][2], found
    assert found.flips == 0
    assert found.probed == found.splits > 50
    assert found.rows > 6 * found.splits
    assert found.worst_difference < (1e-14 if found.holds else 1e-5)


def test_what_a_library_refuses_is_counted_by_place() -> None:
    assert set(compared("gradient boosting").refused) == {"where nothing is known", "at infinity"}
    assert compared("boosting with categories").refused == {}


def test_codes_that_no_vocabulary_keeps_away_are_answered_otherwise() -> None:
    """As measured: scikit-learn takes an unseen code for missing, GTIL does not."""
    model = MODELS["boosting with categories"][0]()
    form = FORMATS["skops/1"]
    found = agreement(form.scorer(model, "binary"), known(form.trees(model)), X, {}, 0.5)

    assert not found.holds


@functools.cache
def boosted() -> tuple[Any, str]:
    """Give a model and its text; where nothing is missing, numbers come to every split."""
    model = lightgbm.LGBMClassifier(n_estimators=12, verbose=-1, n_jobs=1).fit(WHOLE[:, :3], Y)
    return model, FORMATS["lightgbm-text/1"].dump(model).data.decode()


def known(trees: Trees | None) -> Trees:
    assert trees is not None
    return trees


@settings(max_examples=25, deadline=None)
@given(which=st.integers(0, 10_000), up=st.booleans())
@example(which=6033, up=False)
def test_a_threshold_that_was_moved_by_its_last_bit_is_found(which: int, up: bool) -> None:
    model, text = boosted()
    places = told_apart(text)
    begin, end = places[which % len(places)]
    before = float(text[begin:end])
    after = float(np.nextafter(before, np.inf if up else -np.inf))
    moved = lightgbm.Booster(model_str=_with_sizes(text[:begin] + repr(after) + text[end:]))
    form = FORMATS["lightgbm-text/1"]

    found = agreement(form.scorer(model, "binary"), known(form.trees(moved)), WHOLE[:, :3], {}, 0.5)
    assert not found.holds
    assert form.trees(model) != form.trees(moved)


def told_apart(text: str) -> list[tuple[int, int]]:
    """Give where thresholds stand whose last bit makes a difference.

    Beside 0 none does, see below. Nor does it where both sides are leaves of one answer: LightGBM makes some whose
    values differ by rounding alone.
    """
    places = []
    for tree in re.finditer(r"Tree=\d+\n.*?\n\n\n", text, re.DOTALL):
        line = re.compile(r"^(\w+)=(.*)$", re.MULTILINE)
        lines = {found[1]: found for found in line.finditer(text, tree.start(), tree.end())}
        leaves = [float(value) for value in lines["leaf_value"][2].split()]
        sides = zip(*(map(int, lines[side][2].split()) for side in ("left_child", "right_child")), strict=True)
        numbers = re.compile(r"\S+").finditer(text, lines["threshold"].start(2), lines["threshold"].end(2))
        for number, (left, right) in zip(numbers, sides, strict=True):
            # A leaf is named by the complement of its place.
            same = left < 0 and right < 0 and abs(leaves[~left] - leaves[~right]) <= TOLERANCE
            if abs(float(number[0])) > DUST and not same:
                places.append(number.span())
    return places


def _with_sizes(text: str) -> str:
    """Let the header name the sizes of trees whose text was changed."""
    trees = re.findall(r"Tree=\d+\n.*?\n\n\n", text, re.DOTALL)
    return re.sub(r"tree_sizes=.*", "tree_sizes=" + " ".join(str(len(tree)) for tree in trees), text)


def test_every_split_is_stood_on_by_a_row_that_comes_to_it() -> None:
    model = opened(known(FORMATS["lightgbm-text/1"].trees(boosted()[0])))
    rows, splits, probed = probe_rows(model, WHOLE[:, :3], {})

    stood = set()
    for number in range(model.num_tree):
        get = model.get_tree_accessor(number).get_field
        for row in rows["at splits"]:
            node = 0
            while get("node_type")[node]:
                column, at = get("split_index")[node], get("threshold")[node]
                if row[column] == at:
                    stood.add((number, node))
                missing = np.isnan(row[column])
                left = bool(get("default_left")[node]) if missing else row[column] <= at
                node = get("cleft" if left else "cright")[node]
    assert splits == probed == len(stood)


def test_the_library_answers_for_what_has_no_trees() -> None:
    model = LogisticRegression().fit(WHOLE, Y)
    form = FORMATS["skops/1"]

    assert form.trees(model) is None
    assert choose(form.scorer(model, "binary"), None, WHOLE, {}, 0.5) is None


BROKEN: dict[str, tuple[Trees, str]] = {
    "no trees": (Trees(b"", "gtil"), "treelite can't read"),
    "other bytes": (Trees(b"\x00" * 200, "gtil"), "treelite can't read"),
    "another runtime": (Trees(b"", "gtil-float16"), "does not know the runtime"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_are_no_trees_is_refused(what: str) -> None:
    trees, said = BROKEN[what]

    with pytest.raises(Invalid, match=said):
        load_trees(trees)


def test_rows_of_another_width_are_refused() -> None:
    scorer = load_trees(known(FORMATS["lightgbm-text/1"].trees(boosted()[0])))

    with pytest.raises(Invalid, match="other rows"):
        scorer.score(X)


def test_what_is_almost_nothing_is_nothing_to_lightgbm() -> None:
    model = lightgbm.LGBMRegressor(n_estimators=3, min_child_samples=1, verbose=-1, n_jobs=1)
    x = np.array([[-1.0], [0.0], [1.0]] * 20)
    model.fit(x, x[:, 0])
    form = FORMATS["lightgbm-text/1"]
    dust = np.array([[-1e-35], [1e-35], [-1e-36], [1e-34], [np.nan], [np.inf]])

    library = form.load(Stored(form.dump(model).data), "regression").score(dust)
    assert load_trees(known(form.trees(model))).score(dust).tolist() == library.tolist()


LOADS = """
import sys
from pathlib import Path
from lockgate.packages.runtime import load_package
loaded = load_package(Path(sys.argv[1]), sys.argv[2])
print(loaded.reference_result["worst_difference"], "sklearn" in sys.modules)
"""


def test_a_package_that_trees_answer_for_needs_no_library_and_is_whole_all_the_same(tmp_path: Path) -> None:
    data, reference = trained(1)
    form = FORMATS["skops/1"]
    trees = known(form.trees(read_skops(data)))
    files = {CONTRACT: canonical(contract()), MODEL: data, TREES: trees.data, REFERENCE: canonical(reference)}
    digests = dict.fromkeys(("training_set", "code", "environment"), sha256(b""))
    manifest = {"project": "p", "format": "skops/1", "runtime": trees.runtime, "parameters": {}, **digests}
    digest, _ = pack(tmp_path, files, **manifest)

    program = [sys.executable, "-c", LOADS, str(tmp_path), digest]
    said = subprocess.run(program, capture_output=True, text=True, check=True).stdout.split()
    assert float(said[0]) <= 1e-15
    assert said[1] == "False"
    (tmp_path / MODEL).write_bytes(data[:-1] + b"x")
    with pytest.raises(Corrupt, match="not what was packed"):
        load_package(tmp_path, digest)
