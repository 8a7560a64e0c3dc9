"""How models are stored. A format that would run code on loading has no place in this table.

Loading imports the model's own library, and nothing does so before.
"""

import zipfile
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lockgate.kernel.errors import Invalid

__all__ = ["FORMATS", "Format", "Scorer"]


class Scorer(Protocol):
    """A model that can be asked."""

    def score(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Score rows (rows, columns): a probability for `binary`, the number for `regression`."""


class Format(Protocol):
    """A way to store a fitted model."""

    def takes(self, model: Any) -> bool:  # noqa: ANN401 - any object a user may hand over
        """Tell whether this format can store it."""

    def dump(self, model: Any) -> bytes:  # noqa: ANN401 - what `takes` took
        """Give its bytes; the same model gives the same bytes."""

    def load(self, data: bytes, task: str) -> Scorer:
        """Load verified bytes; runs no code from them."""


class _Skops:
    """scikit-learn estimators and pipelines, by skops; types beyond its list come from ours, never from the file."""

    def takes(self, model: Any) -> bool:  # noqa: ANN401 - any object a user may hand over
        return type(model).__module__.partition(".")[0] == "sklearn" and hasattr(model, "predict")

    def dump(self, model: Any) -> bytes:  # noqa: ANN401 - what `takes` took
        import skops.io  # noqa: PLC0415 - the model's own library, only with the model

        from lockgate.packages.zipped import deterministic  # noqa: PLC0415 - needed only where models are packed

        return deterministic(skops.io.dumps(model))

    def load(self, data: bytes, task: str) -> Scorer:
        import skops.io  # noqa: PLC0415 - the model's own library, only with the model

        from lockgate.packages.zipped import check_unpacked  # noqa: PLC0415 - likewise

        try:
            check_unpacked(data)
            unknown = sorted(set(skops.io.get_untrusted_types(data=data)) - _ALLOWED)
            model = None if unknown else skops.io.loads(data, trusted=sorted(_ALLOWED))
        except (
            zipfile.BadZipFile,
            ArithmeticError,
            AttributeError,
            EOFError,
            LookupError,
            TypeError,
            ValueError,
        ) as error:
            msg = "These bytes are no model that skops can read"
            raise Invalid(msg, expected="a skops file", found=f"{type(error).__name__}: {error}") from error
        if unknown:
            msg = "This model holds types that this server does not load"
            raise Invalid(msg, expected="scikit-learn's own types", found=", ".join(unknown[:5]))
        return _Estimator(model, task)


_ALLOWED = frozenset(
    [
        "numpy.dtype",
        "functools.partial",  # of a function that is itself on a list; gradient boosting with categories has one
        "sklearn.utils.validation.check_array",
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.tree._tree.Tree",
    ]
)
"""The server's list, beside skops' own: classes whose loading was read and found to run nothing."""


class _Estimator:
    def __init__(self, model: Any, task: str) -> None:  # noqa: ANN401 - scikit-learn's classes have no common type
        self._model = model
        self._binary = task == "binary"

    def score(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        scores = self._model.predict_proba(x)[:, 1] if self._binary else self._model.predict(x)
        return np.asarray(scores, dtype=np.float64)


FORMATS: dict[str, Format] = {"skops/1": _Skops()}
"""Every format, by the name that packages carry."""
