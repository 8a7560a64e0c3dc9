"""Compares a column of a chunk as it was served with the same column as it was derived."""

from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockgate.features.offline import TYPES
from lockgate.monitoring.differences import Compared
from lockgate.records.features import FieldKind

__all__ = ["compare_numbers", "compare_values", "series"]

Allowed = NDArray[np.float64]
"""The largest difference that counts as within, of each value or of all; 0 where only equal is equal."""

_EXACT = np.zeros(1)
_PYTHON: dict[FieldKind, tuple[type, ...]] = {
    FieldKind.BOOL: (bool,),
    FieldKind.INT: (int,),
    FieldKind.FLOAT: (float, int),
    FieldKind.TEXT: (str,),
    FieldKind.CATEGORY: (str,),
    FieldKind.TIME: (datetime,),
}


def series(name: str, values: list[Any], kind: FieldKind | None) -> tuple[pl.Series, NDArray[np.bool_]]:
    """Give values as a column of their type, and where one has another type; that one is null in the column."""
    none = np.zeros(len(values), dtype=np.bool_)
    if kind is None or kind is FieldKind.TIME:
        return pl.Series(name, values, dtype=pl.Int64).cast(pl.Int64 if kind is None else TYPES[kind]), none
    try:
        if kind is FieldKind.BOOL or bool not in {*map(type, values)}:
            return pl.Series(name, values, dtype=TYPES[kind], strict=True), none
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        pass
    right = [value is None or _is_a(value, kind) for value in values]
    kept = [value if ok else None for value, ok in zip(values, right, strict=True)]
    return pl.Series(name, kept, dtype=TYPES[kind]), ~np.array(right, dtype=np.bool_)


def _is_a(value: Any, kind: FieldKind) -> bool:  # noqa: ANN401 - a value of any column
    return isinstance(value, _PYTHON[kind]) and (kind is FieldKind.BOOL or not isinstance(value, bool))


def compare_numbers(
    covered: NDArray[np.bool_], served: NDArray[np.float64], expected: NDArray[np.float64], allowed: Allowed
) -> Compared:
    """Compare floats in which NaN stands for null: bit for bit, every NaN is one, and 0 is not -0."""
    nothing, wanted = np.isnan(served), np.isnan(expected)
    exact = (nothing & wanted) | (_bits(served) == _bits(expected))
    gap = np.abs(served - expected)
    return Compared(covered, exact, exact | ((gap <= allowed) & (allowed > 0)), gap, nothing, wanted)


def _bits(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.ascontiguousarray(values).view(np.int64)


def compare_values(
    covered: NDArray[np.bool_], values: list[Any], derived: pl.Series, kind: FieldKind | None, allowed: Allowed = _EXACT
) -> Compared:
    """Compare values of any type; a value of another type than the column's is different."""
    served, alien = series("served", values, kind)
    nothing = served.is_null().to_numpy() & ~alien
    wanted = derived.is_null().to_numpy()
    if kind is FieldKind.FLOAT:
        same = _bits(served.fill_null(0.0).to_numpy()) == _bits(derived.fill_null(0.0).to_numpy())
        same |= served.is_nan().fill_null(value=False).to_numpy() & derived.is_nan().fill_null(value=False).to_numpy()
    else:
        same = served.eq_missing(derived).to_numpy()
    exact = ((nothing & wanted) | (same & ~nothing & ~wanted)) & ~alien
    gap = np.full(len(values), np.nan)
    if kind not in {FieldKind.TEXT, FieldKind.CATEGORY}:
        gap = (served.cast(pl.Float64) - derived.cast(pl.Float64)).abs().fill_null(np.nan).to_numpy()
    within = exact | ((gap <= allowed) & (allowed > 0) & ~alien)
    return Compared(covered, exact, within, gap, nothing, wanted)
