"""Every format sits the exam."""

import functools
import warnings
from collections.abc import Callable
from typing import Any

import lightgbm
import numpy as np
import onnxmltools
import onnxruntime
import pytest
import xgboost
from onnxmltools.convert.common.data_types import FloatTensorType
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor

from lockgate.kernel.errors import Failed
from lockgate.packages.formats.protocol import Stored
from lockgate.packages.formats.table import FORMATS, format_for
from lockgate.testing.format_exam import FormatCase, format_exam

RANDOM = np.random.default_rng(7)
X = np.column_stack([RANDOM.normal(size=(160, 3)), RANDOM.integers(0, 3, 160)])
X[::9, 1] = np.nan
Y = (X[:, 0] + np.nan_to_num(X[:, 1]) > 0).astype(int)


def rule(first, second, third, category):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201, ARG001 - closed functions have no types
    """Answer by hand."""
    if second is None:
        return 0.25
    return 0.9 if first + second > 0 else 0.1


def by_hand() -> Any:  # noqa: ANN401 - a function
    return rule


def converted() -> Any:  # noqa: ANN401 - a ModelProto
    model = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(X.astype(np.float32), Y)
    return onnxmltools.convert_lightgbm(model, initial_types=[("x", FloatTensorType([None, 4]))], zipmap=False)


def stopped_early() -> Any:  # noqa: ANN401 - XGBoost publishes no types
    model = xgboost.XGBClassifier(n_estimators=60, early_stopping_rounds=2, n_jobs=1)
    return model.fit(X[:100], Y[:100], eval_set=[(X[100:], Y[100:])], verbose=False)


MODELS: dict[str, tuple[Callable[[], Any], str, str]] = {
    "boosting by scikit-learn": (
        lambda: HistGradientBoostingClassifier(max_iter=5, categorical_features=[3], random_state=0).fit(X, Y),
        "binary",
        "scikit_learn:SKOPS",
    ),
    "a forest of numbers": (
        lambda: RandomForestRegressor(5, random_state=0).fit(X, X[:, 0]),
        "regression",
        "scikit_learn:SKOPS",
    ),
    "LightGBM": (
        lambda: lightgbm.LGBMClassifier(n_estimators=10, verbose=-1, n_jobs=1).fit(X, Y),
        "binary",
        "lightgbm:LIGHTGBM",
    ),
    "LightGBM of numbers": (
        lambda: lightgbm.LGBMRegressor(n_estimators=10, verbose=-1, n_jobs=1).fit(X, X[:, 0]),
        "regression",
        "lightgbm:LIGHTGBM",
    ),
    "a booster of LightGBM": (
        lambda: lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(X, Y), 5),
        "binary",
        "lightgbm:LIGHTGBM",
    ),
    "XGBoost": (lambda: xgboost.XGBClassifier(n_estimators=8, n_jobs=1).fit(X, Y), "binary", "xgboost:XGBOOST"),
    "XGBoost of numbers": (
        lambda: xgboost.XGBRegressor(n_estimators=8, n_jobs=1).fit(X, X[:, 0]),
        "regression",
        "xgboost:XGBOOST",
    ),
    "XGBoost that was stopped early": (stopped_early, "binary", "xgboost:XGBOOST"),
    "ONNX": (converted, "binary", "onnx:ONNX"),
    "a function": (by_hand, "binary", "function:FUNCTION"),
}


@functools.cache
def case(what: str) -> FormatCase:
    make, task, place = MODELS[what]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of converters, about versions
        model = make()
    return FormatCase(
        form=FORMATS[format_for(model)],
        found_at=f"lockgate.packages.formats.{place}",
        model=model,
        task=task,
        x=X,
        answers=np.asarray(asked(model), dtype=np.float64),
    )


def asked(model: Any) -> Any:  # noqa: ANN401 - as each library answers
    if hasattr(model, "SerializeToString"):
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        return session.run(["probabilities"], {"x": X.astype(np.float32)})[0][:, 1]
    if model is rule:
        return [rule(*(None if np.isnan(value) else float(value) for value in row)) for row in X]
    return model.predict_proba(X)[:, 1] if hasattr(model, "predict_proba") else model.predict(X)


SENTENCES = [sentence for sentence, _ in format_exam(lambda: case("a function"))]


@pytest.mark.parametrize("what", MODELS)
@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_format(what: str, sentence: str) -> None:
    dict(format_exam(lambda: case(what)))[sentence]()


def test_every_format_but_that_of_pytorch_sits_the_exam_here() -> None:
    sat = {format_for(case(what).model) for what in MODELS}

    assert sat == set(FORMATS) - {"torch-safetensors/1"}


def flipped() -> tuple[Any, Any]:
    """Give a LightGBM model and its conversion, which answers otherwise: 2**24 + 1 is no float32."""
    x, y = np.array([[16777216.0], [16777217.0], [16777218.0], [16777219.0]]), [0, 1, 0, 1]
    model = lightgbm.LGBMClassifier(
        n_estimators=1, min_child_samples=1, min_data_in_bin=1, learning_rate=1, verbose=-1, n_jobs=1
    )
    model.fit(np.repeat(x, 10, 0), np.repeat(y, 10))
    return model, onnxmltools.convert_lightgbm(model, initial_types=[("x", FloatTensorType([None, 1]))], zipmap=False)


def test_a_conversion_that_rounds_to_float32_flips_decisions() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, onnx = flipped()
    x = np.array([[16777216.0], [16777217.0], [16777218.0], [16777219.0]])
    exact = FORMATS["lightgbm-text/1"].scorer(model, "binary").score(x) >= 0.5
    rounded = FORMATS["onnx/1"].scorer(onnx, "binary").score(x) >= 0.5

    assert exact.tolist() == [False, True, False, True]
    assert rounded.tolist() != exact.tolist()


def test_a_function_that_gives_no_number_fails_the_row() -> None:
    stored = Stored(b"", b'{"name":"f","source":"def f(a):\\n    return str(a)","literals":{}}')

    with pytest.raises(Failed, match="no number"):
        FORMATS["python/1"].load(stored, "binary").score(X[:2, :1])
