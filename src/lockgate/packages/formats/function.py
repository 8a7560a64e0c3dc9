"""A plain Python function of the model's columns: nothing but a code part, closed over literals.

It is called once a row with the columns in the matrix's order, each a float, or None where nothing is known; it gives a
probability or a number. What it may do is what features may (`kernel.closure`).
"""

import inspect
import math
from collections.abc import Callable
from types import FunctionType
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from lockgate.kernel.closure import close, open_closed
from lockgate.kernel.errors import Failed, Invalid
from lockgate.packages.formats.protocol import Format, Scorer, Stored, Trees

__all__ = ["FUNCTION"]


class _Code(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    source: str
    literals: dict[str, str]


class _PlainFunction:
    """A function defined with `def` in a file."""

    def takes(self, model: Any) -> bool:  # noqa: ANN401 - any object a user may hand over
        return isinstance(model, FunctionType)

    def scorer(self, model: Any, task: str) -> Scorer:  # noqa: ANN401 - what `takes` took
        del task
        return _Rows(model)

    def dump(self, model: Any) -> Stored:  # noqa: ANN401 - what `takes` took
        source, literals = close(model)
        code = _Code(name=model.__name__, source=source, literals=literals)
        return Stored(b"", msgspec.json.encode(code, order="deterministic"))

    def trees(self, model: Any) -> Trees | None:  # noqa: ANN401 - what `takes` took
        del model
        return None

    def load(self, stored: Stored, task: str) -> Scorer:
        del task
        try:
            code = msgspec.json.decode(stored.code, type=_Code)
            return _Rows(open_closed(code.name, code.source, code.literals))
        except (msgspec.MsgspecError, SyntaxError, UnicodeDecodeError, ValueError) as error:
            raise Invalid("These bytes are no function", expected="a closed function", found=str(error)) from error


class _Rows:
    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._columns = len(inspect.signature(function).parameters)

    def score(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        if x.shape[1] != self._columns:
            raise Invalid(
                "This function takes another number of columns", expected=str(self._columns), found=str(x.shape[1])
            )
        return np.array([self._ask(row) for row in x.tolist()], dtype=np.float64)

    def _ask(self, row: list[float]) -> float:
        given = self._function(*(None if math.isnan(value) else value for value in row))
        if not isinstance(given, int | float):
            raise Failed("The function gave no number", expected="a number", found=repr(given)[:80])
        return float(given)


FUNCTION: Format = _PlainFunction()
