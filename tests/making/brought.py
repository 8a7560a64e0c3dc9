"""Models as others leave them: files of their libraries, real MLflow folders, and rows that they were made of."""

import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

__all__ = ["COLUMNS", "FILES", "MLFLOW", "SCRIPT", "clicks", "crashing_text", "lightgbm_text", "matrix", "trained"]

COLUMNS = ("age", "visits", "spent")

SCRIPT = '''"""Whether somebody clicks, as it was decided for years."""

from datetime import datetime

REGULAR = 12
NIGHTS = {"nl": 22, "us": 23}


def score(age: int, spent: float, country: str, seen_at: datetime) -> float:
    """Say how likely it is."""
    late = seen_at.hour >= NIGHTS.get(country, 24)
    return min(1.0, 0.2 + (0.3 if age > 30 else 0.0) + spent / 1000 + (0.1 if late else 0.0))


def decide(spent: float) -> bool:
    return spent > REGULAR


def chained(spent: float) -> float:
    return decide(spent) * 1.0
'''


@functools.cache
def clicks(rows: int = 400) -> pl.DataFrame:
    """Give rows with an id, a time, numbers, a text, and what happened."""
    rng = np.random.default_rng(7)
    age, visits = rng.integers(18, 80, rows), rng.integers(0, 30, rows)
    spent = rng.uniform(0, 200, rows).round(2)
    chance = 1 / (1 + np.exp(-(visits - 12) / 4 - (age - 45) / 20))
    begin = pl.datetime(2026, 1, 1, time_zone="UTC")
    return pl.DataFrame(
        {
            "visitor": [f"v{number:04d}" for number in range(rows)],
            "age": age,
            "visits": visits,
            "spent": spent,
            "country": rng.choice(["nl", "be", "us"], rows),
            "clicked": rng.uniform(size=rows) < chance,
        }
    ).with_columns(seen_at=begin + pl.duration(minutes=pl.int_range(rows) * 97))


def matrix() -> Any:  # noqa: ANN401 - NDArray[np.float64]
    """Give what models learn from."""
    return clicks().select(COLUMNS).to_numpy().astype(np.float64)


def labels() -> Any:  # noqa: ANN401 - NDArray[np.int64]
    return clicks()["clicked"].to_numpy().astype(np.int64)


@functools.cache
def trained(kind: str) -> Any:  # noqa: ANN401 - models have no common type
    """Give a fitted model of a library."""
    x, y = matrix(), labels()
    if kind == "skops":
        return make_pipeline(StandardScaler(), LogisticRegression()).fit(x, y)
    if kind == "lightgbm":
        import lightgbm  # noqa: PLC0415 - a heavy library, only where it is asked for

        settings = {"objective": "binary", "verbose": -1, "num_threads": 1, "min_data_in_leaf": 5}
        return lightgbm.train(settings, lightgbm.Dataset(x, y, feature_name=list(COLUMNS)), 10)
    if kind == "lightgbm estimator":
        import lightgbm  # noqa: PLC0415 - likewise

        return lightgbm.LGBMClassifier(n_estimators=10, verbose=-1, n_jobs=1).fit(x, y)
    import xgboost  # noqa: PLC0415 - likewise

    if kind == "xgboost estimator":
        model = xgboost.XGBClassifier(n_estimators=40, early_stopping_rounds=2, n_jobs=1, max_depth=6)
        return model.fit(x[:300], y[:300], eval_set=[(x[300:], y[300:])], verbose=False)
    settings = {"objective": "binary:logistic", "nthread": 1}
    return xgboost.train(settings, xgboost.DMatrix(x, y, feature_names=list(COLUMNS)), 10)


def lightgbm_text() -> str:
    """Give a model of LightGBM as it writes it."""
    text: str = trained("lightgbm").model_to_string()
    return text


def crashing_text() -> str:
    """Give a text that ends the process that reads it: its trees are not as long as it says."""
    return lightgbm_text().replace("split_feature=", "split_feature=99999999 ", 1)


def onnx_model() -> Any:  # noqa: ANN401 - a ModelProto
    """Give a model of scikit-learn, converted as people do: to float32."""
    from skl2onnx import to_onnx  # noqa: PLC0415 - a heavy library, only where it is asked for

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return to_onnx(trained("skops"), matrix()[:1].astype(np.float32), options={"zipmap": False})


def _skops(path: Path) -> None:
    import skops.io  # noqa: PLC0415 - likewise

    skops.io.dump(trained("skops"), path)


FILES: dict[str, Callable[[Path], Any]] = {
    "model.skops": _skops,
    "model.txt": lambda path: path.write_text(lightgbm_text()),
    "model.ubj": lambda path: trained("xgboost").save_model(path),
    "model.json": lambda path: trained("xgboost").save_model(path),
    "model.onnx": lambda path: path.write_bytes(onnx_model().SerializeToString()),
}
"""For each kind of file what writes it."""


def _saved(flavour: str, kind: str) -> Callable[[Path], None]:
    def save(path: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import importlib  # noqa: PLC0415 - MLflow is slow to import

            model = onnx_model() if kind == "onnx" else trained(kind)
            # Requirements are given, as inferring them would start processes and load the model.
            importlib.import_module(f"mlflow.{flavour}").save_model(model, path, pip_requirements=[flavour])

    return save


MLFLOW: dict[str, Callable[[Path], None]] = {
    "lightgbm": _saved("lightgbm", "lightgbm"),
    "a LightGBM estimator": _saved("lightgbm", "lightgbm estimator"),
    "xgboost": _saved("xgboost", "xgboost"),
    "an XGBoost estimator": _saved("xgboost", "xgboost estimator"),
    "sklearn": _saved("sklearn", "skops"),
    "onnx": _saved("onnx", "onnx"),
}
"""For each flavour what saves a folder, by MLflow itself."""
