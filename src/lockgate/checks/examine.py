"""Examines rows by rules, in one pass, and keeps what it saw.

- A rule that did not run is a failure, with the reason.
- A rule passes only if it was evaluated on every row.
- All rules, and what the columns look like, are asked in one `select`; a second pass is made only for what broke.
- Of the rows that break a rule 100 at most are kept as examples.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from lockgate.kernel.canonical import Digest
from lockgate.kernel.verdicts import Verdict, worst
from lockgate.records.check import CheckReport, Rule, RuleResult, Stage
from lockgate.rules.frames import ROW_RULES, Schema, Unfit, broken_rows, count_broken
from lockgate.rules.profiles import asked_of_columns, columns_seen
from lockgate.rules.wholes import WHOLE_RULES, Around, Finding, judge_measure
from lockgate.rules.words import condition_of

__all__ = ["MOST_EXAMPLES", "Around", "examine"]

MOST_EXAMPLES = 100

_LARGEST_INTEGER = 2**53 - 1
_ROWS = "rows"

Asked = dict[str, pl.Expr] | str
"""What a rule asks of the frame, or why it can't run."""


def examine(
    frame: pl.DataFrame | pl.LazyFrame,
    rules: Sequence[Rule],
    *,
    on: Digest,
    stage: Stage = Stage.KEPT,
    source: str = "",
    around: Around | None = None,
) -> CheckReport:
    """Examine the rows of a stage.

    Args:
        frame: the rows; a lazy frame is streamed.
        rules: the rules about that stage.
        on: the digest of what is examined.
        stage: where it stands.
        source: the source's name; empty for a stage after the sources.
        around: what rules may need to know beside the rows.
    """
    around = around or Around()
    schema = dict(frame.collect_schema())
    asked = [_ask(rule, schema, around) for rule in rules]
    answers, reasons = _answer(frame, asked_of_columns(schema), asked)
    results = tuple(
        _did_not_run(rule, reasons[number])
        if number in reasons
        else _result(rule, _finding(rule, answers, around), answers[_ROWS], frame, schema, around)
        for number, rule in enumerate(rules)
    )
    return CheckReport(
        stage=stage,
        source=source,
        on=on,
        rows_in=around.rows_in,
        rows=answers[_ROWS],
        left_out=dict(around.left_out),
        quarantine=around.quarantine,
        results=results,
        columns=columns_seen(schema, answers),
        verdict=worst(result.verdict for result in results),
    )


def _ask(rule: Rule, schema: Schema, around: Around) -> Asked:
    """Give what a rule asks, tried on no rows; or why it can't run."""
    try:
        if rule.kind in ROW_RULES:
            asked = {_broken(rule): count_broken(rule, schema, around.keys)}
        elif rule.kind in WHOLE_RULES:
            for column in rule.columns:
                if column not in schema:
                    return f"there is no column {column}"
            asked = WHOLE_RULES[rule.kind].asks(rule, schema)
        else:
            return f"no rule is called {rule.kind}"
        pl.DataFrame(schema=schema).select(**asked)
    except Unfit as reason:
        return str(reason)
    except (pl.exceptions.PolarsError, TypeError, OverflowError) as error:
        return _first_line(error)
    return asked


def _broken(rule: Rule) -> str:
    return f"broken {rule.name} {rule.parameters}"


def _answer(
    frame: pl.DataFrame | pl.LazyFrame, columns: Mapping[str, pl.Expr], asked: Sequence[Asked]
) -> tuple[dict[str, Any], dict[int, str]]:
    """Ask everything at once; give the answers, and why rules did not run."""
    reasons = {number: one for number, one in enumerate(asked) if isinstance(one, str)}
    together = {_ROWS: pl.len(), **columns}
    for one in asked:
        together |= one if isinstance(one, dict) else {}
    try:
        return _collect(frame, together), reasons
    except pl.exceptions.PolarsError:
        # One of them can't be answered on these rows; each by itself shows which.
        answers = _collect(frame, {_ROWS: pl.len(), **columns})
    for number, one in enumerate(asked):
        if isinstance(one, dict):
            try:
                answers |= _collect(frame, one) if one else {}
            except pl.exceptions.PolarsError as error:
                reasons[number] = _first_line(error)
    return answers, reasons


def _collect(frame: pl.DataFrame | pl.LazyFrame, asked: Mapping[str, pl.Expr]) -> dict[str, Any]:
    found = frame.lazy().select(**asked)
    return found.collect(engine="streaming" if isinstance(frame, pl.LazyFrame) else "auto").row(0, named=True)


def _finding(rule: Rule, answers: Mapping[str, Any], around: Around) -> Finding:
    if rule.kind in WHOLE_RULES:
        return WHOLE_RULES[rule.kind].finds(rule, answers, around)
    broken = int(answers[_broken(rule)] or 0)
    rows = answers[_ROWS]
    if (
        not broken
        and rule.kind != "missing"
        and rows
        and any(answers[f"nulls {column}"] == rows for column in rule.columns)
    ):
        # Nulls break nothing, so nothing was looked at: that is no pass.
        return Finding(0.0, 0, "every value is null: there was nothing to look at", Verdict.WARN)
    return Finding(broken / max(1, rows), broken)


def _did_not_run(rule: Rule, reason: str) -> RuleResult:
    return RuleResult(
        rule=rule.name,
        columns=rule.columns,
        condition=condition_of(rule),
        rows=None,
        failures=0,
        warn=rule.warn,
        at_most=rule.at_most,
        verdict=Verdict.FAIL,
        note=f"it did not run: {reason}",
    )


def _result(
    rule: Rule, found: Finding, rows: int, frame: pl.DataFrame | pl.LazyFrame, schema: Schema, around: Around
) -> RuleResult:
    verdict = found.verdict
    if verdict is None:
        verdict = Verdict.INCONCLUSIVE if found.measured is None else judge_measure(rule, found.measured)
    broken = rule.kind in ROW_RULES and found.failures > 0
    return RuleResult(
        rule=rule.name,
        columns=rule.columns,
        condition=condition_of(rule),
        rows=rows,
        failures=found.failures,
        measured=found.measured,
        warn=rule.warn,
        at_most=rule.at_most,
        verdict=verdict,
        examples=_examples(frame, broken_rows(rule, schema, around.keys)) if broken else (),
        note=found.note,
    )


def _examples(frame: pl.DataFrame | pl.LazyFrame, broken: pl.Expr) -> tuple[dict[str, Any], ...]:
    rows = frame.lazy().filter(broken).head(MOST_EXAMPLES).collect()
    return tuple({name: _plain(value) for name, value in row.items()} for row in rows.iter_rows(named=True))


def _first_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


def _plain(value: Any) -> Any:  # noqa: ANN401 - any cell
    """Keep what JSON can say; name the rest."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else str(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > _LARGEST_INTEGER:
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
