"""What a window holds when a question is asked: the online meaning, on plain values (docs/spec/windows.md).

- A row counts from the later of its event time and its available time on, until a later version of it does. Of the
  versions of one row that count, the one available last counts alone.
- Of the rows that count at t, a window over a span holds those with t - span < event time <= t.
- A row whose value is null, or no finite number, is not aggregated; it still takes the place of an earlier version.
- Whole numbers, and floats with a scale, are summed as integers: exactly. Other floats are summed by `math.fsum`.

It reads no store and no clock: who calls it hands over the rows of one series.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Protocol

from lockgate.records.features import Aggregate, FieldKind, Window
from lockgate.records.prediction import Known

__all__ = ["INT64", "SeriesRows", "WindowReader"]

INT64 = (-(2**63), 2**63 - 1)
"""The least and the greatest whole number that a window gives; a sum beyond is null."""


class SeriesRows(Protocol):
    """The rows of one `by` value by event time, of one event time by available time. Times in microseconds.

    Of one row's versions with the same available time only the one told last is there.
    """

    @property
    def events(self) -> Sequence[int]:
        """When each happened."""

    @property
    def available(self) -> Sequence[int]:
        """When each could first be known."""

    @property
    def ids(self) -> Sequence[Any]:
        """What identifies each: with its event time, or alone where the source names a column for it."""

    def column(self, name: str, start: int, end: int) -> Sequence[Any]:
        """Give the values of a column from one row to before another."""


class WindowReader:
    """Reads one window from the rows of a series.

    Args:
        window: the window, types known.
        identified: whether the source names a column that identifies a row alone, whatever its event time.
    """

    def __init__(self, window: Window, *, identified: bool = False) -> None:
        """Plan each span once."""
        self.window = window
        self._identified = identified
        spans = sorted({column.span for column in window.columns}, reverse=True)
        self._spans = [round(span.total_seconds() * 1_000_000) for span in spans]
        self._plan = [(spans.index(column.span), column.aggregate) for column in window.columns]
        self._wants_last = any(column.aggregate is Aggregate.LAST for column in window.columns)
        self._floats = window.value_type is FieldKind.FLOAT
        self._ten = 10 ** (window.scale or 0) if self._floats else 1

    def read(self, rows: SeriesRows, asked_at: int) -> Known:
        """Give what the window holds at `asked_at` (microseconds)."""
        first = bisect_right(rows.events, asked_at - self._spans[0])
        last = bisect_right(rows.events, asked_at, first)
        counted, values = self._valued(rows, self._counting(rows, first, last, asked_at), first, last)
        if self._wants_last:
            values = _greatest_last(rows, counted, values)
        events = rows.events
        times = [events[place] for place in counted]
        held = [self._held(values[bisect_right(times, asked_at - span) :]) for span in self._spans]
        answer = tuple(_aggregated(aggregate, held[number]) for number, aggregate in self._plan)
        if not counted:
            return Known(self.window.name, answer, None, None)
        return Known(self.window.name, answer, times[-1], rows.available[counted[-1]])

    def _counting(self, rows: SeriesRows, first: int, last: int, asked_at: int) -> Sequence[int]:
        """Give the places of the rows from first to last that count, in order."""
        available, ids = rows.available, rows.ids
        if not self._identified:
            known: Sequence[int] = range(first, last)
            if max(available[first:last], default=asked_at) > asked_at:
                known = [place for place in known if available[place] <= asked_at]
            names = list(zip(rows.events[first:last], ids[first:last], strict=True))
            if len(set(names)) == len(names):
                return known
            return sorted({names[place - first]: place for place in known}.values())
        newest: dict[Any, int] = {}
        for place in range(last):  # a version that is newer may have happened before the window
            if available[place] <= asked_at and available[newest.get(ids[place], place)] <= available[place]:
                newest[ids[place]] = place
        return sorted(place for place in newest.values() if place >= first)

    def _valued(
        self, rows: SeriesRows, counting: Sequence[int], first: int, last: int
    ) -> tuple[Sequence[int], Sequence[Any]]:
        """Give those rows that have a value to aggregate, and their values."""
        name = self.window.value
        if name is None:
            return counting, counting
        column = rows.column(name, first, last)
        given = column if len(counting) == len(column) else [column[place - first] for place in counting]
        if self._are_plain(given):
            return counting, given
        numbers = [self._number(value) for value in given]
        valued = [place for place, number in zip(counting, numbers, strict=True) if number is not None]
        return valued, [number for number in numbers if number is not None]

    def _are_plain(self, values: Sequence[Any]) -> bool:
        """Tell quickly that `_number` would give every value as it is."""
        kinds = set(map(type, values))
        if not self._floats:
            return kinds <= {int}
        if kinds != {float} or 0.0 in values or not math.isfinite(sum(values)):
            return False
        return self.window.scale is None or all(abs(one(values) * self._ten) < INT64[1] for one in (min, max))

    def _number(self, value: Any) -> float | None:  # noqa: ANN401 - a value of any column
        """Give a value as it is aggregated; None for one that is not."""
        if value is None or not math.isfinite(value):
            return None
        if not self._floats:
            return int(value)
        if self.window.scale is not None and not abs(value * self._ten) < INT64[1]:
            return None
        return float(value) + 0.0  # so that there is one zero

    def _held(self, values: Sequence[Any]) -> "_Floats | _Exact":
        if self._floats and self.window.scale is None:
            return _Floats(values)
        return _Exact(values, self._ten, whole=not self._floats)


def _greatest_last(rows: SeriesRows, counted: Sequence[int], values: Sequence[Any]) -> Sequence[Any]:
    """Of the newest rows that have both times in common, let the greatest value come last: no telling decides it."""
    events, available = rows.events, rows.available
    start = len(counted) - 1
    while start > 0 and _same_times(events, available, counted[start - 1], counted[start]):
        start -= 1
    return values if start >= len(counted) - 1 else [*values[:start], *sorted(values[start:])]


def _same_times(events: Sequence[int], available: Sequence[int], one: int, other: int) -> bool:
    return events[one] == events[other] and available[one] == available[other]


class _Floats:
    """The values of a span, floats."""

    def __init__(self, values: Sequence[float]) -> None:
        self.values = values

    def sum(self) -> float:
        return math.fsum(self.values)

    def mean(self) -> float:
        return math.fsum(self.values) / len(self.values)

    def std(self) -> float:
        mean = self.mean()
        return math.sqrt(math.fsum((value - mean) ** 2 for value in self.values) / (len(self.values) - 1))


class _Exact:
    """The values of a span, each a whole number of units: ones, or with a scale tenths, hundredths, ..."""

    def __init__(self, values: Sequence[Any], ten: int, *, whole: bool) -> None:
        self.values = values
        self._ten = ten
        self._whole = whole

    @cached_property
    def _units(self) -> Sequence[int]:
        return self.values if self._whole else [round(value * self._ten) for value in self.values]

    def sum(self) -> float | None:
        total = sum(self._units)
        if not self._whole:
            return total / self._ten
        return total if INT64[0] <= total <= INT64[1] else None

    def mean(self) -> float:
        return sum(self._units) / (len(self.values) * self._ten)

    def std(self) -> float:
        n, total = len(self.values), sum(self._units)
        squares = sum(unit * unit for unit in self._units)
        return math.sqrt((n * squares - total * total) / (n * (n - 1) * self._ten**2))


def _aggregated(aggregate: Aggregate, held: _Floats | _Exact) -> float | None:
    """Give an aggregate of the values of a span; null where there are too few, or it is beyond what a float holds."""
    try:
        if len(held.values) < _LEAST.get(aggregate, 1):
            return None
        return _AGGREGATES[aggregate](held)
    except OverflowError:
        return None


_LEAST = {Aggregate.COUNT: 0, Aggregate.SUM: 0, Aggregate.STD: 2}

_AGGREGATES: dict[Aggregate, Callable[[Any], float | None]] = {
    Aggregate.COUNT: lambda held: len(held.values),
    Aggregate.SUM: lambda held: held.sum(),
    Aggregate.MEAN: lambda held: held.mean(),
    Aggregate.MIN: lambda held: min(held.values),
    Aggregate.MAX: lambda held: max(held.values),
    Aggregate.STD: lambda held: held.std(),
    Aggregate.LAST: lambda held: held.values[-1],
}
