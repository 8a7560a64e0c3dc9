"""scikit-learn's estimators and pipelines, as skops writes them."""

import io
import tokenize
import zipfile
import zlib
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lockgate.kernel.errors import Invalid
from lockgate.packages.formats.protocol import Format, Scorer, Stored, Trees
from lockgate.packages.formats.scikit_types import TRUSTED, refuse_foreign
from lockgate.packages.formats.sound import check_sound
from lockgate.packages.formats.trees import GTIL, GTIL_FLOAT32, as_trees

__all__ = ["SKOPS", "read_skops"]


class _Skops:
    """Estimators and pipelines; which types they may hold says `scikit_types`, never the file."""

    def takes(self, model: Any) -> bool:  # noqa: ANN401 - any object a user may hand over
        return type(model).__module__.partition(".")[0] == "sklearn" and hasattr(model, "predict")

    def scorer(self, model: Any, task: str) -> Scorer:  # noqa: ANN401 - what `takes` took
        return _Estimator(model, task)

    def dump(self, model: Any) -> Stored:  # noqa: ANN401 - what `takes` took
        import skops.io  # noqa: PLC0415 - the model's own library, only with the model

        from lockgate.packages.zipped import deterministic  # noqa: PLC0415 - needed only where models are packed

        data = deterministic(skops.io.dumps(model))
        refuse_foreign(_schema(data), set(skops.io.get_untrusted_types(data=data)) - TRUSTED)
        return Stored(data)

    def trees(self, model: Any) -> Trees | None:  # noqa: ANN401 - what `takes` took
        kind = type(model).__name__.removesuffix("Classifier").removesuffix("Regressor")
        if kind not in _TREES:
            return None
        return as_trees(_TREES[kind], lambda treelite: treelite.sklearn.import_model(model))

    def load(self, stored: Stored, task: str) -> Scorer:
        return _Estimator(read_skops(stored.data), task)


def read_skops(data: bytes, more: Iterable[str] = ()) -> Any:  # noqa: ANN401 - scikit-learn's classes have no common type
    """Give the estimator that a skops file holds.

    Args:
        data: the file.
        more: types to allow beside the server's own list.

    Raises:
        Invalid: it is none, or holds a type that is not allowed.
        TooLarge: it would unpack to far more than it is.
    """
    import skops.io  # noqa: PLC0415 - the model's own library, only with the model

    from lockgate.packages.zipped import check_unpacked  # noqa: PLC0415 - likewise

    allowed = TRUSTED | set(more)
    try:
        check_unpacked(data)
        refuse_foreign(_schema(data), ())
        model = skops.io.loads(data, trusted=sorted(allowed))
    except skops.io.exceptions.UntrustedTypesFoundException:
        unknown = set(skops.io.get_untrusted_types(data=data)) - allowed
        refuse_foreign({}, unknown)
        raise
    except _NOT_READ as error:
        msg = "These bytes are no model that skops can read"
        raise Invalid(msg, expected="a skops file", found=f"{type(error).__name__}: {error}") from error
    try:
        check_sound(model)
    except _NOT_READ as error:
        msg = "A tree of this model is not whole"
        raise Invalid(msg, expected="trees that can be followed", found=f"{type(error).__name__}: {error}") from error
    return model


def _schema(data: bytes) -> Any:  # noqa: ANN401 - any JSON value
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        # It takes less than skops' own parser, and what it takes is the same to both.
        return msgspec.json.decode(archive.read("schema.json"))


_NOT_READ = (
    zipfile.BadZipFile,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    tokenize.TokenError,
    zlib.error,
    msgspec.MsgspecError,
)
"""What skops and what it fills in raise where bytes are not what they should be."""

_TREES = {
    "HistGradientBoosting": GTIL,
    "RandomForest": GTIL_FLOAT32,
    "ExtraTrees": GTIL_FLOAT32,
    "GradientBoosting": GTIL_FLOAT32,
}
"""Models of trees, and the runtime that changes what it is asked as they do."""


class _Estimator:
    def __init__(self, model: Any, task: str) -> None:  # noqa: ANN401 - scikit-learn's classes have no common type
        self._model = model
        self._binary = task == "binary"

    def score(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        if not self._binary:
            return np.asarray(self._model.predict(x), dtype=np.float64)
        both = np.asarray(self._model.predict_proba(x), dtype=np.float64)
        if both.shape != (len(x), 2):
            raise Invalid(
                "This model is not one of two classes",
                expected=f"predict_proba to give {len(x)} by 2 numbers",
                found=" by ".join(map(str, both.shape)),
            )
        return both[:, 1]


SKOPS: Format = _Skops()
