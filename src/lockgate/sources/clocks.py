"""Brings rows to what everybody after relies on: every time in UTC, and no row that was not known yet.

- A time with a zone becomes UTC in microseconds. One without gets the zone that the reader states. An hour that clocks
  show twice is taken as the later one: nothing is known too early. One that they skip is refused: the zone is wrong.
- A clock that is text is read as ISO 8601. A clock without a zone, or a date, is refused: nobody can tell when it was.
- What a function gives is taken as it is, apart from zones. Elsewhere decimals become floats.
"""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from lockgate.features.known import declared
from lockgate.kernel.errors import Invalid
from lockgate.kernel.names import nearest
from lockgate.records.source import ReaderKind, SourceSpec

__all__ = ["Cut"]

_MOMENT = pl.Datetime("us", "UTC")
_NAIVE = pl.Datetime("us")

# What ISO 8601 allows, brought to one form: a space between date and time, digits for the zone.
_REWRITTEN = ((r"^(\d{4}-\d{2}-\d{2})[tT]", "${1} "), (r"\s?[zZ]$", "+00:00"), (r" ?([+-]\d{2})$", "${1}:00"))
_ZONED = r":\d{2}(\.\d+)? ?[+-]\d{2}:?\d{2}$"
_FORMAT = "%Y-%m-%d %H:%M:%S%.f"
_SHORT = "%Y-%m-%d %H:%M"

_WITH_ZONE = "Say which zone its times are in: timezone='America/New_York'."


class Cut:
    """Cuts off what was not known at a moment, and counts it.

    Args:
        spec: the source.
        as_of: the moment; None for all that is known now.
        times: columns beside its clock that are times, if they are text.
    """

    def __init__(self, spec: SourceSpec, as_of: datetime | None, times: Sequence[str] = ()) -> None:
        """Have cut nothing yet."""
        self._spec, self._as_of = spec, as_of
        self._zone: str | None = spec.reader.options.get("timezone")
        self._plain = spec.reader.kind is not ReaderKind.FUNCTION
        self._times = {one for one in (spec.event_time, spec.available_time, *times) if one is not None}
        self.held_back = 0

    def known(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Give what was known of some rows, times in UTC microseconds.

        Raises:
            Invalid: as `split`.
        """
        return self.split(frame)[0]

    def split(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Give what was known of some rows, and the others, which are counted.

        Raises:
            Invalid: columns that the clock needs are not there, or are no times.
        """
        frame = self._in_utc(self._plainly(frame) if self._plain else frame)
        if not self._spec.clocked:
            return frame, frame.clear()
        _check_clock(self._spec, frame)
        since = declared(self._spec)
        known = since.is_not_null() if self._as_of is None else (since <= self._as_of).fill_null(value=False)
        kept, held = frame.filter(known), frame.filter(~known)
        self.held_back += held.height
        return kept, held

    def _plainly(self, frame: pl.DataFrame) -> pl.DataFrame:
        kinds = frame.schema.items()
        frame = frame.with_columns(pl.col(name).cast(pl.Float64) for name, kind in kinds if kind.is_decimal())
        texts = [name for name in self._times if frame.schema.get(name) in {pl.String, pl.Null}]
        return frame.with_columns(_read(self._spec, frame[name]) for name in texts)

    def _in_utc(self, frame: pl.DataFrame) -> pl.DataFrame:
        zone = self._zone
        try:
            return frame.with_columns(
                _zoned(pl.col(name), kind, zone).dt.convert_time_zone("UTC").dt.cast_time_unit("us")
                for name, kind in frame.schema.items()
                if isinstance(kind, pl.Datetime) and (kind.time_zone or zone)
            )
        except pl.exceptions.ComputeError as error:
            raise Invalid(
                f"The source {self._spec.name} has a time that there never was",
                expected=f"times of {zone}",
                found=str(error).partition(". ")[0],
                way_out="Are its times of another zone, timezone='UTC' perhaps?",
            ) from error


def _zoned(column: pl.Expr, kind: pl.Datetime, zone: str | None) -> pl.Expr:
    if kind.time_zone is not None or zone is None:
        return column
    return column.dt.replace_time_zone(zone, ambiguous="latest")


def _read(spec: SourceSpec, texts: pl.Series) -> pl.Series:
    """Read texts as times: all with a zone, or none."""
    there = texts.drop_nulls()
    if there.is_empty():
        return texts.cast(_MOMENT)
    plain = texts.str.strip_chars()
    for old, new in _REWRITTEN:
        plain = plain.str.replace(old, new)
    zoned = bool(plain.str.contains(_ZONED).any())
    kind, zone = (_MOMENT, "%#z") if zoned else (_NAIVE, "")
    forms = [pl.col(texts.name).str.to_datetime(form + zone, strict=False).cast(kind) for form in (_FORMAT, _SHORT)]
    read = plain.to_frame().select(pl.coalesce(forms)).to_series()
    if read.null_count() > texts.null_count():
        raise Invalid(
            f"{spec.name}.{texts.name} can't be read as times",
            expected="times of one form, like 2013-03-10T02:30:00Z, or all without a zone",
            found=repr(texts.filter(read.is_null() & texts.is_not_null())[0]),
            way_out="Write them so, or read the source by a function that does.",
        )
    if not zoned and spec.reader.options.get("timezone") is None:
        raise _no_clock(spec, texts.name, repr(there[0]), _WITH_ZONE)
    return read


def _check_clock(spec: SourceSpec, frame: pl.DataFrame) -> None:
    for column in (spec.event_time, spec.available_time):
        if column is None:
            continue
        if column not in frame.columns:
            msg = f"The source {spec.name} has no column {column}"
            raise Invalid(msg, expected="the column its clock is read from", found=nearest(column, frame.columns))
        kind = frame.schema[column]
        if not isinstance(kind, pl.Datetime) or kind.time_zone is None:
            raise _no_clock(spec, column, str(kind), _way_out(spec, kind))


def _no_clock(spec: SourceSpec, column: str, found: str, way_out: str) -> Invalid:
    msg = f"{spec.name}.{column} is no time with a zone"
    return Invalid(msg, expected="Datetime with a time zone", found=found, way_out=way_out)


def _way_out(spec: SourceSpec, kind: pl.DataType) -> str:
    if spec.reader.kind is ReaderKind.FUNCTION:
        return "Say which zone its times are in: .dt.replace_time_zone('America/New_York')."
    if isinstance(kind, pl.Datetime):
        return _WITH_ZONE
    return "Read the source by a function, or a query, that says at what time of the day."
