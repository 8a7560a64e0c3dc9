"""What was known when, found by looking at every row: slow, and written anew from the words of the law.

Of the rows of a key that were available when asked, the one with the latest event time counts, among those the one
available last, among those the one told last; and only when it is not stale. Nothing here is the product's code.
"""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import polars as pl

from lockgate.features.known import available
from lockgate.records.features import Lookup
from lockgate.records.source import SourceSpec

__all__ = ["LookupOracle"]


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
