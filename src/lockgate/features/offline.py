"""History: requests joined with what was known when each was asked, run through the same closure as online.

The as-served join: of a source's rows only those count that ever became the online value (no row with a later event
time was available before them); each request sees the last of those that was available when it was asked, unless stale.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl

from lockgate.features.matrix import encode_rows, localised, vocabulary_of
from lockgate.features.shards import run_sharded
from lockgate.records.features import FeatureSet, FieldKind, Lookup, RequestSpec
from lockgate.records.source import SourceSpec

__all__ = ["TYPES", "as_served", "available", "encode_rows", "raw_columns", "vocabulary_of"]

TYPES: dict[FieldKind, Any] = {
    FieldKind.BOOL: pl.Boolean,
    FieldKind.INT: pl.Int64,
    FieldKind.FLOAT: pl.Float64,
    FieldKind.TEXT: pl.String,
    FieldKind.CATEGORY: pl.String,
    FieldKind.TIME: pl.Datetime("us", "UTC"),
}
"""How a value of each kind is kept in a frame."""


def available(source: SourceSpec) -> pl.Expr:
    """Give when rows of a clocked source could first be known; null for not yet."""
    if source.available_time is not None:
        return pl.col(source.available_time)
    return pl.col(source.event_time or "") + source.available_delay


def as_served(
    requests: pl.DataFrame,
    request: RequestSpec,
    features: FeatureSet,
    sources: Mapping[str, tuple[SourceSpec, pl.DataFrame]],
    carry: Sequence[str] = (),
) -> pl.DataFrame:
    """Join requests with what was known when each was asked.

    Args:
        requests: a row for each request, with the request's fields.
        request: the request.
        features: the feature set, types known.
        sources: each source's declaration and rows.
        carry: columns of `requests` to keep beside.

    Returns:
        The request's fields, typed as declared, `source.column` for every look-up, and what is carried; in order of
        asking.
    """
    fields = [pl.col(field.name).cast(TYPES[field.kind]) for field in request.fields]
    frame = requests.select(*fields, *carry).sort(request.asked_at, request.key)
    for lookup in features.lookups:
        spec, rows = sources[lookup.source]
        wanted = [pl.col(one.name).cast(TYPES[one.type or FieldKind.FLOAT]) for one in lookup.columns]
        join = _join_clocked if lookup.clocked else _join_table
        frame = join(frame, request, lookup, spec, rows.with_columns(wanted))
    return frame.select(pl.all().exclude(*carry), *carry) if carry else frame


def _join_table(
    frame: pl.DataFrame, request: RequestSpec, lookup: Lookup, spec: SourceSpec, rows: pl.DataFrame
) -> pl.DataFrame:
    wanted = rows.select(_key(request, lookup, spec), *_named(lookup)).unique(lookup.by, keep="first")
    return frame.join(wanted, on=lookup.by, how="left", maintain_order="left")


def _join_clocked(
    frame: pl.DataFrame, request: RequestSpec, lookup: Lookup, spec: SourceSpec, rows: pl.DataFrame
) -> pl.DataFrame:
    event = pl.col(spec.event_time or "").cast(TYPES[FieldKind.TIME])
    clocked = rows.select(
        _key(request, lookup, spec),
        *_named(lookup),
        event.alias("@event"),
        available(spec).cast(TYPES[FieldKind.TIME]).alias("@available"),
    ).drop_nulls([lookup.by, "@event", "@available"])
    told = clocked.sort("@available", "@event", maintain_order=True)  # of rows of one moment the one told last counts
    served = told.filter(pl.col("@event") >= pl.col("@event").cum_max().over(lookup.by))
    joined = frame.join_asof(
        served, left_on=request.asked_at, right_on="@available", by=lookup.by, check_sortedness=False
    )
    names = [f"{lookup.source}.{column.name}" for column in lookup.columns]
    if lookup.stale_after is not None:
        fresh = pl.col(request.asked_at) - pl.col("@event") <= lookup.stale_after
        joined = joined.with_columns(pl.when(fresh).then(pl.col(name)).alias(name) for name in names)
    return joined.drop("@event", "@available", strict=False)


def _key(request: RequestSpec, lookup: Lookup, spec: SourceSpec) -> pl.Expr:
    """Give the source's key as the request's field: sources keep texts as categories, and integers in all widths."""
    return pl.col(spec.key).cast(TYPES[request.field(lookup.by).kind]).alias(lookup.by)


def _named(lookup: Lookup) -> list[pl.Expr]:
    return [pl.col(column.name).alias(f"{lookup.source}.{column.name}") for column in lookup.columns]


def raw_columns(
    frame: pl.DataFrame,
    request: RequestSpec,
    features: FeatureSet,
    progress: Callable[[float], None] = lambda _: None,
    *,
    processes: int = 1,
) -> pl.DataFrame:
    """Run the fused closure over the rows of `as_served`: the matrix columns before encoding, numbers as float64.

    Raises:
        Failed: one of several processes died.
    """
    return run_sharded(localised(frame, request, features), request, features, progress, processes=processes)
