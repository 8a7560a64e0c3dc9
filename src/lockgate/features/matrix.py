"""Rows through the fused closure, to typed columns, to the matrix: a column at a time, with the meaning of `Encoder`.

- A raw column holds what a feature gave: a number as a float64, a category as text; null where the model sees NaN.
- `Encoder` says what a value becomes, one row at a time. This does the same to whole columns, bit for bit.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockgate.features.online import fuse, number
from lockgate.records.features import FeatureSet, FieldKind, ModelColumn, RequestSpec

__all__ = ["encode_rows", "known_columns", "localised", "run_rows", "vocabulary_of"]

_PIECE = 16_384
"""Rows that are Python objects at a time."""

_PLAIN = {type(None), float}


def known_columns(features: FeatureSet) -> list[list[str]]:
    """Give the names of the columns in which `as_served` keeps what is known: a group for each look-up, then window."""
    return [[f"{one.source}.{column.name}" for column in one.columns] for one in features.lookups] + [
        [f"{one.name}.{column.name}" for column in one.columns] for one in features.windows
    ]


def localised(frame: pl.DataFrame, request: RequestSpec, features: FeatureSet) -> pl.DataFrame:
    """Give what the closure reads of the rows of `as_served`, times in the feature set's zone."""
    fields = [
        pl.col(field.name).dt.convert_time_zone(features.timezone)
        if field.kind is FieldKind.TIME
        else pl.col(field.name)
        for field in request.fields
    ]
    return frame.select(*fields, *(name for group in known_columns(features) for name in group))


def run_rows(
    local: pl.DataFrame, request: RequestSpec, features: FeatureSet, progress: Callable[[float], None] = lambda _: None
) -> pl.DataFrame:
    """Run the fused closure over rows that are `localised`, in this process."""
    fused = fuse(request, features)
    fields = [field.name for field in request.fields]
    groups = known_columns(features)
    pieces = [_typed([], features.columns)]
    progress(0.0)
    for done, piece in enumerate(local.iter_slices(_PIECE)):
        known: Iterable[Sequence[Any]] = zip(*(piece.select(names).rows() for names in groups), strict=True)
        rows = map(fused, piece.select(fields).rows(), known if groups else repeat(()))
        pieces.append(_typed(list(rows), features.columns))
        progress(min(1.0, (done + 1) * _PIECE / max(1, local.height)))
    return pl.concat(pieces)


def _typed(rows: Sequence[tuple[Any, ...]], columns: Sequence[ModelColumn]) -> pl.DataFrame:
    values = list(zip(*rows, strict=True)) or [() for _ in columns]
    return pl.DataFrame(
        [
            _texts(column.name, given) if column.type is FieldKind.CATEGORY else _numbers(column.name, given)
            for column, given in zip(columns, values, strict=True)
        ]
    )


def _texts(name: str, values: Sequence[Any]) -> pl.Series:
    texts = [value if isinstance(value, str) else None for value in values]
    try:
        return pl.Series(name, texts, dtype=pl.String)
    except UnicodeEncodeError:  # half a character: no vocabulary can hold it
        return pl.Series(
            name, [value if value is not None and _is_whole(value) else None for value in texts], dtype=pl.String
        )


def _is_whole(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _numbers(name: str, values: Sequence[Any]) -> pl.Series:
    numbers = values if set(map(type, values)) <= _PLAIN else [number(value) for value in values]
    series = pl.Series(name, numbers, dtype=pl.Float64)
    return series.to_frame().select(pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name)).to_series()


def vocabulary_of(raw: pl.DataFrame, features: FeatureSet) -> dict[str, tuple[str, ...]]:
    """Give the vocabulary of each category column: its values, sorted."""
    return {
        column.name: tuple(raw[column.name].drop_nulls().unique().sort().to_list())
        for column in features.columns
        if column.type is FieldKind.CATEGORY
    }


def encode_rows(
    raw: pl.DataFrame, features: FeatureSet, vocabulary: Mapping[str, Sequence[str]]
) -> NDArray[np.float64]:
    """Give the matrix, (rows, columns)."""
    matrix = np.full((raw.height, len(features.columns)), math.nan)
    for i, column in enumerate(features.columns):
        values = raw[column.name]
        if column.type is FieldKind.CATEGORY:
            codes = {value: float(code) for code, value in enumerate(vocabulary[column.name])}
            values = values.replace_strict(codes, default=None, return_dtype=pl.Float64)
        matrix[:, i] = values.fill_null(math.nan).to_numpy()
    return matrix
