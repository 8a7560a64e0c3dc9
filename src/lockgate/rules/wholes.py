"""What a rule about a whole frame means: what it asks of the frame, and what the answers come to.

- A rule asks by naming expressions; rules that ask the same thing share the answer, and all are answered in one pass.
- What is measured is held against `warn` and `at_most`. Where nothing can be measured, it is inconclusive,
  and says why.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, NamedTuple

import polars as pl

from lockgate.kernel.verdicts import Verdict
from lockgate.records.check import Rule
from lockgate.records.features import FieldKind
from lockgate.records.snapshot import RowFile
from lockgate.rules import distances
from lockgate.rules.frames import Schema, Unfit, kind_of

__all__ = ["WHOLE_RULES", "Around", "Finding", "WholeRule", "judge_measure"]


class Around(NamedTuple):
    """What a rule may need to know beside the rows."""

    # How many rows came in from the stage before; None where there is none.
    rows_in: int | None = None
    # How many rows came out of the transformation, where it gives more frames than the one examined.
    rows_out: int | None = None
    # How many rows the snapshot before this one had; None where there is none.
    rows_before: int | None = None
    # When the rows were read.
    at: datetime | None = None
    # The keys of other sources, by name.
    keys: Mapping[str, pl.Series] = {}
    # Rows that did not come out of the transformation, by reason.
    left_out: Mapping[str, int] = {}
    # The rows that were split off.
    quarantine: RowFile | None = None


class Finding(NamedTuple):
    """What a rule measured."""

    # None: nothing could be measured.
    measured: float | None
    # How many rows broke it.
    failures: int = 0
    # What to know beside the number.
    note: str = ""
    # What it comes to, where that is not for `warn` and `at_most` to say.
    verdict: Verdict | None = None


class WholeRule(NamedTuple):
    """The meaning of one rule."""

    # What it asks of the frame: expressions by name.
    asks: Callable[[Rule, Schema], dict[str, pl.Expr]]
    # What the answers come to; `rows` is always among them.
    finds: Callable[[Rule, Mapping[str, Any], Around], Finding]


def judge_measure(rule: Rule, measured: float) -> Verdict:
    """Hold a measure against the thresholds of a rule."""
    if measured > rule.at_most:
        return Verdict.FAIL
    return Verdict.PASS if rule.warn is None or measured <= rule.warn else Verdict.WARN


def _nothing(_: Rule, __: Schema) -> dict[str, pl.Expr]:
    return {}


def _row_count(rule: Rule, answers: Mapping[str, Any], _: Around) -> Finding:
    rows, least, most = answers["rows"], rule.parameters["least"], rule.parameters["most"]
    low, high = rule.parameters.get("warn") or (least, most)
    verdict = Verdict.PASS if _in_band(rows, low, high) else Verdict.WARN
    verdict = verdict if _in_band(rows, least, most) else Verdict.FAIL
    return Finding(float(rows), 0 if verdict.opens else 1, f"{rows:,} rows", verdict)


def _in_band(rows: int, least: int | None, most: int | None) -> bool:
    return rows >= (least or 0) and (most is None or rows <= most)


def _row_change(_: Rule, answers: Mapping[str, Any], around: Around) -> Finding:
    rows, before = answers["rows"], around.rows_before
    if before is None:
        return Finding(0.0, note=f"{rows:,} rows; the first snapshot has none to be compared with")
    return Finding(abs(rows - before) / max(1, before), note=f"{rows:,} rows, {before:,} before")


def _row_loss(_: Rule, answers: Mapping[str, Any], around: Around) -> Finding:
    came, went = around.rows_in, answers["rows"] if around.rows_out is None else around.rows_out
    if came is None:
        return Finding(None, note="nothing is before this stage that rows could be lost from")
    reasons = "".join(f"; {reason}: {count:,}" for reason, count in around.left_out.items() if count)
    return Finding(max(0, came - went) / max(1, came), max(0, came - went), f"{came:,} in, {went:,} out{reasons}")


def _newest(rule: Rule, schema: Schema) -> dict[str, pl.Expr]:
    kind = schema[rule.column]
    if kind_of(kind) is not FieldKind.TIME:
        msg = f"{rule.column} is no time with a zone, but {kind}"
        raise Unfit(msg)
    return {f"newest {rule.column}": pl.col(rule.column).max()}


def _fresh(rule: Rule, answers: Mapping[str, Any], around: Around) -> Finding:
    newest = answers[f"newest {rule.column}"]
    if newest is None or around.at is None:
        return Finding(None, note="no row has a time" if around.at else "nobody said when the rows were read")
    age = (around.at - newest).total_seconds() - rule.parameters.get("known_after", 0.0)
    return Finding(age, note=f"the newest is of {newest:%Y-%m-%d %H:%M}, {timedelta(seconds=int(max(0.0, age)))} old")


def _typed(rule: Rule, schema: Schema) -> dict[str, pl.Expr]:
    kind, wanted = kind_of(schema[rule.column]), [FieldKind(one) for one in rule.parameters["kinds"]]
    named = FieldKind.TEXT if kind is FieldKind.CATEGORY else kind
    fits = named in wanted or (named is FieldKind.TEXT and FieldKind.CATEGORY in wanted)
    whole = named is FieldKind.INT and FieldKind.FLOAT in wanted
    return {f"type {rule.column} {rule.parameters['kinds']}": pl.lit("" if fits or whole else str(schema[rule.column]))}


def _is_typed(rule: Rule, answers: Mapping[str, Any], _: Around) -> Finding:
    other = answers[f"type {rule.column} {rule.parameters['kinds']}"]
    return Finding(1.0 if other else 0.0, 1 if other else 0, f"it is {other}" if other else "")


def _spread(rule: Rule, schema: Schema) -> dict[str, pl.Expr]:
    column = pl.col(rule.column)
    column = column.drop_nans() if schema[rule.column].is_float() else column
    return {
        f"there {rule.column}": column.count(),
        f"varies {rule.column}": column.min() < column.max(),
    }


def _varies(rule: Rule, answers: Mapping[str, Any], _: Around) -> Finding:
    if not answers[f"there {rule.column}"]:
        return Finding(1.0, note="every value is missing", verdict=Verdict.FAIL if answers["rows"] else Verdict.WARN)
    return Finding(0.0) if answers[f"varies {rule.column}"] else Finding(1.0, note="every value is the same")


def _found(rule: Rule, _: Schema) -> dict[str, pl.Expr]:
    nothing = pl.all_horizontal(pl.col(column).is_null() for column in rule.columns)
    return {f"nothing {rule.columns}": nothing.sum()}


def _share_found(rule: Rule, answers: Mapping[str, Any], _: Around) -> Finding:
    nothing = answers[f"nothing {rule.columns}"]
    return Finding(nothing / max(1, answers["rows"]), nothing)


def _bins(rule: Rule, schema: Schema) -> dict[str, pl.Expr]:
    """Count values at or below each edge of the reference, or how often each text is there."""
    column, kind, seen = pl.col(rule.column), schema[rule.column], rule.parameters
    if "edges" in seen:
        if not kind.is_numeric():
            msg = f"{rule.column} is no number, but {kind}"
            raise Unfit(msg)
        column = column if kind.is_integer() else column.cast(pl.Float64)
        below = {f"{rule.column} up to {edge!r}": (column <= edge).sum() for edge in seen["edges"]}
        return {**below, f"there {rule.column}": column.drop_nans().count() if kind.is_float() else column.count()}
    if kind_of(kind) not in {FieldKind.TEXT, FieldKind.BOOL}:
        msg = f"{rule.column} is neither text nor true and false, but {kind}"
        raise Unfit(msg)
    return {f"values {rule.column}": column.cast(pl.String).drop_nulls().value_counts(name="@n").implode()}


def _distance(rule: Rule, answers: Mapping[str, Any], _: Around) -> Finding:
    return Finding(*distances.measure(rule, _counts(rule, answers)))


def _counts(rule: Rule, answers: Mapping[str, Any]) -> list[int]:
    """Give how many values are in each bin of the reference, the last one of what is beyond."""
    seen = rule.parameters
    if "edges" in seen:
        below = [answers[f"{rule.column} up to {edge!r}"] for edge in seen["edges"]]
        ends = [0, *below, answers[f"there {rule.column}"]]
        return [after - before for before, after in pairwise(ends)]
    there = {row[rule.column]: row["@n"] for row in answers[f"values {rule.column}"]}
    listed = [there.pop(value, 0) for value in seen["values"]]
    return [*listed, sum(there.values())]


def _missing_share(rule: Rule, schema: Schema) -> dict[str, pl.Expr]:
    column = pl.col(rule.column)
    missing = column.null_count()
    if schema[rule.column].is_float():
        missing += column.is_nan().sum()
    return {f"missing {rule.column}": missing}


def _missing_change(rule: Rule, answers: Mapping[str, Any], _: Around) -> Finding:
    rows, least = answers["rows"], rule.parameters["min_rows"]
    if rows < least:
        return Finding(None, note=f"{rows:,} rows, fewer than the {least:,} that tell chance from change")
    share, before = answers[f"missing {rule.column}"] / rows, rule.parameters["share"]
    return Finding(abs(share - before), note=f"{share:.2%} missing, {before:.2%} in the reference")


_DISTANCE = WholeRule(_bins, _distance)

WHOLE_RULES: dict[str, WholeRule] = {
    "found": WholeRule(_found, _share_found),
    "fresh": WholeRule(_newest, _fresh),
    "jensen_shannon": _DISTANCE,
    "ks": _DISTANCE,
    "missing_change": WholeRule(_missing_share, _missing_change),
    "psi": _DISTANCE,
    "row_change": WholeRule(_nothing, _row_change),
    "row_count": WholeRule(_nothing, _row_count),
    "row_loss": WholeRule(_nothing, _row_loss),
    "typed": WholeRule(_typed, _is_typed),
    "varies": WholeRule(_spread, _varies),
}
"""The rules about a whole frame, by the name that records carry."""
