"""What was known when: the clock of a source's rows.

- A row *declares* since when it is available: in a column, or as a delay after its event time.
- A row that first shows up in a later reading, taken at t2 after one taken at t1, could not be known before: with a
  stated ingest lag it counts from max(declared, t2 - lag); without, as declared if that is after t1, else from t2.
  That is its *effective* available time. Its file carries the floor (`not_before`).
- Frames of clocked sources carry the effective time as the column `@available`: UTC, microseconds, never null.
"""

from collections.abc import Iterable
from datetime import datetime

import polars as pl

from lockgate.records.source import SourceSpec

__all__ = ["AVAILABLE", "GONE", "available", "declared", "held", "known_rows", "stamped"]

AVAILABLE = "@available"
"""The column that says since when a row was known."""

GONE = "@gone"
"""The column that says whether the source holds a row no more. It was known, and stays in history."""

_MOMENT = pl.Datetime("us", "UTC")


def available(source: SourceSpec) -> pl.Expr:  # noqa: ARG001 - of every clocked source it is the same column
    """Give when rows of a clocked source could first be known, in a frame that carries its effective clock."""
    return pl.col(AVAILABLE)


def declared(source: SourceSpec) -> pl.Expr:
    """Give when rows say they could first be known; null for not yet."""
    if source.available_time is not None:
        return pl.col(source.available_time).cast(_MOMENT)
    return (pl.col(source.event_time or "") + source.available_delay).cast(_MOMENT)


def stamped(
    source: SourceSpec, rows: pl.LazyFrame, not_before: datetime | None = None, seen_after: datetime | None = None
) -> pl.LazyFrame:
    """Give rows with their effective clock; a table's as they are.

    Args:
        source: the source.
        rows: its rows.
        not_before: none of them was available before.
        seen_after: the floor holds only for rows that declare to have been available by then.
    """
    if not source.clocked:
        return rows
    said = declared(source)
    if not_before is None:
        return rows.with_columns(said.alias(AVAILABLE))
    floor = pl.lit(not_before, dtype=_MOMENT)
    raised = pl.max_horizontal(said, floor)
    if seen_after is not None:
        raised = pl.when(said > pl.lit(seen_after, dtype=_MOMENT)).then(said).otherwise(raised)
    return rows.with_columns(raised.alias(AVAILABLE))


def known_rows(
    source: SourceSpec, files: Iterable[tuple[str, datetime | None]], gone: str | None = None
) -> pl.LazyFrame:
    """Give the rows of a snapshot from its files, in order: of a clocked source with their effective clock.

    Args:
        source: the source.
        files: for each file where it is, and the floor of its rows' available time.
        gone: the places of rows that the source holds no more: a Parquet file; then the column `@gone` is there.
    """
    rows = pl.concat([stamped(source, pl.scan_parquet(path), not_before) for path, not_before in files])
    if not gone:
        return rows
    places = pl.read_parquet(gone)["place"].cast(pl.UInt32)
    return rows.with_row_index(GONE).with_columns(pl.col(GONE).cast(pl.UInt32).is_in(places.implode()))


def held(rows: pl.DataFrame) -> pl.DataFrame:
    """Give the rows that the source still held."""
    return rows.filter(~pl.col(GONE)) if GONE in rows.columns else rows
