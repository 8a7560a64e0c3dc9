"""Reads a source: its rows in batches, without those that were not known yet, every time in UTC.

A function runs the user's code; this belongs in a child process. What reads the other kinds stands beside this file.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import polars as pl
from msgspec import to_builtins

from lockgate.kernel.canonical import digest_of
from lockgate.kernel.errors import Failed
from lockgate.project.load import function_of
from lockgate.records.features import FieldKind
from lockgate.records.snapshot import TableReference
from lockgate.records.source import ReaderKind, SourceSpec
from lockgate.sources.clocks import Cut
from lockgate.sources.delta import DeltaRead, open_table
from lockgate.sources.files import ROWS, FilesRead, find_files
from lockgate.sources.sql import Queried, query

__all__ = ["RowsRead", "kind_of_type", "read", "read_function"]


T = TypeVar("T")

Reading = FilesRead | Queried | DeltaRead

_READERS: dict[ReaderKind, Callable[[SourceSpec, Path, Cut, dict[str, Any]], Reading]] = {
    ReaderKind.CSV: find_files,
    ReaderKind.PARQUET: find_files,
    ReaderKind.SQL: query,
    ReaderKind.DELTA: open_table,
}


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
        Failed: the function raised, or what is read is broken.
        Invalid: columns that its clock needs are not there or are no times; or what is read does not fit together.
        NotFound, Unavailable: what is read is not there, or can't be reached.
    """
    if spec.reader.kind is ReaderKind.FUNCTION:
        return read_function(spec, function_of(folder, spec.reader.where), as_of)
    types = spec.reader.options.get("types", {})
    cut = Cut(spec, as_of, [name for name, kind in types.items() if kind == "time"])
    mark = digest_of(to_builtins(spec.reader))
    # A table is replaced whole. So is what was read otherwise: other options may give other rows.
    goes_on = spec.clocked and before is not None and before.get("reader") == mark
    begin = _READERS[spec.reader.kind]
    reading = begin(spec, folder, cut, before if goes_on and before else {})
    rows = RowsRead(
        batches=iter(()),
        whole=reading.whole,
        corrects=isinstance(reading, Queried),
        reference=reading.reference if isinstance(reading, DeltaRead) else None,
    )
    rows.batches = _told(reading, cut, mark, rows)
    return rows


def _told(reading: Reading, cut: Cut, mark: str, rows: RowsRead) -> Iterator[pl.DataFrame]:
    yield from reading.batches()
    rows.held_back = cut.held_back
    rows.state = {"reader": mark, **reading.state}


def read_function(spec: SourceSpec, function: Callable[[], Any], as_of: datetime | None) -> RowsRead:
    """Read what a function gives; a lazy frame runs batch by batch.

    Raises:
        Failed, Invalid: as `read`; of a lazy frame, once its batches are taken.
    """
    given = _run(spec, function)
    if not isinstance(given, pl.LazyFrame):
        given = _run(spec, lambda: pl.DataFrame(given)).lazy()
    cut = Cut(spec, as_of)
    rows = RowsRead(batches=iter(()))
    rows.batches = _given(spec, given, cut, rows)
    return rows


def _given(spec: SourceSpec, plan: pl.LazyFrame, cut: Cut, rows: RowsRead) -> Iterator[pl.DataFrame]:
    frames = _run(spec, lambda: iter(plan.collect_batches(chunk_size=ROWS, maintain_order=True)))
    empty = True
    while (frame := _run(spec, lambda: next(frames, None))) is not None:
        yield cut.known(frame)
        empty = False
    if empty:
        yield cut.known(pl.DataFrame(schema=_run(spec, plan.collect_schema)))
    rows.held_back = cut.held_back


def _run(spec: SourceSpec, code: Callable[[], T]) -> T:
    """Run what a user wrote, or what runs it."""
    try:
        return code()
    except Exception as error:
        raise Failed(
            f"The source {spec.name} could not be read",
            found=f"{type(error).__name__}: {error}",
            way_out=f"Try {spec.reader.where} by hand.",
        ) from error


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
