"""What a rule about rows means on a frame: an expression that is true where a row breaks it.

- Nulls break only `missing`; NaN breaks `missing`, `between` and nothing else.
- `rows` gives the same rules their meaning on one row; a test holds the two against each other.
- A rule that can't mean anything on a column (its type, a column that is not there) is `Unfit`, with the reason.
"""

import math
from collections.abc import Callable, Iterable, Mapping

import polars as pl

from lockgate.records.check import Rule
from lockgate.records.features import FieldKind
from lockgate.rules.rows import BROKEN_ON_ROWS

__all__ = ["ROW_RULES", "Keys", "Schema", "Unfit", "broken_by", "broken_rows", "count_broken", "kind_of"]

Schema = Mapping[str, pl.DataType]
"""The columns of a frame and their types."""

Keys = Mapping[str, pl.Series]
"""For each source that a rule refers to, its keys."""

RowRule = Callable[[Rule, Schema, Keys], pl.Expr]
"""From a rule, the columns of a frame and the keys of other sources to where the rule is broken."""


class Unfit(Exception):
    """Says why a rule can't run."""


def kind_of(kind: pl.DataType) -> FieldKind | None:
    """Give the field type of a column type; None for one that no field can have."""
    if kind.is_integer():
        return FieldKind.INT
    if kind.is_float():
        return FieldKind.FLOAT
    if isinstance(kind, pl.String | pl.Categorical | pl.Enum):
        return FieldKind.TEXT
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        return FieldKind.TIME
    return FieldKind.BOOL if isinstance(kind, pl.Boolean) else None


def broken_rows(rule: Rule, schema: Schema, keys: Keys) -> pl.Expr:
    """Give where a rule is broken: true there, false or null elsewhere.

    Raises:
        Unfit: it can't run on these columns.
    """
    for column in rule.columns:
        if column not in schema:
            msg = f"there is no column {column}"
            raise Unfit(msg)
    return ROW_RULES[rule.kind](rule, schema, keys)


def broken_by(rules: Iterable[Rule], schema: Schema) -> pl.Expr:
    """Give the rows that break one of several rules about single rows; a rule that can't run breaks none."""
    broken = []
    for rule in rules:
        try:
            broken.append(broken_rows(rule, schema, {}).fill_null(value=False))
        except Unfit:
            continue  # its result says so, and stops the line
    return pl.any_horizontal(broken) if broken else pl.lit(value=False)


def count_broken(rule: Rule, schema: Schema, keys: Keys) -> pl.Expr:
    """Give how many rows break a rule; what repeats is counted by one pass over distinct values.

    Raises:
        Unfit: it can't run on these columns.
    """
    broken = broken_rows(rule, schema, keys)
    if rule.kind != "unique":
        return broken.sum()
    if not rule.more:
        column = pl.col(rule.column)
        return column.count() - column.n_unique() + (column.null_count() > 0).cast(pl.UInt32)
    whole = pl.struct(rule.columns).filter(_all_there(rule))
    return whole.len() - whole.n_unique()


def _all_there(rule: Rule) -> pl.Expr:
    return pl.all_horizontal(pl.col(column).is_not_null() for column in rule.columns)


def _unique(rule: Rule, _: Schema, __: Keys) -> pl.Expr:
    whole = pl.struct(rule.columns) if rule.more else pl.col(rule.column)
    return _all_there(rule) & ~whole.is_first_distinct()


def _missing(rule: Rule, schema: Schema, _: Keys) -> pl.Expr:
    column = pl.col(rule.column)
    null = column.is_null()
    return null | column.is_nan().fill_null(value=False) if schema[rule.column].is_float() else null


def _between(rule: Rule, schema: Schema, _: Keys) -> pl.Expr:
    kind, low, high = schema[rule.column], rule.parameters["low"], rule.parameters["high"]
    if not kind.is_numeric():
        msg = f"{rule.column} is no number, but {kind}"
        raise Unfit(msg)
    if kind.is_integer():
        low, high = _inside(kind, low, high)
        return ~pl.col(rule.column).is_between(pl.lit(low, kind), pl.lit(high, kind))
    return ~pl.col(rule.column).cast(pl.Float64).is_between(float(low), float(high))


def _inside(kind: pl.DataType, low: float, high: float) -> tuple[int, int]:
    """Give bounds as integers of a type: compared as floats, large ones would be rounded."""
    name = str(kind)
    bits = int(name.lstrip("UInt"))
    least, most = (0, 2**bits - 1) if name.startswith("U") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    lowest, highest = math.ceil(low), math.floor(high)
    # Bounds that leave nothing stay bounds that leave nothing.
    return (most, least) if lowest > most or highest < least else (max(least, lowest), min(most, highest))


def _one_of(rule: Rule, schema: Schema, _: Keys) -> pl.Expr:
    kind, values = schema[rule.column], rule.parameters["values"]
    found = kind_of(kind)
    wanted = {bool: FieldKind.BOOL, int: FieldKind.INT, str: FieldKind.TEXT}[type(values[0])]
    if found is not wanted:
        msg = f"{rule.column} is no {wanted.value}, but {kind}"
        raise Unfit(msg)
    column = pl.col(rule.column)
    column = column.cast(pl.String) if wanted is FieldKind.TEXT else column
    return ~column.is_in(values)


def _refers_to(rule: Rule, schema: Schema, keys: Keys) -> pl.Expr:
    known = keys.get(rule.parameters["source"])
    if known is None:
        msg = f"the rows of {rule.parameters['source']} are not there"
        raise Unfit(msg)
    ours, theirs = kind_of(schema[rule.column]), kind_of(known.dtype)
    if ours is not theirs or ours not in {FieldKind.TEXT, FieldKind.INT}:
        msg = f"{rule.column} is {schema[rule.column]}, the key of {rule.parameters['source']} {known.dtype}"
        raise Unfit(msg)
    kind = pl.String if ours is FieldKind.TEXT else pl.Int128
    return ~pl.col(rule.column).cast(kind).is_in(known.drop_nulls().unique().cast(kind).implode())


def _in_order(rule: Rule, schema: Schema, _: Keys) -> pl.Expr:
    if not schema[rule.column].is_temporal() and not schema[rule.column].is_numeric():
        msg = f"{rule.column} is neither time nor number, but {schema[rule.column]}"
        raise Unfit(msg)
    column = pl.col(rule.column)
    before = column.forward_fill().shift(1)
    return column < (before.over(rule.more) if rule.more else before)


def _holds(rule: Rule, schema: Schema, _: Keys) -> pl.Expr:
    for column in rule.columns:
        if kind_of(schema[column]) is None:
            msg = f"{column} is {schema[column]}, which a function is not given"
            raise Unfit(msg)
    broken, zone = BROKEN_ON_ROWS["holds"](rule), rule.parameters["timezone"]
    given = [
        pl.col(column).dt.convert_time_zone(zone) if kind_of(schema[column]) is FieldKind.TIME else pl.col(column)
        for column in rule.columns
    ]

    def over(rows: pl.Series) -> pl.Series:
        found = [broken(*row) for row in rows.struct.unnest().iter_rows()]
        return pl.Series(found, dtype=pl.Boolean)

    return pl.struct(given).map_batches(over, return_dtype=pl.Boolean, is_elementwise=True)


ROW_RULES: dict[str, RowRule] = {
    "between": _between,
    "holds": _holds,
    "in_order": _in_order,
    "missing": _missing,
    "one_of": _one_of,
    "refers_to": _refers_to,
    "unique": _unique,
    "unseen": _one_of,
}
"""The rules that each row keeps or breaks, by the name that records carry."""
