"""What travels with a package, so that an endpoint can answer from its first moment: tables, rows of clocked sources.

- A table travels whole: the columns that are looked up.
- Of a clocked source travel the rows that may still count for a question asked when the snapshots end, or as much
  earlier as questions may be late: of each key, and for each window.
- Rows keep the order in which they were told.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import polars as pl

from lockgate.features.known import AVAILABLE, available
from lockgate.features.series import MOST_LOOKUP_ROWS
from lockgate.packages.runtime import SeedRow, encode_seed, encode_table
from lockgate.records.features import FeatureSet, FieldKind, Lookup, RequestSpec, Window
from lockgate.records.source import SourceSpec

__all__ = ["seed_rows", "table_rows", "travelling"]

_TYPES: dict[FieldKind, Any] = {
    FieldKind.BOOL: pl.Boolean,
    FieldKind.INT: pl.Int64,
    FieldKind.FLOAT: pl.Float64,
    FieldKind.TIME: pl.Datetime("us", "UTC"),
}


def travelling(
    request: RequestSpec, features: FeatureSet, rows: Mapping[str, tuple[SourceSpec, pl.DataFrame]], end: datetime
) -> dict[str, bytes]:
    """Give the files that travel with the package, by path.

    Args:
        request: the request.
        features: the feature set, types known.
        rows: each source's declaration and rows.
        end: when its snapshots end: until then everything is known.
    """
    tables = [lookup for lookup in features.lookups if not lookup.clocked]
    clocked = [lookup.source for lookup in features.lookups if lookup.clocked]
    clocked += [window.source for window in features.windows]
    files = [encode_table(lookup.source, table_rows(lookup, *rows[lookup.source])) for lookup in tables]
    files += [encode_seed(name, seed_rows(request, features, *rows[name], end)) for name in dict.fromkeys(clocked)]
    return dict(files)


def table_rows(lookup: Lookup, spec: SourceSpec, frame: pl.DataFrame) -> list[tuple[str | int, tuple[Any, ...]]]:
    """Give the rows of a table that travel with the package."""
    key = pl.col(spec.key).alias("@key")
    rows = frame.select(key, *(_cast(column.name, column.type) for column in lookup.columns)).drop_nulls("@key")
    return [(row[0], row[1:]) for row in rows.unique("@key", keep="first", maintain_order=True).iter_rows()]


def seed_rows(
    request: RequestSpec, features: FeatureSet, spec: SourceSpec, frame: pl.DataFrame, end: datetime
) -> list[SeedRow]:
    """Give the rows of a clocked source that an online store begins with.

    Args:
        request: the request.
        features: the feature set, types known.
        spec: the source.
        frame: its rows.
        end: when its snapshots end: until then everything is known.
    """
    lookups = [lookup for lookup in features.lookups if lookup.source == spec.name]
    windows = [window for window in features.windows if window.source == spec.name]
    columns = _columns(request, spec, lookups, windows)
    told = frame.select(
        pl.col(spec.key).alias("@key"),
        pl.col(spec.event_time or "").cast(pl.Datetime("us", "UTC")).alias("@event"),
        available(spec),
        *columns.values(),
    ).drop_nulls(["@key", "@event", AVAILABLE])
    told = told.with_row_index("@place")
    parts = [_last(told, end - request.lateness)] if lookups else []
    parts += [_reached(told, window, spec, end - request.lateness) for window in windows]
    kept = pl.concat(parts).unique("@place").sort("@place")
    moments = kept.with_columns(pl.col("@event", AVAILABLE).dt.epoch("us"))
    return [
        SeedRow(row["@key"], row["@event"], row[AVAILABLE], {name: row[name] for name in columns})
        for row in moments.iter_rows(named=True)
    ]


def _columns(
    request: RequestSpec, spec: SourceSpec, lookups: Sequence[Lookup], windows: Sequence[Window]
) -> dict[str, pl.Expr]:
    """Give the columns that somebody reads."""
    found = {column.name: _cast(column.name, column.type) for lookup in lookups for column in lookup.columns}
    for window in windows:
        found[window.by] = _cast(window.by, request.field(window.by).kind)
        if window.value is not None:
            found[window.value] = _cast(window.value, window.value_type)
    if windows and spec.event_id is not None:
        found.setdefault(spec.event_id, pl.col(spec.event_id))
    return found


def _last(told: pl.DataFrame, asked_from: datetime) -> pl.DataFrame:
    """Give the rows that a look-up may find: those that come after one which every question knows, and that one."""
    ordered = told.sort("@event", AVAILABLE, maintain_order=True).with_row_index("@rank")
    known = pl.col("@rank").filter(pl.col(AVAILABLE) <= asked_from).max().over("@key").fill_null(0)
    last = ordered.filter(pl.col("@rank") >= known).group_by("@key", maintain_order=True).tail(MOST_LOOKUP_ROWS)
    return last.drop("@rank")


def _reached(told: pl.DataFrame, window: Window, spec: SourceSpec, asked_from: datetime) -> pl.DataFrame:
    """Give the rows that a window may reach, and all versions of them: one may hide another."""
    longest: timedelta = max(column.span for column in window.columns)
    near = (pl.col("@event") > asked_from - longest) & pl.col(window.by).is_not_null()
    if spec.event_id is None:
        return told.filter(near)
    return told.filter(near | pl.col(spec.event_id).is_in(told.filter(near)[spec.event_id].drop_nulls().implode()))


def _cast(name: str, kind: FieldKind | None) -> pl.Expr:
    return pl.col(name).cast(_TYPES.get(kind or FieldKind.TEXT, pl.String))
