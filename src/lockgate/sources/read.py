"""Reads a source: calls its function, cuts off what was not known yet, and brings every time to UTC.

Runs the user's code; belongs in a child process.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import polars as pl

from lockgate.features.known import declared
from lockgate.kernel.errors import Failed, Invalid
from lockgate.kernel.names import nearest
from lockgate.records.features import FieldKind
from lockgate.records.source import SourceSpec

__all__ = ["kind_of_type", "read"]


def read(spec: SourceSpec, function: Callable[[], Any], as_of: datetime | None) -> pl.DataFrame:
    """Give a source's rows as they were known at `as_of` (None: all that is known now), times in UTC microseconds.

    Raises:
        Failed: the function raised.
        Invalid: it gave no frame, or columns that its clock needs are not there or are no times.
    """
    try:
        given = function()
        frame = given.collect() if isinstance(given, pl.LazyFrame) else pl.DataFrame(given)
    except Exception as error:
        msg = f"The source {spec.name} could not be read"
        raise Failed(
            msg, found=f"{type(error).__name__}: {error}", way_out=f"Try {spec.reader.where} by hand."
        ) from error
    frame = frame.with_columns(_utc(frame))
    if not spec.clocked:
        return frame
    _check_clock(spec, frame)
    known = declared(spec)
    return frame.filter(known.is_not_null() if as_of is None else (known <= as_of).fill_null(value=False))


def _utc(frame: pl.DataFrame) -> list[pl.Expr]:
    return [
        pl.col(name).dt.convert_time_zone("UTC").dt.cast_time_unit("us")
        for name, kind in frame.schema.items()
        if isinstance(kind, pl.Datetime) and kind.time_zone is not None
    ]


def _check_clock(spec: SourceSpec, frame: pl.DataFrame) -> None:
    for column in (spec.event_time, spec.available_time):
        if column is None:
            continue
        if column not in frame.columns:
            msg = f"The source {spec.name} has no column {column}"
            raise Invalid(msg, expected="the column its clock is read from", found=nearest(column, frame.columns))
        kind = frame.schema[column]
        if not isinstance(kind, pl.Datetime) or kind.time_zone is None:
            msg = f"{spec.name}.{column} is no time with a zone"
            hint = "Say which zone its times are in: .dt.replace_time_zone('America/New_York')."
            raise Invalid(msg, expected="Datetime with a time zone", found=str(kind), way_out=hint)


def kind_of_type(kind: pl.DataType) -> FieldKind | None:
    """Give the field type of a column type; None for one that no field can have."""
    if isinstance(kind, pl.Boolean):
        return FieldKind.BOOL
    if kind.is_integer():
        return FieldKind.INT
    if kind.is_float():
        return FieldKind.FLOAT
    if isinstance(kind, pl.String | pl.Categorical | pl.Enum):
        return FieldKind.TEXT
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        return FieldKind.TIME
    return None
