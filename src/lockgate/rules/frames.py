"""What a rule means on a frame: a condition in words, and an expression that is true where a row breaks it.

Nulls break only `missing`; NaN breaks `missing` and `between`.
"""

from collections.abc import Callable
from typing import Any

import polars as pl

from lockgate.records.check import Rule

__all__ = ["NEEDS_NUMBERS", "ROW_RULES", "RowRule", "condition_of"]

RowRule = Callable[[str, dict[str, Any], pl.DataType], pl.Expr]
"""From (column, parameters, its type) to where the rule is broken."""


def _unique(column: str, _: dict[str, Any], __: pl.DataType) -> pl.Expr:
    return pl.col(column).is_duplicated() & pl.col(column).is_not_null() & ~pl.col(column).is_first_distinct()


def _missing(column: str, _: dict[str, Any], kind: pl.DataType) -> pl.Expr:
    null = pl.col(column).is_null()
    return null | pl.col(column).is_nan().fill_null(value=False) if kind.is_float() else null


def _between(column: str, parameters: dict[str, Any], _: pl.DataType) -> pl.Expr:
    inside = pl.col(column).is_between(parameters["low"], parameters["high"])
    return ~inside & pl.col(column).is_not_null()


def _one_of(column: str, parameters: dict[str, Any], _: pl.DataType) -> pl.Expr:
    return ~pl.col(column).is_in(parameters["values"]) & pl.col(column).is_not_null()


ROW_RULES: dict[str, RowRule] = {
    "between": _between,
    "missing": _missing,
    "one_of": _one_of,
    "unique": _unique,
}
"""The rules that each row keeps or breaks."""

NEEDS_NUMBERS = frozenset(["between"])
"""Those that mean nothing on a column of another type: Polars would compare a moment with a number."""


def condition_of(rule: Rule) -> str:
    """Say what must hold."""
    match rule.kind, rule.parameters:
        case "unique", _:
            return f"no {rule.column} twice"
        case "missing", _:
            return f"{rule.column} is there"
        case "between", {"low": low, "high": high}:
            return f"{low:g} ≤ {rule.column} ≤ {high:g}"
        case "one_of", {"values": values}:
            return f"{rule.column} is one of {', '.join(values)}"
        case "row_count", {"least": least, "most": most}:
            return f"{least} rows or more" if most is None else f"{least} to {most} rows"
    return rule.name
