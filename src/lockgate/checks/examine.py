"""Examines a snapshot by its rules, in one pass, and keeps what it saw.

- A rule that did not run is a failure, with the reason.
- A rule passes only if it was evaluated on every row.
- Of the rows that break a rule 100 at most are kept as examples.
"""

import math
from collections.abc import Sequence
from typing import Any

import polars as pl

from lockgate.kernel.canonical import Digest
from lockgate.kernel.verdicts import Verdict, worst
from lockgate.records.check import CheckReport, Rule, RuleResult
from lockgate.rules.frames import NEEDS_NUMBERS, ROW_RULES, condition_of

__all__ = ["MOST_EXAMPLES", "examine"]

MOST_EXAMPLES = 100

_LARGEST_INTEGER = 2**53 - 1


def examine(source: str, snapshot: Digest, frame: pl.DataFrame, rules: Sequence[Rule]) -> CheckReport:
    """Examine a source's rows.

    Args:
        source: its name.
        snapshot: the snapshot that the rows are.
        frame: the rows.
        rules: the rules about that source.
    """
    compiled = [_compile(rule, frame) for rule in rules]
    sums = {f"{i}": expression.sum() for i, expression in enumerate(compiled) if isinstance(expression, pl.Expr)}
    counts = frame.select(**sums).row(0, named=True) if sums else {}
    results = tuple(
        _whole_frame(rule, frame.height)
        if rule.kind == "row_count"
        else _row_rule(rule, frame, expression, counts.get(f"{i}"))
        for i, (rule, expression) in enumerate(zip(rules, compiled, strict=True))
    )
    return CheckReport(
        source=source,
        snapshot=snapshot,
        rows=frame.height,
        results=results,
        verdict=worst(result.verdict for result in results),
    )


def _compile(rule: Rule, frame: pl.DataFrame) -> pl.Expr | str:
    """Give where a rule is broken, or why it can't run."""
    if rule.kind == "row_count":
        return ""
    if rule.kind not in ROW_RULES:
        return f"no rule is called {rule.kind}"
    if rule.column not in frame.columns:
        return f"there is no column {rule.column}"
    kind = frame.schema[rule.column]
    if rule.kind in NEEDS_NUMBERS and not kind.is_numeric():
        return f"{rule.column} is no number, but {kind}"
    expression = ROW_RULES[rule.kind](rule.column, rule.parameters, kind)
    try:
        frame.clear().select(expression)
    except pl.exceptions.PolarsError as error:
        return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"
    return expression


def _whole_frame(rule: Rule, rows: int) -> RuleResult:
    most = rule.parameters["most"]
    holds = rows >= rule.parameters["least"] and (most is None or rows <= most)
    return RuleResult(
        rule=rule.name,
        condition=condition_of(rule),
        rows=rows,
        failures=0 if holds else 1,
        at_most=0.0,
        verdict=Verdict.PASS if holds else Verdict.FAIL,
        note=f"{rows} rows",
    )


def _row_rule(rule: Rule, frame: pl.DataFrame, expression: pl.Expr | str, failures: int | None) -> RuleResult:
    if isinstance(expression, str):
        return RuleResult(
            rule=rule.name,
            condition=condition_of(rule),
            rows=None,
            failures=0,
            at_most=rule.at_most,
            verdict=Verdict.FAIL,
            note=f"it did not run: {expression}",
        )
    broken = int(failures or 0)
    share = broken / max(1, frame.height)
    verdict = Verdict.PASS if share <= rule.at_most else Verdict.FAIL
    return RuleResult(
        rule=rule.name,
        condition=condition_of(rule),
        rows=frame.height,
        failures=broken,
        at_most=rule.at_most,
        verdict=verdict,
        examples=_examples(frame, expression) if broken else (),
    )


def _examples(frame: pl.DataFrame, expression: pl.Expr) -> tuple[dict[str, Any], ...]:
    rows = frame.filter(expression).head(MOST_EXAMPLES)
    return tuple({name: _plain(value) for name, value in row.items()} for row in rows.iter_rows(named=True))


def _plain(value: Any) -> Any:  # noqa: ANN401 - any cell
    """Keep what JSON can say; name the rest."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else str(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST_INTEGER:
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
