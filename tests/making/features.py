"""A small request and feature set, and rows for them, that say which row they are of."""

from datetime import UTC, datetime, timedelta

import polars as pl

from lockgate.records.features import (
    Code,
    FeatureSet,
    FeatureSpec,
    Field,
    FieldKind,
    Input,
    InputKind,
    ModelColumn,
    RequestSpec,
)

__all__ = ["echoing", "one_feature"]

REQUEST = RequestSpec(
    name="Ask",
    key="number",
    asked_at="asked",
    history="asks",
    lateness=timedelta(days=7),
    fields=(
        Field(name="number", kind=FieldKind.INT),
        Field(name="asked", kind=FieldKind.TIME),
        Field(name="word", kind=FieldKind.CATEGORY),
    ),
)


def one_feature(source: str) -> FeatureSet:
    """Give a set of one feature, `twice`, of the request's number; beside it the request's word."""
    return FeatureSet(
        timezone="Europe/Berlin",
        lookups=(),
        features=(
            FeatureSpec(
                name="twice",
                version=1,
                inputs=(Input(parameter="number", kind=InputKind.FIELD, name="number"),),
                returns=FieldKind.INT,
                code=Code(name="twice", source=source),
            ),
        ),
        columns=(
            ModelColumn(name="twice", kind=InputKind.FEATURE, origin="twice", type=FieldKind.INT),
            ModelColumn(name="word", kind=InputKind.FIELD, origin="word", type=FieldKind.CATEGORY),
        ),
    )


def echoing(
    height: int, source: str = "def twice(number):\n    return number * 2"
) -> tuple[RequestSpec, FeatureSet, pl.DataFrame]:
    """Give a request, a feature set, and rows as the closure reads them."""
    numbers = pl.int_range(height, eager=True)
    moments = pl.lit(datetime(2013, 1, 1, tzinfo=UTC)) + pl.duration(minutes=pl.col("number"))
    rows = pl.DataFrame({"number": numbers}).with_columns(
        moments.dt.convert_time_zone("Europe/Berlin").dt.cast_time_unit("us").alias("asked"),
        ("w" + (pl.col("number") % 7).cast(pl.String)).alias("word"),
    )
    return REQUEST, one_feature(source), rows
