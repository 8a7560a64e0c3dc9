"""What was known when, found by looking at every row: slow, and written anew from the words of the law.

- Look-ups: of the rows of a key that were available when asked, the one with the latest event time counts, among those
  the one available last, among those the one told last; and only when it is not stale.
- Windows: a row counts since the later of its event time and its available time; of the versions of one row that count,
  the one available last counts alone. A window holds those of them with asked - span < event time.

Nothing here is the product's code.
"""

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from lockgate.features.known import available
from lockgate.records.features import Aggregate, Lookup, Window
from lockgate.records.source import SourceSpec

__all__ = ["LookupOracle", "WindowOracle", "agree"]


class LookupOracle:
    """Answers what a look-up sees.

    Args:
        lookup: the look-up.
        spec: the source's declaration.
        rows: its rows, in the order told.
    """

    def __init__(self, lookup: Lookup, spec: SourceSpec, rows: pl.DataFrame) -> None:
        self._lookup = lookup
        clocks = [pl.col(spec.event_time or ""), available(spec)] if lookup.clocked else [pl.lit(None), pl.lit(None)]
        told = rows.select(
            pl.col(spec.key).alias("key"),
            clocks[0].alias("event"),
            clocks[1].alias("known"),
            pl.struct(column.name for column in lookup.columns).alias("values"),
        )
        self._rows: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for row in told.iter_rows(named=True):
            self._rows[row["key"]].append(row)

    def ask(self, key: Any, asked_at: datetime) -> Mapping[str, Any]:  # noqa: ANN401 - a key of any type
        """Give the values by column; all None for nothing."""
        nothing = dict.fromkeys(column.name for column in self._lookup.columns)
        rows = self._rows.get(key, []) if key is not None else []
        if not self._lookup.clocked:
            return dict(rows[0]["values"]) if rows else nothing
        best: dict[str, Any] | None = None
        for row in rows:
            if row["event"] is None or row["known"] is None or row["known"] > asked_at:
                continue
            if best is None or (row["event"], row["known"]) >= (best["event"], best["known"]):
                best = row
        stale = self._lookup.stale_after
        if best is None or (stale is not None and asked_at - best["event"] > stale):
            return nothing
        return dict(best["values"])


class WindowOracle:
    """Answers what a window holds.

    Args:
        window: the window.
        spec: the source's declaration.
        rows: its rows, in the order told.
    """

    def __init__(self, window: Window, spec: SourceSpec, rows: pl.DataFrame) -> None:
        self._window = window
        event = pl.col(spec.event_time or "")
        self._identity = [spec.event_id] if spec.event_id else [spec.key, "event"]
        told = rows.select(
            pl.all().exclude("event", "known", "since", "value"),
            event.alias("event"),
            available(spec).alias("known"),
            pl.max_horizontal(event, available(spec)).alias("since"),
            (pl.lit(1) if window.value is None else pl.col(window.value)).alias("value"),
        )
        told = told.drop_nulls([window.by, spec.key, "event", "known"]).sort("known", maintain_order=True)
        self._corrected = told.select(pl.struct(window.by, *self._identity).is_duplicated().any()).item()
        self._rows = {key[0]: part for key, part in told.partition_by(window.by, as_dict=True).items()}

    def ask(self, by: Any, asked_at: datetime) -> Mapping[str, Any]:  # noqa: ANN401 - a value of any type
        """Give the values by column."""
        rows = self._rows.get(by)
        if rows is None:
            return {column.name: _made_of(column.aggregate, []) for column in self._window.columns}
        counted = rows.filter(pl.col("since") <= asked_at)
        if self._corrected:
            counted = counted.unique(self._identity, keep="last", maintain_order=True)
        answers = {}
        for column in self._window.columns:
            held = counted.filter(pl.col("event") > asked_at - column.span).sort("event", maintain_order=True)
            values = [one for one in held["value"].to_list() if one is not None and math.isfinite(one)]
            answers[column.name] = _made_of(column.aggregate, values)
        return answers


def agree(found: Any, expected: Any) -> bool:  # noqa: ANN401 - values of any column
    """Tell whether two values are the same, but for the last digits of a mean or a deviation."""
    if isinstance(found, float) and isinstance(expected, float):
        return math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-12)
    return bool(found == expected) and (found is None) == (expected is None)


def _made_of(aggregate: Aggregate, values: Sequence[float]) -> float | None:
    least = {Aggregate.COUNT: 0, Aggregate.SUM: 0, Aggregate.STD: 2}
    if len(values) < least.get(aggregate, 1):
        return None
    made: dict[Aggregate, Any] = {
        Aggregate.COUNT: len,
        Aggregate.SUM: math.fsum,
        Aggregate.MEAN: lambda held: math.fsum(held) / len(held),
        Aggregate.MIN: min,
        Aggregate.MAX: max,
        Aggregate.STD: statistics.stdev,
        Aggregate.LAST: lambda held: held[-1],
    }
    answer: float = made[aggregate](values)
    return answer
