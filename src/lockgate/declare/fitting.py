"""What a fitting function is given, and what it gives back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lockgate.declare.mistakes import declaration

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Fitted", "LastSpan", "ModelWanted", "Parameters", "TrainingSet", "fitted", "last"]

Parameters = Mapping[str, Any]
"""The parameters of a model, as declared."""


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """The rows to learn from, oldest first."""

    x: "NDArray[np.float64]"
    """(rows, columns), in the order of the model's `features`; NaN where nothing is known."""

    y: "NDArray[np.float64]"
    """(rows,): the outcome; 0 or 1 for one that is true or false."""

    columns: tuple[str, ...]
    """The name of each column of `x`."""

    categorical: tuple[bool, ...]
    """For each column, whether it holds category codes: 0, 1, 2 … in the vocabulary's order, NaN for unseen."""


@dataclass(frozen=True)
class Fitted:
    """A fitted model on its way into a package."""

    model: Any
    """A scikit-learn estimator or pipeline."""

    logged: Mapping[str, float] = field(default_factory=dict)
    """Numbers to keep with the training run."""


@dataclass(frozen=True)
class LastSpan:
    """The last part of the data."""

    span: timedelta


@dataclass(kw_only=True)
class ModelWanted:
    """A declared model."""

    outcome: Any
    threshold: float
    test: LastSpan
    parameters: dict[str, Any]
    features: list[Any]
    function: Callable[..., Any]
    where: str


def fitted(model: Any, **logged: float) -> Fitted:  # noqa: ANN401 - scikit-learn's classes have no common type
    """Hand over a fitted model, with numbers worth keeping beside it."""
    return Fitted(model, logged)


@declaration
def last(span: timedelta) -> LastSpan:
    """Take the last part of the data by the time asked; for the `test` of a model."""
    return LastSpan(span)
