"""LightGBM's boosters, as the text that LightGBM writes: exact, and readable."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockgate.kernel.errors import Invalid
from lockgate.packages.formats.protocol import Format, Scorer, Stored, Trees
from lockgate.packages.formats.trees import GTIL_DUST, as_trees

__all__ = ["LIGHTGBM"]

_BEGINS, _ENDS = b"tree\nversion=", b"end of trees"
_BINARY = ("binary", "cross_entropy", "xentropy")


class _LightgbmText:
    """`Booster`, `LGBMClassifier` and `LGBMRegressor`."""

    def takes(self, model: Any) -> bool:  # noqa: ANN401 - any object a user may hand over
        return type(model).__module__.partition(".")[0] == "lightgbm" and hasattr(model, "predict")

    def scorer(self, model: Any, task: str) -> Scorer:  # noqa: ANN401 - what `takes` took
        booster = _booster(model)
        return _Boosted(booster, task, _objective(booster.model_to_string(num_iteration=1)))

    def dump(self, model: Any) -> Stored:  # noqa: ANN401 - what `takes` took
        booster = _booster(model)
        if booster.pandas_categorical:
            raise Invalid(
                "This model has categories that pandas gave numbers to",
                expected="category codes as the training set has them",
                found=f"{len(booster.pandas_categorical)} columns with pandas categories",
                way_out="Fit on training.x; training.categorical says which columns are categories.",
            )
        return Stored(booster.model_to_string().encode())

    def trees(self, model: Any) -> Trees | None:  # noqa: ANN401 - what `takes` took
        return as_trees(GTIL_DUST, lambda treelite: treelite.frontend.from_lightgbm(_booster(model)))

    def load(self, stored: Stored, task: str) -> Scorer:
        import lightgbm  # noqa: PLC0415 - the model's own library, only with the model

        data = stored.data
        # Its parser reads garbage as an empty model, or ends the process.
        if not data.startswith(_BEGINS) or _ENDS not in data:
            raise Invalid(
                "These bytes are no model that LightGBM wrote",
                expected="text from 'tree' to 'end of trees'",
                found=repr(data[:20]),
            )
        try:
            text = data.decode()
            booster = lightgbm.Booster(model_str=text)
        except (lightgbm.basic.LightGBMError, UnicodeDecodeError, ValueError) as error:
            raise Invalid("LightGBM can't read this model", expected="its own text", found=str(error)) from error
        return _Boosted(booster, task, _objective(text))


def _booster(model: Any) -> Any:  # noqa: ANN401 - LightGBM publishes no types
    return getattr(model, "booster_", model)


class _Boosted:
    def __init__(self, booster: Any, task: str, objective: str) -> None:  # noqa: ANN401 - LightGBM publishes no types
        if booster.num_model_per_iteration() != 1:
            raise Invalid(
                "This LightGBM model gives several numbers a row",
                expected="one number",
                found=f"{booster.num_model_per_iteration()}, objective {objective}",
            )
        if (task == "binary") != (objective in _BINARY):
            raise Invalid(
                f"This LightGBM model is not one for a {task} outcome",
                expected=f"an objective such as {'binary' if task == 'binary' else 'regression'}",
                found=objective or "an objective of your own",
            )
        self._booster = booster

    def score(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self._booster.predict(x, num_threads=1), dtype=np.float64)


def _objective(text: str) -> str:
    """Give the objective that the head of a model's text names: `binary sigmoid:1` begins with it."""
    head = text.partition("\nTree=")[0]
    line = next((line for line in head.splitlines() if line.startswith("objective=")), "")
    return line.removeprefix("objective=").partition(" ")[0]


LIGHTGBM: Format = _LightgbmText()
