"""Tree models answered by treelite's GTIL: the same sums of the same leaves, without the loops of their library.

- The trees are kept as treelite writes them, so that the library itself is not needed to answer.
- Libraries change what they are asked before they compare it, and so is done here: scikit-learn's forests and XGBoost
  round it to float32, LightGBM takes what is no larger than 1e-35 for 0.
- A category that was never seen must come as NaN: libraries take it for missing, GTIL does not.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lockgate.kernel.errors import Invalid
from lockgate.packages.formats.protocol import Scorer, Trees

__all__ = ["GTIL", "GTIL_DUST", "GTIL_FLOAT32", "LIBRARY", "RUNTIMES", "TOLERANCE", "as_trees", "load_trees", "opened"]

LIBRARY, GTIL, GTIL_FLOAT32, GTIL_DUST = "library", "gtil", "gtil-float32", "gtil-lightgbm"

RUNTIMES = (LIBRARY, GTIL, GTIL_FLOAT32, GTIL_DUST)
"""Who answers: the model's own library, or GTIL, given numbers as they are, rounded to float32, or without dust."""

_DUST = float(np.float32(1e-35))  # LightGBM's kZeroThreshold

TOLERANCE = 1e-9
"""The largest difference from the library's answer that still counts as the same; relative where answers exceed 1."""


def as_trees(runtime: str, convert: Callable[[Any], Any]) -> Trees | None:
    """Convert a model, where treelite is installed and can.

    Args:
        runtime: who would answer: it changes what is asked as the model's own library does.
        convert: given the module `treelite`, gives its model.
    """
    try:
        import treelite  # noqa: PLC0415 - only with a model of trees
    except ImportError:
        return None
    try:
        # It makes whole numbers of categories, and NaN may be one; whether that is right is looked at, not believed.
        with np.errstate(invalid="ignore"):
            return Trees(bytes(convert(treelite).serialize_bytes()), runtime)
    except (treelite.TreeliteError, AssertionError, NotImplementedError, RuntimeError, TypeError, ValueError):
        return None  # of a kind that it does not know


def load_trees(trees: Trees) -> Scorer:
    """Load verified bytes.

    Raises:
        Invalid: the runtime is not known, treelite is not there, or another version of it wrote them.
    """
    if trees.runtime not in _CHANGES:
        raise Invalid(
            "This server does not know the runtime of this package", expected=", ".join(RUNTIMES), found=trees.runtime
        )
    return _Gtil(opened(trees), trees.runtime)


def opened(trees: Trees) -> Any:  # noqa: ANN401 - treelite publishes no types
    """Give the treelite model of verified bytes."""
    try:
        import treelite  # noqa: PLC0415 - only with a model of trees
    except ImportError as error:
        raise Invalid(
            "This package is answered by treelite, which is not installed here",
            expected="the environment that the package was built in",
            found=str(error),
            way_out="pip install treelite",
        ) from error
    try:
        return treelite.Model.deserialize_bytes(trees.data)
    except (treelite.TreeliteError, RuntimeError) as error:
        raise Invalid("treelite can't read these trees", expected="its own bytes", found=str(error)[:200]) from error


class _Gtil:
    def __init__(self, model: Any, runtime: str) -> None:  # noqa: ANN401 - treelite publishes no types
        import treelite  # noqa: PLC0415 - loaded already

        self._model, self._change, self._columns = model, _CHANGES[runtime], model.num_feature
        self._predict = treelite.gtil.predict

    def score(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        if x.shape[1] != self._columns:
            raise Invalid("These trees take other rows", expected=f"{self._columns} columns", found=str(x.shape[1]))
        given = self._predict(self._model, self._change(x), nthread=1)
        return np.asarray(given[:, 0, -1], dtype=np.float64)


def _as_it_is(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return x


def _rounded(x: NDArray[np.float64]) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):
        return x.astype(np.float32)


def _without_dust(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.abs(x) <= _DUST, 0.0, x)


_CHANGES: dict[str, Callable[[NDArray[np.float64]], NDArray[Any]]] = {
    GTIL: _as_it_is,
    GTIL_FLOAT32: _rounded,
    GTIL_DUST: _without_dust,
}
"""What each runtime makes of what it is asked."""
