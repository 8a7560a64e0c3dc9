"""Windows over a year of flights: the kernel that computes history, against the reader that answers one question.

- The project's own windows are compared for every request of the year. All aggregates over the same spans, of whole
  numbers and of floats without a scale, are compared for some of the requests.
- Counts, least, greatest and last values, and all that is made of whole numbers, must be the same bits.
- Of floats without a scale, sums and means may differ by 1e-9 of the sum of the magnitudes, deviations by 1e-9 of the
  greatest: the error is shown as a share of that.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from msgspec.structs import replace
from numpy.typing import NDArray

from benchmarks.data.flights import Flights, flights
from benchmarks.data.sizes import Run
from benchmarks.harness import Figure, at_most
from lockgate.features.history_windows import window_columns
from lockgate.features.known import available
from lockgate.features.windows import WindowReader
from lockgate.records.features import Aggregate, FieldKind, Window, WindowColumn
from lockgate.records.source import SourceSpec

__all__ = ["measure"]

_TOLERANCE = 1e-9
_TOLERATED = (Aggregate.SUM, Aggregate.MEAN, Aggregate.STD)

Columns = list[NDArray[np.float64]]
"""The columns of a window for some questions; NaN for null."""


def measure(run: Run) -> list[Figure]:
    """Compare the windows."""
    year = flights(run.sizes.flights)
    some = year.served.gather_every(max(1, year.served.height // run.sizes.windowed))
    own = [_Compared(year, year.served, window, _values(year, window, 1)) for window in year.features.windows]
    whole = [_Compared(year, some, _with_all(one, FieldKind.INT), _values(year, one, 1)) for one in _valued(year)]
    parts = [_Compared(year, some, _with_all(one, FieldKind.FLOAT), _values(year, one, 0.1)) for one in _valued(year)]
    exact = sum(one.differing() for one in own + whole) + sum(one.differing(besides=_TOLERATED) for one in parts)
    worst = max(one.worst_error() for one in parts)
    columns = sum(len(one.window.columns) for one in own)
    asked = year.served.height
    return [
        at_most(
            "windows: exact values that differ online", exact, "of them", 0, f"{asked:,} requests, and {some.height:,}"
        ),
        at_most("windows: error of float sums / what is tolerated", worst, "x", 1, f"of {some.height:,} requests"),
        Figure(
            name="windows: computed offline",
            value=sum(one.offline_seconds for one in own),
            unit="s",
            note=f"{columns} columns of {len(own)} windows, {asked:,} requests",
        ),
        Figure(
            name="windows: read online, one window",
            value=sum(one.online_seconds for one in own) / len(own) / asked * 1e6,
            unit="µs",
            note="from rows in memory",
        ),
    ]


@dataclass(frozen=True)
class _Series:
    """The rows of one `by` value, in order, as a reader wants them."""

    events: list[int]
    available: list[int]
    ids: list[Any]
    values: list[Any]

    def column(self, name: str, start: int, end: int) -> Sequence[Any]:
        """Give the values: there is one column."""
        del name
        return self.values[start:end]


class _Compared:
    """A window computed both ways.

    Args:
        year: the flights.
        questions: the requests.
        window: the window.
        rows: the rows of its source.
    """

    def __init__(self, year: Flights, questions: pl.DataFrame, window: Window, rows: pl.DataFrame) -> None:
        spec, request = year.sources[window.source][0], year.request
        self.window = window
        began = time.perf_counter()
        computed = window_columns(questions, request, window, spec, rows)
        self.offline_seconds = time.perf_counter() - began
        self._offline = [_floats(column) for column in computed]
        sizes = _with_sizes(window)
        told = rows if window.value is None else rows.with_columns(pl.col(window.value).abs())
        self._sizes = [_floats(column) for column in window_columns(questions, request, sizes, spec, told)]
        series, reader = _series_of(spec, window, rows), WindowReader(window, identified=spec.event_id is not None)
        nothing = _Series([], [], [], [])
        by = questions[window.by].to_list()
        asked = questions[request.asked_at].dt.timestamp("us").to_list()
        began = time.perf_counter()
        read = [reader.read(series.get(one, nothing), at).values for one, at in zip(by, asked, strict=True)]
        self.online_seconds = time.perf_counter() - began
        self._online = list(np.array(read, dtype=np.float64).T)

    def differing(self, besides: Sequence[Aggregate] = ()) -> int:
        """Count the values that are not the same bits."""
        return sum(
            int((~_same(offline, online)).sum())
            for column, offline, online in zip(self.window.columns, self._offline, self._online, strict=True)
            if column.aggregate not in besides
        )

    def worst_error(self) -> float:
        """Give the largest error as a share of what is tolerated; infinite where one is null and the other is not."""
        worst = 0.0
        for number, column in enumerate(self.window.columns):
            if column.aggregate not in _TOLERATED:
                continue
            offline, online = self._offline[number], self._online[number]
            both = ~np.isnan(offline) & ~np.isnan(online)
            if not _same(np.isnan(offline).astype(float), np.isnan(online).astype(float)).all():
                return float("inf")
            error = np.abs(offline - online)[both]
            size = self._size(number, column.aggregate)[both]
            worst = max(worst, float((error / np.maximum(size * _TOLERANCE, 5e-324)).max(initial=0.0)))
        return worst

    def _size(self, number: int, aggregate: Aggregate) -> NDArray[np.float64]:
        """Give what an error is held against: the sum of the magnitudes, over their count, or the greatest."""
        total, count, greatest = self._sizes[3 * number : 3 * number + 3]
        if aggregate is Aggregate.STD:
            return greatest
        return total if aggregate is Aggregate.SUM else total / np.maximum(count, 1)


def _valued(year: Flights) -> list[Window]:
    return [window for window in year.features.windows if window.value is not None]


def _values(year: Flights, window: Window, times: float) -> pl.DataFrame:
    """Give the rows of a window's source, its values multiplied: by a tenth they are no whole numbers any more."""
    rows = year.sources[window.source][1]
    return rows if window.value is None or times == 1 else rows.with_columns(pl.col(window.value) * times)


def _with_all(window: Window, kind: FieldKind) -> Window:
    """Give a window with all aggregates over its spans; as whole numbers, or floats without a scale."""
    spans = sorted({column.span for column in window.columns})
    columns = tuple(
        WindowColumn(name=f"{aggregate.value}_{span}", aggregate=aggregate, span=span)
        for span in spans
        for aggregate in Aggregate
    )
    return replace(window, value_type=kind, scale=None, columns=columns)


def _with_sizes(window: Window) -> Window:
    """Give a window with what the errors of its columns are held against."""
    wanted = (Aggregate.SUM, Aggregate.COUNT, Aggregate.MAX) if window.value is not None else (Aggregate.COUNT,) * 3
    columns = tuple(
        WindowColumn(name=f"{number} {place}", aggregate=aggregate, span=column.span)
        for number, column in enumerate(window.columns)
        for place, aggregate in enumerate(wanted)
    )
    return replace(window, columns=columns)


def _series_of(spec: SourceSpec, window: Window, rows: pl.DataFrame) -> dict[Any, _Series]:
    """Sort the rows of the year to their `by` values."""
    told = rows.select(
        pl.col(window.by).alias("by"),
        pl.col(spec.event_time or "").dt.timestamp("us").alias("event"),
        available(spec).dt.timestamp("us").alias("known"),
        pl.col(spec.event_id or spec.key).alias("id"),
        (pl.lit(1) if window.value is None else pl.col(window.value)).alias("value"),
    ).drop_nulls(["by", "event", "known"])
    told = told.sort("event", "known", maintain_order=True)
    return {
        part["by"][0]: _Series(*(part[name].to_list() for name in ("event", "known", "id", "value")))
        for part in told.partition_by("by")
    }


def _floats(column: pl.Series) -> NDArray[np.float64]:
    return column.cast(pl.Float64).fill_null(np.nan).to_numpy()


def _same(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell where two are the same bits; a null is a null."""
    bits = np.equal(one.view(np.int64), np.ascontiguousarray(other).view(np.int64))
    return np.logical_or(bits, np.isnan(one) & np.isnan(other))
