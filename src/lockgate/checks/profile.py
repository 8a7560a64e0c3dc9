"""Takes the profile of a snapshot: what its columns look like, so that later ones can be measured against it."""

from itertools import pairwise

import polars as pl
from msgspec.structs import replace

from lockgate.kernel.canonical import Digest
from lockgate.records.check import ColumnProfile, Profile
from lockgate.rules.profiles import asked_of_columns, columns_seen

__all__ = ["MOST_VALUES", "profile_of"]

MOST_VALUES = 1_000
"""Texts of a column that are listed; where there are more, none is."""


def profile_of(source: str, snapshot: Digest, frame: pl.DataFrame) -> Profile:
    """Take the profile of a snapshot's rows."""
    schema = dict(frame.schema)
    seen = columns_seen(schema, frame.select(**asked_of_columns(schema)).row(0, named=True)) if schema else ()
    columns = tuple(_fuller(column, frame[column.name]) for column in seen)
    return Profile(source=source, snapshot=snapshot, rows=frame.height, columns=columns)


def _fuller(column: ColumnProfile, values: pl.Series) -> ColumnProfile:
    if values.dtype.is_numeric():
        return _with_quantiles(column, values.cast(pl.Float64).drop_nulls().drop_nans())
    if values.dtype == pl.Boolean or values.dtype in {pl.String, pl.Categorical, pl.Enum}:
        return _with_values(column, values.cast(pl.String).drop_nulls())
    return column


def _with_quantiles(column: ColumnProfile, values: pl.Series) -> ColumnProfile:
    """Add the percentiles, and how many values lie between them; ends that are the same are one."""
    ordered = values.filter(values.is_finite()).sort()
    if not len(ordered):
        return column
    quantiles = [float(ordered[round(part / 100 * (len(ordered) - 1))]) for part in range(101)]
    edges = sorted({edge for edge in quantiles[1:100] if edge < quantiles[100]})
    below = [
        0,
        *(int(n) for n in ordered.search_sorted(pl.Series(edges, dtype=pl.Float64), side="right")),
        len(ordered),
    ]
    counts = tuple(after - before for before, after in pairwise(below))
    return replace(column, quantiles=tuple(quantiles), edges=tuple(edges), counts=counts)


def _with_values(column: ColumnProfile, values: pl.Series) -> ColumnProfile:
    if values.n_unique() > MOST_VALUES:
        return column
    counted = values.value_counts(name="@n").sort(["@n", values.name], descending=[True, False])
    return replace(column, values={str(text): int(count) for text, count in counted.iter_rows()})
