"""Models that were fitted elsewhere, opened by their own libraries: which columns they ask for, and what they answer.

- Called only in a process that may die: parsers of native libraries end it on some bytes.
- A model is packed as it was brought where its file is what a format keeps; nothing is fitted, and nothing is converted
  to another library.
- Answers are asked of the library's own object here; what is packed is asked by its format, and both must agree.
"""

import re
import sys
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lockgate.kernel.errors import Invalid
from lockgate.packages.formats.onnx import ONNX, runtime
from lockgate.packages.formats.protocol import Stored
from lockgate.packages.formats.scikit_learn import read_skops
from lockgate.packages.formats.xgboost import XGBOOST
from lockgate.packages.zipped import deterministic

__all__ = ["OPENERS", "Brought"]

Ask = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From rows of the model's columns to what the library's own object answers: a probability, or a number."""

_LIGHTGBM_TYPES = (
    "collections.OrderedDict",
    "lightgbm.basic.Booster",
    "lightgbm.sklearn.LGBMClassifier",
    "lightgbm.sklearn.LGBMRegressor",
)
"""What MLflow's skops files of LightGBM hold: loading them sets attributes, and reads the booster's text."""

_LIGHTGBM_BINARY = ("binary", "cross_entropy", "xentropy")
_XGBOOST_BINARY = ("binary:logistic", "reg:logistic")
_UNNAMED = re.compile(r"Column_\d+|f\d+")
_MATRIX = 2


class Brought(msgspec.Struct, frozen=True, kw_only=True):
    """A model that was opened."""

    # The format it is packed in, and what is packed.
    format: str
    stored: Stored
    # What it is, with its library's version.
    fitted: str
    # Asks the library's own object.
    ask: Ask
    # That object, as its format takes it; None where nothing but its library answers for it.
    model: Any = None
    # The columns it names, in order; empty where it names none.
    names: tuple[str, ...] = ()
    # How many columns it takes; None where it does not say.
    width: int | None = None
    # For columns of text that the model has codes for: the texts, in code order.
    vocabulary: dict[str, tuple[str, ...]] = {}
    # `binary` or `regression`; empty where it does not say.
    task: str = ""
    # What else there is to know, in words.
    notes: tuple[str, ...] = ()


def _scikit_learn(data: bytes, _: str) -> Brought:
    model = read_skops(data)
    from sklearn.base import is_classifier  # noqa: PLC0415 - the model's own library, only with the model

    if not hasattr(model, "predict") or (is_classifier(model) and not hasattr(model, "predict_proba")):
        expected = "an estimator or a pipeline; one that tells classes apart, with predict_proba"
        raise Invalid("This file holds no model that can be asked", expected=expected, found=type(model).__name__)
    return Brought(
        format="skops/1",
        stored=Stored(deterministic(data)),
        fitted=_described(model, "scikit-learn", "sklearn"),
        ask=_asking(model),
        model=model,
        names=tuple(map(str, getattr(model, "feature_names_in_", ()))),
        width=_whole(getattr(model, "n_features_in_", None)),
        task="binary" if hasattr(model, "predict_proba") else "regression",
        notes=_classes(model),
    )


def _classes(model: Any) -> tuple[str, ...]:  # noqa: ANN401 - scikit-learn's classes have no common type
    """Say which class is true, where that is not plain."""
    if not hasattr(model, "predict_proba"):
        return ()
    classes = [str(one) for one in getattr(model, "classes_", ())]
    if len(classes) != 2:  # noqa: PLR2004 - true and false
        found = f"{len(classes)}: {', '.join(classes[:5])}"
        raise Invalid("This model tells other than two classes apart", expected="two classes", found=found)
    return () if classes in (["0", "1"], ["False", "True"]) else (f"true stands for the class {classes[1]}",)


def _asking(model: Any) -> Ask:  # noqa: ANN401 - an estimator
    if hasattr(model, "predict_proba"):
        return lambda x: np.asarray(model.predict_proba(x), dtype=np.float64)[:, 1]
    return lambda x: np.asarray(model.predict(x), dtype=np.float64)


def _lightgbm(data: bytes, _: str) -> Brought:
    import lightgbm  # noqa: PLC0415 - the model's own library, only with the model

    if data.startswith(b"PK"):
        model = read_skops(data, _LIGHTGBM_TYPES)
        booster = model.booster_ if hasattr(model, "booster_") else model
        data = booster.model_to_string().encode()
        ask = _asking(model)
    else:
        if b"end of trees" not in data:
            raise Invalid("This text of LightGBM is not whole", expected="its end of trees", found="none")
        try:
            model = booster = lightgbm.Booster(model_str=data.decode())
        except (lightgbm.basic.LightGBMError, UnicodeDecodeError, ValueError) as error:
            raise Invalid("LightGBM can't read this model", expected="its own text", found=str(error)) from error
        ask = lambda x: np.asarray(booster.predict(x), dtype=np.float64)  # noqa: E731 - one of two ways to ask
    header = dict(line.split("=", 1) for line in data.decode().partition("\nTree=")[0].splitlines() if "=" in line)
    names = tuple(booster.feature_name())
    return Brought(
        format="lightgbm-text/1",
        stored=Stored(data),
        fitted=_described(model, "lightgbm"),
        ask=ask,
        model=booster,
        names=() if all(map(_UNNAMED.fullmatch, names)) else names,
        width=booster.num_feature(),
        vocabulary=_categories(booster, data.decode(), names),
        task="binary" if header.get("objective", "").partition(" ")[0] in _LIGHTGBM_BINARY else "regression",
    )


def _categories(booster: Any, text: str, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:  # noqa: ANN401 - LightGBM publishes no types
    """Give the texts that pandas gave codes to, by the column that has them."""
    given = booster.pandas_categorical or []
    if not given:
        return {}
    match = re.search(r"^\[categorical_feature: ([\d,]*)\]$", text, re.MULTILINE)
    places = [int(one) for one in match[1].split(",") if one] if match else []
    if len(places) != len(given) or not all(isinstance(one, str) for values in given for one in values):
        raise Invalid(
            "It is not clear which columns the categories of this model belong to",
            expected="categories of text, one list for each categorical column",
            found=f"{len(given)} lists, {len(places)} columns",
        )
    return {names[place]: tuple(values) for place, values in zip(places, given, strict=True)}


def _xgboost(data: bytes, _: str) -> Brought:
    import xgboost  # noqa: PLC0415 - the model's own library, only with the model

    try:
        booster = xgboost.Booster({"nthread": 1})
        booster.load_model(bytearray(data))
        objective = msgspec.json.decode(booster.save_config())["learner"]["objective"]["name"]
    except (xgboost.core.XGBoostError, msgspec.DecodeError, KeyError) as error:
        raise Invalid("XGBoost can't read this model", expected="its UBJSON or JSON", found=str(error)[:200]) from error
    kinds = dict(zip(booster.feature_names or (), booster.feature_types or (), strict=False))
    if "c" in kinds.values():
        raise Invalid(
            "This XGBoost model has columns of categories, which are not taken",
            expected="columns of numbers",
            found=", ".join(name for name, kind in kinds.items() if kind == "c"),
            way_out="Fit it on numbers: an ordinal or a one-hot encoding.",
        )
    booster, notes = _stopped(booster)
    names = tuple(booster.feature_names or ())

    def ask(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(booster.predict(xgboost.DMatrix(x, feature_names=booster.feature_names)), dtype=np.float64)

    return Brought(
        format="xgboost-ubj/1",
        stored=XGBOOST.dump(booster),
        fitted=_described(booster, "xgboost"),
        ask=ask,
        model=booster,
        names=() if all(map(_UNNAMED.fullmatch, names)) else names,
        width=booster.num_features(),
        task="binary" if objective in _XGBOOST_BINARY else "regression",
        notes=notes,
    )


def _stopped(booster: Any) -> tuple[Any, tuple[str, ...]]:  # noqa: ANN401 - XGBoost publishes no types
    """Give the booster as its estimator answers: one that was stopped early answers by its best rounds."""
    said = booster.attributes()
    if "best_iteration" not in said or "scikit_learn" not in said:
        return booster, ()
    rounds = int(said["best_iteration"]) + 1
    return booster[:rounds], (f"stopped early: it answers by {rounds} rounds",)


def _onnx(data: bytes, task: str) -> Brought:
    import onnx  # noqa: PLC0415 - the model's own library, only with the model
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - likewise

    try:
        model = onnx.ModelProto.FromString(data)
    except DecodeError as error:
        raise Invalid("These bytes are no ONNX model", expected="a ModelProto", found=str(error)) from error
    # A classifier gives a label, a whole number, beside its probabilities.
    labelled = any(one.type.tensor_type.elem_type == onnx.TensorProto.INT64 for one in model.graph.output)
    task = task or ("binary" if labelled else "regression")
    sizes = [
        [one.dim_value for one in given.type.tensor_type.shape.dim]
        for given in model.graph.input
        if given.name not in {one.name for one in model.graph.initializer}
    ]
    scorer = ONNX.load(Stored(data), task)
    made_by = f"{model.producer_name} {model.producer_version}".strip()
    return Brought(
        format="onnx/1",
        stored=Stored(data),
        fitted=f"{type(model).__name__} (onnxruntime {runtime().__version__})",
        ask=scorer.score,
        width=sizes[0][1] or None if sizes and len(sizes[0]) == _MATRIX else None,
        task=task,
        notes=(f"made by {made_by}",) if made_by else (),
    )


def _described(model: Any, library: str, module: str = "") -> str:  # noqa: ANN401 - any model
    return f"{type(model).__name__} ({library} {sys.modules[module or library].__version__})"


def _whole(value: Any) -> int | None:  # noqa: ANN401 - what an attribute holds
    return int(value) if value is not None else None


OPENERS: dict[str, Callable[[bytes, str], Brought]] = {
    "lightgbm": _lightgbm,
    "onnx": _onnx,
    "skops": _scikit_learn,
    "xgboost": _xgboost,
}
"""For each kind of file what opens it; given the task where that was said, else nothing."""
