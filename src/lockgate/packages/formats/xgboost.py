"""XGBoost's boosters, as the UBJSON that XGBoost writes."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockgate.kernel.errors import Invalid
from lockgate.packages.formats.protocol import Format, Scorer, Stored, Trees
from lockgate.packages.formats.trees import GTIL_FLOAT32, as_trees

__all__ = ["XGBOOST"]

_BINARY = ("binary:logistic", "reg:logistic")


class _XgboostUbj:
    """`Booster`, `XGBClassifier` and `XGBRegressor`; it computes in float32, whoever asks."""

    def takes(self, model: Any) -> bool:  # noqa: ANN401 - any object a user may hand over
        return type(model).__module__.partition(".")[0] == "xgboost" and hasattr(model, "predict")

    def scorer(self, model: Any, task: str) -> Scorer:  # noqa: ANN401 - what `takes` took
        return _Boosted(_booster(model), task)

    def dump(self, model: Any) -> Stored:  # noqa: ANN401 - what `takes` took
        return Stored(bytes(_booster(model).save_raw("ubj")))

    def trees(self, model: Any) -> Trees | None:  # noqa: ANN401 - what `takes` took
        return as_trees(GTIL_FLOAT32, lambda treelite: treelite.frontend.from_xgboost(_booster(model)))

    def load(self, stored: Stored, task: str) -> Scorer:
        import xgboost  # noqa: PLC0415 - the model's own library, only with the model

        if not stored.data.startswith(b"{"):
            raise Invalid(
                "These bytes are no model that XGBoost wrote", expected="UBJSON", found=repr(bytes(stored.data[:20]))
            )
        try:
            booster = xgboost.Booster({"nthread": 1})
            booster.load_model(bytearray(stored.data))
        except xgboost.core.XGBoostError as error:
            raise Invalid("XGBoost can't read this model", expected="UBJSON", found=str(error)[:200]) from error
        return _Boosted(booster, task)


def _booster(model: Any) -> Any:  # noqa: ANN401 - XGBoost publishes no types
    """Give the booster; of an estimator that was stopped early only the rounds that it answers by."""
    if not hasattr(model, "get_booster"):
        return model
    booster = model.get_booster()
    if getattr(model, "early_stopping_rounds", None) is None:
        return booster
    return booster[: model.best_iteration + 1]


class _Boosted:
    def __init__(self, booster: Any, task: str) -> None:  # noqa: ANN401 - XGBoost publishes no types
        import json  # noqa: PLC0415 - needed only here

        objective = json.loads(booster.save_config())["learner"]["objective"]["name"]
        if (task == "binary") != (objective in _BINARY) or objective.startswith(("multi:", "rank:")):
            raise Invalid(
                f"This XGBoost model is not one for a {task} outcome",
                expected=f"an objective such as {'binary:logistic' if task == 'binary' else 'reg:squarederror'}",
                found=objective,
            )
        self._booster = booster

    def score(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(self._booster.inplace_predict(x, validate_features=False), dtype=np.float64)


XGBOOST: Format = _XgboostUbj()
