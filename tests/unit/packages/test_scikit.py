"""What people fit with scikit-learn is packed and loads again; what could do more than compute does not."""

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import SelectFromModel, SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    GammaRegressor,
    HuberRegressor,
    Lasso,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    RidgeCV,
    SGDClassifier,
    SGDRegressor,
    TweedieRegressor,
)
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, RadiusNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, SVR, LinearSVC, LinearSVR, NuSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from lockgate.kernel.errors import Invalid, TooLarge
from lockgate.packages.formats.protocol import Stored
from lockgate.packages.formats.table import FORMATS

SKOPS = FORMATS["skops/1"]
RANDOM = np.random.default_rng(0)
X = np.column_stack([RANDOM.normal(size=(120, 2)), RANDOM.integers(0, 3, 120)])
Y = X[:, 0] + X[:, 1] > 0
NUMBER = np.abs(X[:, 0] * 2) + 1


def line() -> LogisticRegression:
    return LogisticRegression()


def columns() -> ColumnTransformer:
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return ColumnTransformer([("numbers", numbers, [0, 1]), ("codes", OneHotEncoder(handle_unknown="ignore"), [2])])


CLASSIFIERS: list[Callable[[], Any]] = [
    line,
    lambda: LogisticRegressionCV(Cs=3, l1_ratios=(0,), use_legacy_attributes=False, scoring="neg_log_loss"),
    lambda: SGDClassifier(loss="log_loss", random_state=0),
    lambda: SGDClassifier(loss="modified_huber", random_state=0),
    lambda: RandomForestClassifier(5, random_state=0),
    lambda: ExtraTreesClassifier(5, random_state=0),
    lambda: GradientBoostingClassifier(n_estimators=5, random_state=0),
    lambda: HistGradientBoostingClassifier(max_iter=5, categorical_features=[2], random_state=0),
    lambda: HistGradientBoostingClassifier(max_iter=5, early_stopping=True, class_weight="balanced", random_state=0),
    lambda: AdaBoostClassifier(n_estimators=5, random_state=0),
    lambda: BaggingClassifier(max_features=0.7, random_state=0),
    lambda: DecisionTreeClassifier(max_depth=4, random_state=0),
    KNeighborsClassifier,
    lambda: KNeighborsClassifier(algorithm="brute", weights="distance"),
    lambda: KNeighborsClassifier(algorithm="ball_tree", leaf_size=5),
    lambda: KNeighborsClassifier(algorithm="kd_tree", metric="manhattan", weights="distance", leaf_size=5),
    lambda: KNeighborsClassifier(metric="minkowski", p=3),
    lambda: RadiusNeighborsClassifier(5.0),
    lambda: MLPClassifier((5,), early_stopping=True, random_state=0, tol=1),
    lambda: MLPClassifier((5,), solver="sgd", random_state=0, tol=1, n_iter_no_change=2),
    lambda: MLPClassifier((5,), solver="lbfgs", random_state=0),
    lambda: CalibratedClassifierCV(line(), cv=3),
    lambda: CalibratedClassifierCV(GaussianNB(), method="isotonic", cv=3),
    lambda: CalibratedClassifierCV(line(), method="temperature", cv=3),
    lambda: CalibratedClassifierCV(LinearSVC(), cv=3),
    lambda: CalibratedClassifierCV(FrozenEstimator(line().fit(X, Y))),
    lambda: VotingClassifier([("line", line()), ("bayes", GaussianNB())], voting="soft"),
    lambda: StackingClassifier([("line", line()), ("tree", DecisionTreeClassifier(max_depth=2, random_state=0))]),
    lambda: StackingClassifier([(name, line()) for name in "abcd"], DecisionTreeClassifier(random_state=0)),
    lambda: make_pipeline(columns(), line()),
    lambda: make_pipeline(FeatureUnion([("scaled", StandardScaler()), ("turned", PCA(1))]), line()),
    lambda: make_pipeline(PolynomialFeatures(2), RobustScaler(), line()),
    lambda: make_pipeline(SplineTransformer(), line()),
    lambda: make_pipeline(QuantileTransformer(n_quantiles=10), PowerTransformer(), line()),
    lambda: make_pipeline(KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"), line()),
    lambda: make_pipeline(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), line()),
    lambda: make_pipeline(TargetEncoder(random_state=0), line()),
    lambda: make_pipeline(KNNImputer(), SelectKBest(k=2), line()),
    lambda: make_pipeline(SelectFromModel(line()), FunctionTransformer(np.tanh), line()),
    lambda: make_pipeline(KMeans(3, random_state=0, n_init=1), line()),
    lambda: GaussianProcessClassifier(random_state=0),
    GaussianNB,
    BernoulliNB,
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
]

REGRESSORS: list[Callable[[], Any]] = [
    LinearRegression,
    Ridge,
    RidgeCV,
    Lasso,
    ElasticNet,
    BayesianRidge,
    HuberRegressor,
    QuantileRegressor,
    lambda: SGDRegressor(random_state=0),
    PoissonRegressor,
    GammaRegressor,
    lambda: TweedieRegressor(power=1.5),
    lambda: TransformedTargetRegressor(LinearRegression(), func=np.log, inverse_func=np.exp),
    lambda: RandomForestRegressor(5, random_state=0),
    lambda: ExtraTreesRegressor(5, random_state=0),
    lambda: GradientBoostingRegressor(n_estimators=5, loss="huber", random_state=0),
    lambda: GradientBoostingRegressor(n_estimators=5, loss="quantile", random_state=0),
    lambda: HistGradientBoostingRegressor(max_iter=5, loss="poisson", random_state=0),
    lambda: HistGradientBoostingRegressor(max_iter=5, loss="gamma", random_state=0),
    lambda: HistGradientBoostingRegressor(max_iter=5, loss="quantile", quantile=0.9, random_state=0),
    lambda: HistGradientBoostingRegressor(max_iter=5, loss="absolute_error", random_state=0),
    lambda: DecisionTreeRegressor(max_depth=4, random_state=0),
    lambda: KNeighborsRegressor(weights="distance"),
    lambda: MLPRegressor(hidden_layer_sizes=(5,), random_state=0, tol=100),
    lambda: VotingRegressor([("line", LinearRegression()), ("ridge", Ridge())]),
    lambda: StackingRegressor([("line", LinearRegression()), ("forest", RandomForestRegressor(3, random_state=0))]),
    SVR,
    lambda: LinearSVR(random_state=0),
    lambda: GaussianProcessRegressor(random_state=0),
    lambda: make_pipeline(columns(), Ridge()),
    IsotonicRegression,
    lambda: IsolationForest(n_estimators=5, random_state=0),
]

CASES = [(make, "binary") for make in CLASSIFIERS] + [(make, "regression") for make in REGRESSORS]


def named(value: Any) -> str:  # noqa: ANN401 - whatever a test is given
    return str(value()).replace("\n", "").replace(" ", "")[:60] if callable(value) else str(value)


def rows_of(model: Any) -> Any:  # noqa: ANN401 - an estimator
    return np.ascontiguousarray(X[:, :1]) if isinstance(model, IsotonicRegression) else X


@pytest.mark.filterwarnings("ignore")  # fits this small are warned of
@pytest.mark.parametrize(("make", "task"), CASES, ids=named)
def test_what_was_loaded_answers_as_the_object_and_asking_changes_no_byte(make: Callable[[], Any], task: str) -> None:
    model = make()
    x = rows_of(model)
    model.fit(x, Y if task == "binary" else NUMBER)

    stored = SKOPS.dump(model)
    answers = SKOPS.scorer(model, task).score(x)
    assert SKOPS.dump(model) == stored
    loaded = SKOPS.load(stored, task)
    assert loaded.score(x).tolist() == answers.tolist()
    assert SKOPS.dump(make().fit(x, Y if task == "binary" else NUMBER)) == stored


FITS = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from tests.unit.packages.test_scikit import *
junk = [object() for _ in range(int(sys.argv[2]))]  # moves what comes after it to other addresses
for make, task in CASES:
    model = make()
    if "KMeans" in repr(model):
        continue  # with more threads it adds up in another order
    data = SKOPS.dump(model.fit(rows_of(model), Y if task == "binary" else NUMBER)).data
    print(hashlib.sha256(data).hexdigest())
"""


def test_a_machine_with_more_cores_gives_the_same_bytes() -> None:
    root = Path(__file__).resolve().parents[3]
    cores = ({"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "1"}, {"OMP_NUM_THREADS": "7", "PYTHONHASHSEED": "2"})
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", FITS, str(root), settings["OMP_NUM_THREADS"] + "000"],
            env={**os.environ, **settings, "MALLOC_PERTURB_": settings["OMP_NUM_THREADS"]},
            stdout=subprocess.PIPE,
            text=True,
        )
        for settings in cores
    ]
    first, second = (process.communicate(timeout=120)[0].split() for process in processes)

    assert len(first) == len(CASES) - 1
    assert first == second


@pytest.mark.parametrize("cores", [2, 64])
def test_how_many_cores_there_were_is_not_in_the_bytes(cores: int) -> None:
    boosting = HistGradientBoostingClassifier(max_iter=2, random_state=0).fit(X, Y)
    grouped = make_pipeline(KMeans(2, random_state=0, n_init=1), line()).fit(X, Y)
    before = [SKOPS.dump(boosting), SKOPS.dump(grouped)]
    boosting._bin_mapper.n_threads = cores  # noqa: SLF001 - as on another machine
    grouped[0]._n_threads = cores  # noqa: SLF001 - likewise

    assert [SKOPS.dump(boosting), SKOPS.dump(grouped)] == before


def of_mine(x: Any) -> Any:  # noqa: ANN401 - as scikit-learn has it
    return x


REFUSED: dict[str, tuple[Callable[[], Any], str, str]] = {
    "a function of one's own": (
        lambda: make_pipeline(FunctionTransformer(of_mine), line()),
        "of_mine",
        "can be a feature",
    ),
    "a distance of one's own": (
        lambda: KNeighborsClassifier(metric=lambda a, b: float(np.abs(a - b).sum())),
        "<lambda>",
        "use euclidean",
    ),
    "a distance that reads a vector": (
        lambda: KNeighborsClassifier(metric="seuclidean", metric_params={"V": np.ones(3)}, algorithm="ball_tree"),
        "SEuclideanDistance64",
        "Scale the columns",
    ),
    "a search": (lambda: GridSearchCV(line(), {"C": [0.1, 1]}, cv=2), "StratifiedKFold", "best_estimator_"),
    "a search for a threshold": (lambda: TunedThresholdClassifierCV(line(), cv=2), "_CurveScorer", "best_estimator_"),
    "what opens files": (
        lambda: StackingClassifier(
            [("line", line())], make_pipeline(CountVectorizer(input="filename"), line()), cv="prefit"
        ),
        "CountVectorizer",
        "opens the files",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_could_do_more_than_compute_is_refused_with_a_way_out_when_packed_and_when_loaded(what: str) -> None:
    make, name, way_out = REFUSED[what]
    model = make()
    if what != "what opens files":
        model.fit(X, Y)

    def check(refused: Invalid) -> None:
        assert name in refused.found
        assert way_out in (refused.way_out or "")

    with pytest.raises(Invalid, match="types that this server does not load") as packed:
        SKOPS.dump(model)
    check(packed.value)
    with pytest.raises(Invalid, match="types that this server does not load") as loaded:
        SKOPS.load(Stored(skops.io.dumps(model)), "binary")
    check(loaded.value)


def edited(data: bytes, change: Callable[[dict[str, Any]], Any]) -> bytes:
    """Edit every node of a skops file's schema."""

    def over(node: Any) -> None:  # noqa: ANN401 - any JSON value
        if isinstance(node, dict):
            change(node)
        for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            over(value)

    source, target = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    with source, zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            body = source.read(name)
            if name == "schema.json":
                schema = json.loads(body)
                over(schema)
                body = json.dumps(schema).encode()
            archive.writestr(name, body)
    return target.getvalue()


@pytest.mark.parametrize("use", ["ConstructorFromReduceNode", "TypeNode", "FunctionNode", "DictNode"])
def test_a_class_that_may_be_filled_in_may_not_be_called(use: str) -> None:
    data = SKOPS.dump(KNeighborsClassifier(algorithm="kd_tree").fit(X, Y)).data

    def called(node: dict[str, Any]) -> None:
        if node.get("__class__") == "KDTree":
            node["__loader__"] = use

    with pytest.raises(Invalid, match="each in its place") as refused:
        SKOPS.load(Stored(edited(data, called)), "binary")
    assert refused.value.found == "sklearn.neighbors._kd_tree.KDTree"


def spoiled(model: Any, spoil: Callable[[Any], bool]) -> bytes:  # noqa: ANN401 - an estimator
    """Give a model's file with the first array changed that lets itself be."""
    data, done = SKOPS.dump(model.fit(X, Y)).data, False
    source, target = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    with source, zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            body = source.read(name)
            if name.endswith(".npy") and not done:
                array = np.load(io.BytesIO(body))
                if done := spoil(array):
                    changed = io.BytesIO()
                    np.save(changed, array)
                    body = changed.getvalue()
            archive.writestr(name, body)
    assert done
    return target.getvalue()


def put(field: str, value: int, *, shape: int = 1) -> Callable[[Any], bool]:
    """Change a field of the first node of a tree."""

    def spoil(array: Any) -> bool:  # noqa: ANN401 - an array
        if array.ndim != shape or array.dtype.names is None or field not in array.dtype.names or len(array) < 3:
            return False
        array[field][0] = value
        return True

    return spoil


def _other_ranks(array: Any) -> bool:  # noqa: ANN401 - an array
    if array.dtype.kind != "i" or sorted(array.tolist()) != list(range(len(X))):
        return False
    array[0] = 1_000_000
    return True


ASTRAY: dict[str, tuple[Callable[[], Any], Callable[[Any], bool]]] = {
    "a child far away": (lambda: DecisionTreeClassifier(random_state=0), put("left_child", 1 << 40)),
    "a child before its parent": (lambda: DecisionTreeClassifier(random_state=0), put("right_child", 0)),
    "a child below nothing": (lambda: RandomForestClassifier(2, random_state=0), put("right_child", -7)),
    "a column that is not there": (lambda: RandomForestClassifier(2, random_state=0), put("feature", 3)),
    "a column before the first": (lambda: GradientBoostingClassifier(n_estimators=2), put("feature", -1)),
    "a column that boosting has not": (lambda: HistGradientBoostingClassifier(max_iter=2), put("feature_idx", 3)),
    "a child that boosting has not": (lambda: HistGradientBoostingClassifier(max_iter=2), put("left", 4_000_000_000)),
    "a circle": (lambda: HistGradientBoostingClassifier(max_iter=2), put("right", 0)),
    "bits that there are not": (
        lambda: HistGradientBoostingClassifier(max_iter=2, categorical_features=[2]),
        put("is_categorical", 1),
    ),
    "a neighbour that there is not": (lambda: KNeighborsClassifier(algorithm="kd_tree"), _other_ranks),
    "likewise in balls": (lambda: KNeighborsClassifier(algorithm="ball_tree"), _other_ranks),
}


@pytest.mark.parametrize("what", ASTRAY)
def test_a_tree_that_leads_out_of_its_bounds_is_refused_before_it_is_asked(what: str) -> None:
    make, spoil = ASTRAY[what]

    with pytest.raises(Invalid, match=r"out of its bounds|not whole"):
        SKOPS.load(Stored(spoiled(make(), spoil)), "binary")


def without_end(body: bytes) -> bytes:
    return body.replace(b"'descr': '", b"'descr': L(", 1)


def of_ten_terabytes(body: bytes) -> bytes:
    return re.sub(rb"'shape': \(\d+,\), \}( *)", b"'shape': (1250000000000,), }" + b" " * 40, body, count=1)


DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "a header without end": without_end,
    "half of an array": lambda body: body[: len(body) // 2],
    "no array": lambda _: b"",
    "ten terabytes": of_ten_terabytes,
}


@pytest.mark.parametrize("what", DAMAGED)
def test_an_array_that_can_not_be_read_is_refused_in_words(what: str) -> None:
    source, target = zipfile.ZipFile(io.BytesIO(SKOPS.dump(line().fit(X, Y)).data)), io.BytesIO()
    with source, zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            body = source.read(name)
            archive.writestr(name, DAMAGED[what](body) if name.endswith(".npy") else body)

    with pytest.raises(Invalid, match="no model that skops can read"):
        SKOPS.load(Stored(target.getvalue()), "binary")


def test_whatever_bit_of_an_archive_is_flipped_it_is_read_or_refused_in_words() -> None:
    data = SKOPS.dump(DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, Y)).data
    for place in range(0, len(data), 61):
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        try:
            SKOPS.load(Stored(bytes(flipped)), "binary")
        except (Invalid, TooLarge):
            continue


def test_a_forest_whose_trees_take_more_columns_than_it_looks_at_is_refused() -> None:
    model = RandomForestClassifier(2, random_state=0).fit(X, Y)
    wider = RandomForestClassifier(2, random_state=0).fit(np.hstack([RANDOM.normal(size=(120, 3)), X]), Y)
    model.estimators_ = wider.estimators_

    with pytest.raises(Invalid, match="out of its bounds"):
        SKOPS.load(SKOPS.dump(model), "binary")


def test_chances_by_a_support_vector_machine_are_loaded_again() -> None:
    with pytest.warns(FutureWarning, match="probability"):
        models = [kind(probability=True, random_state=0).fit(X, Y) for kind in (SVC, NuSVC)]

    for model in models:
        loaded = SKOPS.load(SKOPS.dump(model), "binary")
        assert loaded.score(X).tolist() == model.predict_proba(X)[:, 1].tolist()
