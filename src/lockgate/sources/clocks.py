"""Brings rows as a reader gives them to what others rely on: times in UTC, and none that was not known yet."""

from collections.abc import Iterable, Iterator
from datetime import datetime

import polars as pl

from lockgate.features.known import declared
from lockgate.kernel.errors import Invalid
from lockgate.kernel.names import nearest
from lockgate.records.source import ReaderKind, SourceSpec

__all__ = ["Cut"]

_BY_FUNCTION = "Say which zone its times are in: .dt.replace_time_zone('America/New_York')."
_BY_READER = "Say which zone its times are in: timezone='America/New_York'."


class Cut:
    """Cuts off what was not known at a moment, and counts it.

    Args:
        spec: the source.
        as_of: the moment; None for all that is known now.
    """

    def __init__(self, spec: SourceSpec, as_of: datetime | None) -> None:
        """Have cut nothing yet."""
        self._spec, self._as_of = spec, as_of
        self._zone = spec.reader.options.get("timezone")
        self.held_back = 0

    def rows(self, batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        """Give what was known of each batch.

        Raises:
            Invalid: columns that the clock needs are not there or are no times.
        """
        for batch in batches:
            yield self.known(batch)

    def known(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Give what was known of a frame, times in UTC microseconds.

        Raises:
            Invalid: as `rows`.
        """
        frame = frame.with_columns(_utc(frame, self._zone))
        if not self._spec.clocked:
            return frame
        _check_clock(self._spec, frame)
        since = declared(self._spec)
        known = since.is_not_null() if self._as_of is None else (since <= self._as_of).fill_null(value=False)
        kept = frame.filter(known)
        self.held_back += frame.height - kept.height
        return kept


def _utc(frame: pl.DataFrame, zone: str | None) -> list[pl.Expr]:
    return [
        _moment(name, kind, zone).dt.convert_time_zone("UTC").dt.cast_time_unit("us")
        for name, kind in frame.schema.items()
        if isinstance(kind, pl.Datetime) and (kind.time_zone is not None or zone is not None)
    ]


def _moment(name: str, kind: pl.Datetime, zone: str | None) -> pl.Expr:
    if kind.time_zone is not None or zone is None:
        return pl.col(name)
    # An hour that clocks show twice is taken as the later one: nothing is known too early. One they skip is none.
    return pl.col(name).dt.replace_time_zone(zone, ambiguous="latest", non_existent="null")


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
            hint = _BY_FUNCTION if spec.reader.kind is ReaderKind.FUNCTION else _BY_READER
            raise Invalid(msg, expected="Datetime with a time zone", found=str(kind), way_out=hint)
