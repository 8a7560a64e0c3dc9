"""Every format, by the name that packages carry."""

from typing import Any

from lockgate.kernel.errors import Invalid
from lockgate.packages.formats.function import FUNCTION
from lockgate.packages.formats.lightgbm import LIGHTGBM
from lockgate.packages.formats.onnx import ONNX
from lockgate.packages.formats.protocol import Format
from lockgate.packages.formats.pytorch import TORCH
from lockgate.packages.formats.scikit_learn import SKOPS
from lockgate.packages.formats.xgboost import XGBOOST

__all__ = ["FORMATS", "format_for", "format_named"]

FORMATS: dict[str, Format] = {
    "skops/1": SKOPS,
    "lightgbm-text/1": LIGHTGBM,
    "xgboost-ubj/1": XGBOOST,
    "onnx/1": ONNX,
    "torch-safetensors/1": TORCH,
    "python/1": FUNCTION,
}
"""Every format, by name."""

_TAKEN = (
    "a scikit-learn estimator or pipeline, a model of LightGBM or XGBoost, an ONNX model,"
    " lockgate.torch_model(...) or a plain function"
)


def format_for(model: Any) -> str:  # noqa: ANN401 - any object a user may hand over
    """Give the name of the format that stores a model.

    Raises:
        Invalid: there is none.
    """
    for name, form in FORMATS.items():
        if form.takes(model):
            return name
    kind = f"{type(model).__module__}.{type(model).__name__}"
    raise Invalid(f"There is no safe way to store a {kind}", expected=_TAKEN, found=type(model).__name__)


def format_named(name: str) -> Format:
    """Give a format by name.

    Raises:
        Invalid: there is none of that name.
    """
    form = FORMATS.get(name)
    if form is None:
        raise Invalid(f"This server does not know the package format {name!r}", expected=", ".join(FORMATS), found=name)
    return form
