"""Windows over history, for all questions at once: what `features.windows` gives, without asking one by one.

A version of a row counts from the later of its event and available time on, until a later version does or the window
has passed it: one interval of question times. Among the questions about its group, by time, that is one run
(`features.runs`).

- `count`, `min`, `max` and `last`, and all that is made of whole numbers or of floats with a scale: bit for bit what is
  given online.
- Of floats without a scale: `sum` and `mean` within 1e-9 of the sum of the magnitudes (`mean`: over the count), `std`
  within 1e-9 of the greatest magnitude, or 1e-150 where that is more.
"""

from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lockgate.features.known import available
from lockgate.features.runs import Runs, largest, ratio
from lockgate.features.windows import INT64
from lockgate.records.features import Aggregate, FieldKind, RequestSpec, Window
from lockgate.records.source import SourceSpec

__all__ = ["window_columns"]

_MOMENT = pl.Datetime("us", "UTC")
_TYPES: dict[FieldKind, Any] = {FieldKind.INT: pl.Int64, FieldKind.FLOAT: pl.Float64, FieldKind.BOOL: pl.Int64}


def window_columns(
    frame: pl.DataFrame, request: RequestSpec, window: Window, spec: SourceSpec, rows: pl.DataFrame
) -> list[pl.Series]:
    """Give a window's columns for questions.

    Args:
        frame: the questions, by time.
        request: the request.
        window: the window, types known.
        spec: its source.
        rows: the source's rows, in the order in which they were told.
    """
    questions = frame.select(
        pl.col(window.by).alias("@by"), pl.col(request.asked_at).cast(_MOMENT).dt.epoch("us").alias("@asked")
    )
    groups = questions.select(pl.col("@by").drop_nulls().unique()).with_row_index("@group")
    kind = frame.schema[window.by]
    versions = _versions(rows.with_columns(pl.col(window.by).cast(kind).alias("@by")), window, spec)
    return _Asked(questions, groups).columns(versions.join(groups, on="@by", how="inner"), window)


def _versions(rows: pl.DataFrame, window: Window, spec: SourceSpec) -> pl.DataFrame:
    """Give every version of a row with what decides when it counts, and its value as it is aggregated."""
    known = rows.select(
        "@by",
        pl.col(spec.key).alias("@key"),
        _value(window).alias("@value"),
        pl.lit(None).alias("@id") if spec.event_id is None else pl.col(spec.event_id).alias("@id"),
        pl.col(spec.event_time or "").cast(_MOMENT).dt.epoch("us").alias("@event"),
        available(spec).dt.epoch("us").alias("@available"),
    ).drop_nulls(["@by", "@key", "@event", "@available"])
    known = known.with_columns(
        pl.max_horizontal("@event", "@available").alias("@since"),
        # A row without the id that its source names is known by key and event time.
        *(pl.when(pl.col("@id").is_null()).then(pl.col(name)).alias(f"@id {name}") for name in ("@key", "@event")),
    )
    group = ["@by", "@id", "@id @key", "@id @event"]
    several = pl.struct(group).is_duplicated()
    # Of what was told several times with one available time, the last.
    versions = known.filter(several).unique([*group, "@available"], keep="last", maintain_order=True)
    later = pl.col("@since").cum_min(reverse=True).shift(-1).over(group)
    corrected = versions.sort("@available").with_columns(later.alias("@until"))
    alone = known.filter(~several).with_columns(pl.lit(None, dtype=pl.Int64).alias("@until"))
    return pl.concat([alone, corrected]).drop(group[1:]).filter(pl.col("@value").is_not_null())


def _value(window: Window) -> pl.Expr:
    """Give what is aggregated; null for what is not."""
    if window.value is None:
        return pl.lit(1, dtype=pl.Int64)
    value = pl.col(window.value).cast(_TYPES[window.value_type or FieldKind.FLOAT])
    if window.value_type is not FieldKind.FLOAT:
        return value
    fits = value.is_finite()
    if window.scale is not None:
        fits &= (value * float(10**window.scale)).abs() < float(INT64[1])
    return pl.when(fits & (value == 0)).then(0.0).when(fits).then(value)  # there is one zero


class _Asked:
    """The questions by group and time, and where in that order each moment of a group falls."""

    def __init__(self, questions: pl.DataFrame, groups: pl.DataFrame) -> None:
        group = questions.join(groups, on="@by", how="left", maintain_order="left")["@group"]
        asked = questions["@asked"].to_numpy()
        self._height = len(asked)
        known = np.flatnonzero(group.is_not_null().to_numpy())
        of = group.drop_nulls().to_numpy().astype(np.int64)
        self._order = known[np.argsort(of, kind="stable")]  # by group; the questions come by time
        self._moments = np.unique(asked)
        self._places = self._place(np.sort(of, kind="stable"), asked[self._order])

    def _place(self, group: NDArray[np.int64], moment: NDArray[np.int64]) -> NDArray[np.int64]:
        """Give a number for a moment of a group that is in order of group, then moment."""
        return group * (len(self._moments) + 1) + np.searchsorted(self._moments, moment)

    def columns(self, versions: pl.DataFrame, window: Window) -> list[pl.Series]:
        group, event, since = (versions[name].to_numpy().astype(np.int64) for name in ("@group", "@event", "@since"))
        until = versions["@until"].fill_null(INT64[1]).to_numpy()
        newest = np.lexsort((versions["@value"].to_numpy(), versions["@available"].to_numpy(), event))
        first = np.searchsorted(self._places, self._place(group, since))
        answers: dict[timedelta, _Answers] = {}
        for span in {column.span for column in window.columns}:
            end = np.minimum(event + round(span.total_seconds() * 1_000_000), until)
            after = np.searchsorted(self._places, self._place(group, end))
            counted = newest[first[newest] < after[newest]]
            runs = Runs(len(self._order), first[counted], after[counted])
            answers[span] = _Answers(runs, versions["@value"].to_numpy()[counted], window)
        found = [(column, *answers[column.span].of(column.aggregate)) for column in window.columns]
        return [
            self._series(f"{window.name}.{column.name}", column.aggregate, values, holds)
            for column, values, holds in found
        ]

    def _series(self, name: str, aggregate: Aggregate, values: Any, holds: NDArray[np.bool_]) -> pl.Series:  # noqa: ANN401 - NDArray of any number
        """Put answers where their questions stand; one about nobody has the answer of an empty window."""
        empty = aggregate in {Aggregate.COUNT, Aggregate.SUM}
        whole = np.zeros(self._height, dtype=values.dtype)
        whole[self._order] = values
        told = np.full(self._height, empty)
        told[self._order] = holds
        if values.dtype == object:
            whole = np.where(told, whole, 0).astype(np.int64)
        series = pl.Series(name, whole)
        return series.to_frame().select(pl.when(pl.Series(told)).then(pl.col(name)).alias(name)).to_series()


class _Answers:
    """What every question gets of the rows of one span, which come by event time, available time, value."""

    def __init__(self, runs: Runs, values: NDArray[Any], window: Window) -> None:
        self._runs = runs
        self._values = values
        self._floats = window.value_type is FieldKind.FLOAT
        self._ten = 10 ** (window.scale or 0)
        self._exact = not self._floats or window.scale is not None
        self._units = np.rint(values * float(self._ten)).astype(np.int64) if self._floats and self._exact else values

    def of(self, aggregate: Aggregate) -> tuple[Any, NDArray[np.bool_]]:
        """Give an aggregate's values, and which of them are not null."""
        counts = self._runs.counts
        if aggregate is Aggregate.COUNT:
            return counts, counts >= 0
        if aggregate in {Aggregate.MIN, Aggregate.MAX, Aggregate.LAST}:
            return self._picked(aggregate), counts > 0
        if aggregate is Aggregate.SUM and not self._floats:
            sums = self._runs.sums(self._units)
            return sums, (sums >= INT64[0]) & (sums <= INT64[1])
        enough = counts >= {Aggregate.SUM: 0, Aggregate.MEAN: 1, Aggregate.STD: 2}[aggregate]
        values = np.zeros(len(counts))
        with np.errstate(over="ignore", invalid="ignore"):
            values[enough] = (self._exactly if self._exact else self._nearly)(aggregate, enough)
        return values, enough & np.isfinite(values)

    def _picked(self, aggregate: Aggregate) -> NDArray[Any]:
        if aggregate is Aggregate.LAST:
            last = self._runs.greatest(np.arange(len(self._values)), -1)
            return self._values[last] if len(self._values) else np.zeros(self._runs.size, self._values.dtype)
        lowest, highest = (-np.inf, np.inf) if self._floats else INT64
        if aggregate is Aggregate.MAX:
            return self._runs.greatest(self._values, lowest)
        return self._runs.least(self._values, highest)

    def _exactly(self, aggregate: Aggregate, enough: NDArray[np.bool_]) -> NDArray[np.float64]:
        n = self._runs.counts[enough]
        total = self._runs.sums(self._units)[enough]
        if aggregate is Aggregate.SUM:
            return ratio(total, np.full(len(n), self._ten))
        if aggregate is Aggregate.MEAN:
            return ratio(total, _times(n, self._ten))
        most = int(n.max(initial=0)) * largest(self._units)
        units, total = (self._units, total) if most < 2**31 else (self._units.astype(object), total.astype(object))
        squares = self._runs.sums(units * units)[enough]
        return np.sqrt(ratio(n * squares - total * total, _times(n * (n - 1), self._ten**2)))

    def _nearly(self, aggregate: Aggregate, enough: NDArray[np.bool_]) -> NDArray[np.float64]:
        n = self._runs.counts[enough]
        if aggregate is Aggregate.STD:
            return np.sqrt(self._runs.float_deviations(self._values)[enough] / (n - 1))
        sums = self._runs.float_sums(self._values)[enough]
        return sums if aggregate is Aggregate.SUM else sums / n


def _times(numbers: NDArray[np.int64], factor: int) -> Any:  # noqa: ANN401 - NDArray of int64 or of Python integers
    most = int(numbers.max(initial=0)) * factor
    return numbers * factor if most <= INT64[1] else numbers.astype(object) * factor
