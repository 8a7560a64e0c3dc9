"""What a fitting function is given, and what it gives back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lockgate.declare.mistakes import declaration
from lockgate.declare.run import Run

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = [
    "Fitted",
    "LastSpan",
    "ModelWanted",
    "Parameters",
    "TorchModel",
    "TrainingSet",
    "fitted",
    "last",
    "torch_model",
]

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

    run: Run = field(default_factory=Run, compare=False, repr=False)
    """What the function tells of itself goes there: `log` numbers, `keep` files, `tag`."""


@dataclass(frozen=True)
class TorchModel:
    """A PyTorch module, and how to build it again."""

    module: Any
    """A fitted `torch.nn.Module`."""

    build: Callable[..., Any]
    """Given `torch` and the arguments, it gives a module of the same shape."""

    arguments: Mapping[str, Any]
    """JSON values."""


@dataclass(frozen=True)
class Fitted:
    """A fitted model on its way into a package."""

    model: Any
    """A scikit-learn estimator or pipeline, a LightGBM, XGBoost or ONNX model, a `TorchModel`, or a function."""

    logged: Mapping[str, float] = field(default_factory=dict)
    """Numbers to log with the training run, after all others."""


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
    runtime: str
    features: list[Any]
    function: Callable[..., Any]
    where: str


def fitted(model: Any, **logged: float) -> Fitted:  # noqa: ANN401 - scikit-learn's classes have no common type
    """Hand over a fitted model, with numbers worth logging at its end."""
    return Fitted(model, logged)


def torch_model(module: Any, build: Callable[..., Any], **arguments: Any) -> TorchModel:  # noqa: ANN401 - torch is not there for the checker; JSON values
    """Hand over a PyTorch module.

    Args:
        module: the fitted module; it takes (rows, columns) and gives a probability or a number for each row.
        build: a function `(torch, **arguments)` that gives a module of the same shape. Its text travels with the
            package, so it reads nothing but its arguments; classes are defined inside it.
        arguments: what it is given beside `torch`: JSON values.
    """
    return TorchModel(module, build, arguments)


@declaration
def last(span: timedelta) -> LastSpan:
    """Take the last part of the data by the time asked; for the `test` of a model."""
    return LastSpan(span)
