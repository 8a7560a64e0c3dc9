"""Reads a source: its rows in batches, without those that were not known yet, every time in UTC.

A function runs the user's code; this belongs in a child process.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from lockgate.features.known import declared
from lockgate.kernel.errors import Failed, Invalid
from lockgate.kernel.names import nearest
from lockgate.project.load import function_of
from lockgate.records.features import FieldKind
from lockgate.records.snapshot import TableReference
from lockgate.records.source import SourceSpec

__all__ = ["RowsRead", "kind_of_type", "read", "read_function"]

_BATCH = 500_000


@dataclass(kw_only=True)
class RowsRead:
    """The rows of a source as they are read; `held_back` and `state` are whole once the batches were taken."""

    # One frame at least, if only for its columns.
    batches: Iterator[pl.DataFrame]
    # Whether all of the source is read, so that what is missing is gone.
    whole: bool = True
    # Where not all is read: whether a new row takes the place of an older one of its identity.
    corrects: bool = False
    # Rows that were not known yet.
    held_back: int = 0
    # What was read, so that the next reading need not read it again.
    state: dict[str, Any] = field(default_factory=dict)
    # The table, where its rows are not to be copied.
    reference: TableReference | None = None


def read(spec: SourceSpec, folder: Path, as_of: datetime | None, *, before: dict[str, Any] | None = None) -> RowsRead:
    """Read a source as it was known at `as_of` (None: all that is known now).

    Args:
        spec: the source.
        folder: the project folder.
        as_of: rows known later are held back.
        before: the state of the reading that this one continues.

    Raises:
        Failed: the function raised.
        Invalid: it gave no frame, or columns that its clock needs are not there or are no times.
    """
    del before  # a function is always called whole
    return read_function(spec, function_of(folder, spec.reader.where), as_of)


def read_function(spec: SourceSpec, function: Callable[[], Any], as_of: datetime | None) -> RowsRead:
    """Read what a function gives.

    Raises:
        Failed, Invalid: as `read`.
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
    rows = RowsRead(batches=iter(()))
    rows.batches = _known(spec, frame, as_of, rows)
    return rows


def _known(spec: SourceSpec, frame: pl.DataFrame, as_of: datetime | None, rows: RowsRead) -> Iterator[pl.DataFrame]:
    if spec.clocked:
        _check_clock(spec, frame)
        known = declared(spec)
        kept = frame.filter(known.is_not_null() if as_of is None else (known <= as_of).fill_null(value=False))
        rows.held_back += frame.height - kept.height
        frame = kept
    yield from frame.iter_slices(_BATCH) if frame.height else [frame]


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
