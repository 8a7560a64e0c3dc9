"""What columns look like: asked in the same pass as the rules."""

import math
from collections.abc import Mapping
from typing import Any

import polars as pl

from lockgate.records.check import ColumnProfile
from lockgate.rules.frames import Schema

__all__ = ["asked_of_columns", "columns_seen"]


def asked_of_columns(schema: Schema) -> dict[str, pl.Expr]:
    """Ask how much of each column is missing, and for numbers where they lie."""
    asked: dict[str, pl.Expr] = {}
    for name, kind in schema.items():
        column = pl.col(name)
        asked[f"nulls {name}"] = column.null_count()
        if kind.is_float():
            asked[f"nans {name}"] = column.is_nan().sum()
        if kind.is_numeric():
            # Polars leaves NaN out of a least and a greatest value by itself.
            asked |= {f"low {name}": column.min(), f"high {name}": column.max()}
            asked |= {f"mean {name}": column.mean(), f"std {name}": column.std()}
    return asked


def columns_seen(schema: Schema, answers: Mapping[str, Any]) -> tuple[ColumnProfile, ...]:
    """Give what was asked, column by column; what is not finite is left out."""
    return tuple(
        ColumnProfile(
            name=name,
            type=str(kind),
            nulls=answers[f"nulls {name}"],
            nans=answers.get(f"nans {name}") or 0,
            low=_finite(answers.get(f"low {name}")),
            high=_finite(answers.get(f"high {name}")),
            mean=_finite(answers.get(f"mean {name}")),
            std=_finite(answers.get(f"std {name}")),
        )
        for name, kind in schema.items()
    )


def _finite(value: Any) -> float | None:  # noqa: ANN401 - any number
    return float(value) if value is not None and math.isfinite(value) else None
