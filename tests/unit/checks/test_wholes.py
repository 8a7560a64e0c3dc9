"""Rules about whole frames: what they measure, what they need to know beside the rows, and when they can't say."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.checks.examine import Around, examine
from lockgate.checks.profile import profile_of
from lockgate.kernel.canonical import sha256
from lockgate.kernel.verdicts import Verdict
from lockgate.records.check import CheckReport, Rule, RuleResult, Stage
from lockgate.records.snapshot import RowFile
from lockgate.rules.wholes import WHOLE_RULES

ON = sha256(b"rows")
NOW = datetime(2013, 3, 1, 12, tzinfo=UTC)
PASS, WARN, INCONCLUSIVE, FAIL = Verdict.PASS, Verdict.WARN, Verdict.INCONCLUSIVE, Verdict.FAIL
FRAME = pl.DataFrame(
    {
        "id": [1, 2, 3, 4],
        "at": [NOW - timedelta(hours=hours) for hours in (9, 7, 5, 3)],
        "size": [1.0, math.nan, None, 2.0],
        "same": ["a", "a", None, "a"],
        "none": pl.Series([None] * 4, dtype=pl.Float64),
        "found": ["x", None, "y", None],
        "too": [1, None, None, None],
    }
)


def rule(kind: str, *columns: str, warn: float | None = None, at_most: float = 0.0, **parameters: Any) -> Rule:  # noqa: ANN401
    first, *more = columns or ("",)
    return Rule(
        source="s", kind=kind, column=first, more=tuple(more), warn=warn, at_most=at_most, parameters=parameters
    )


def result_of(one: Rule, frame: pl.DataFrame | pl.LazyFrame = FRAME, **around: Any) -> RuleResult:  # noqa: ANN401
    (found,) = examine(frame, [one], on=ON, source="s", around=Around(**around)).results
    return found


COUNT = {"least": 1, "most": None}
JUDGED: dict[str, tuple[Rule, dict[str, Any], float | None, Verdict]] = {
    "a change within the band": (rule("row_change", at_most=0.5), {"rows_before": 5}, 0.2, PASS),
    "a change above the warning": (rule("row_change", warn=0.1, at_most=0.5), {"rows_before": 5}, 0.2, WARN),
    "a change above the limit": (rule("row_change", at_most=0.5), {"rows_before": 2}, 1.0, FAIL),
    "the first snapshot": (rule("row_change", at_most=0.5), {}, 0.0, PASS),
    "a loss within the band": (rule("row_loss", at_most=0.5), {"rows_in": 5}, 0.2, PASS),
    "a loss above the limit": (rule("row_loss", at_most=0.1), {"rows_in": 5}, 0.2, FAIL),
    "more rows than came in": (rule("row_loss"), {"rows_in": 3}, 0.0, PASS),
    "a loss of nothing": (rule("row_loss"), {"rows_in": 0, "rows_out": 0}, 0.0, PASS),
    "a loss of what nobody counted": (rule("row_loss"), {}, None, INCONCLUSIVE),
    "more frames than the one examined": (rule("row_loss", at_most=0.1), {"rows_in": 10, "rows_out": 9}, 0.1, PASS),
    "fresh": (rule("fresh", "at", at_most=4 * 3600), {"at": NOW}, 3 * 3600, PASS),
    "stale enough to warn": (rule("fresh", "at", warn=2 * 3600, at_most=4 * 3600), {"at": NOW}, 3 * 3600, WARN),
    "stale": (rule("fresh", "at", at_most=2 * 3600), {"at": NOW}, 3 * 3600, FAIL),
    "fresh, as it is known an hour late": (
        rule("fresh", "at", at_most=2 * 3600, known_after=3600),
        {"at": NOW},
        2 * 3600,
        PASS,
    ),
    "nobody knows when it was read": (rule("fresh", "at", at_most=1), {}, None, INCONCLUSIVE),
    "of its type": (rule("typed", "id", kinds=["int"]), {}, 0.0, PASS),
    "whole numbers where numbers are wanted": (rule("typed", "id", kinds=["float"]), {}, 0.0, PASS),
    "of another type": (rule("typed", "same", kinds=["int", "time"]), {}, 1.0, FAIL),
    "a text where categories are wanted": (rule("typed", "same", kinds=["category"]), {}, 0.0, PASS),
    "several values": (rule("varies", "size", warn=0.0, at_most=1.0), {}, 0.0, PASS),
    "one value": (rule("varies", "same", warn=0.0, at_most=1.0), {}, 1.0, WARN),
    "no value": (rule("varies", "none", warn=0.0, at_most=1.0), {}, 1.0, FAIL),
    "look-ups that found something": (rule("found", "found", "too", warn=0.1, at_most=0.6, lookup="x"), {}, 0.5, WARN),
    "rows within a band that warns": (Rule(kind="row_count", parameters={**COUNT, "warn": [5, 9]}), {}, 4.0, WARN),
}


@pytest.mark.parametrize("what", JUDGED)
def test_a_measure_is_held_against_both_thresholds(what: str) -> None:
    one, around, measured, verdict = JUDGED[what]
    found = result_of(one, **around)

    assert (found.verdict, found.rows) == (verdict, 4)
    assert found.measured == pytest.approx(measured)
    assert result_of(one, FRAME.lazy(), **around) == found


NOT_RUN: dict[str, Rule] = {
    "freshness of text": rule("fresh", "same", at_most=1),
    "a column that is not there": rule("varies", "size2"),
    "numbers compared with texts": rule("psi", "id", values=["a"], counts=[1, 1], min_rows=0),
    "texts compared with numbers": rule("psi", "same", edges=[1.0], counts=[1, 1], min_rows=0),
}


@pytest.mark.parametrize("what", NOT_RUN)
def test_a_rule_about_a_whole_frame_that_did_not_run_has_failed(what: str) -> None:
    found = result_of(NOT_RUN[what])

    assert (found.rows, found.verdict) == (None, FAIL)
    assert found.note.startswith("it did not run: ")


def test_every_rule_runs_on_no_rows_and_on_nulls_alone() -> None:
    empty, nulls = FRAME.clear(), pl.DataFrame(schema=FRAME.schema).match_to_schema(FRAME.schema)
    for one, around, _, _ in JUDGED.values():
        for frame in (empty, nulls, FRAME.head(1)):
            assert result_of(one, frame, **around).rows == frame.height


def reference(values: pl.Series, kind: str) -> Rule:
    column = profile_of("s", ON, values.to_frame()).columns[0]
    seen = (
        {"edges": list(column.edges), "counts": list(column.counts)}
        if column.edges
        else {"values": list(column.values), "counts": [*column.values.values(), 0]}
    )
    return rule(kind, values.name, warn=0.1, at_most=0.25, **seen, min_rows=100)


NUMBERS = pl.Series("x", np.random.default_rng(1).normal(size=5000))
TEXTS = pl.Series("x", ["a", "b", "b", "c"] * 500)
MOVED: dict[str, tuple[Rule, pl.Series, Verdict]] = {
    "the same numbers": (reference(NUMBERS, "psi"), NUMBERS, PASS),
    "moved by a deviation": (reference(NUMBERS, "psi"), NUMBERS + 1, FAIL),
    "moved by a deviation, KS": (reference(NUMBERS, "ks"), NUMBERS + 1, FAIL),
    "moved a little, KS": (reference(NUMBERS, "ks"), NUMBERS + 0.4, WARN),
    "numbers of half the width": (reference(NUMBERS, "ks"), NUMBERS.cast(pl.Float32), PASS),
    "infinities are numbers": (reference(NUMBERS, "ks"), pl.Series("x", [math.inf] * 200), FAIL),
    "NaN is no number": (reference(NUMBERS, "ks"), pl.concat([NUMBERS, pl.Series("x", [math.nan] * 9000)]), PASS),
    "too few numbers": (reference(NUMBERS, "ks"), NUMBERS.head(50), INCONCLUSIVE),
    "the same texts": (reference(TEXTS, "jensen_shannon"), TEXTS, PASS),
    "the same texts as categories": (reference(TEXTS, "psi"), TEXTS.cast(pl.Categorical), PASS),
    "texts that were not there": (reference(TEXTS, "jensen_shannon"), pl.Series("x", ["d"] * 500), FAIL),
}


@pytest.mark.parametrize("what", MOVED)
def test_a_frame_is_measured_against_its_reference(what: str) -> None:
    one, values, verdict = MOVED[what]

    assert result_of(one, values.to_frame()).verdict is verdict
    assert result_of(one, values.to_frame().lazy()).verdict is verdict


def test_a_missing_share_is_held_against_that_of_the_reference() -> None:
    one = rule("missing_change", "size", at_most=0.1, share=0.5, min_rows=4)

    assert result_of(one).verdict is PASS
    assert result_of(one, FRAME.tail(3)).verdict is INCONCLUSIVE
    assert result_of(rule("missing_change", "size", at_most=0.1, share=0.1, min_rows=4)).verdict is FAIL


@given(values=st.lists(st.none() | st.floats() | st.integers(-3, 3).map(float), max_size=40))
def test_a_profile_is_that_of_plain_python(values: list[float | None]) -> None:
    column = profile_of("s", ON, pl.DataFrame({"x": pl.Series(values, dtype=pl.Float64)})).columns[0]
    there = sorted(one for one in values if one is not None and math.isfinite(one))

    assert column.nulls == values.count(None)
    assert column.nans == sum(one is not None and math.isnan(one) for one in values)
    assert sum(column.counts) == (len(there) if column.counts else 0)
    below = -math.inf
    for edge, count in zip((*column.edges, math.inf), column.counts, strict=False):
        assert count == sum(below < one <= edge for one in there)
        below = edge


def test_a_report_says_where_it_stood_and_what_the_columns_looked_like() -> None:
    around = Around(rows_in=6, left_out={"never got an outcome": 2}, quarantine=RowFile(digest=ON, bytes=9, rows=1))
    report: CheckReport = examine(FRAME, [], on=ON, stage=Stage.LABELLED, around=around)

    assert (report.place, report.rows_in, report.rows, report.left_out) == (
        "labelled",
        6,
        4,
        {"never got an outcome": 2},
    )
    assert report.quarantine is not None
    size = report.columns[2]
    assert (size.name, size.nulls, size.nans, size.low, size.high, size.mean) == ("size", 1, 1, 1.0, 2.0, None)


def test_rules_that_nobody_declares_are_none() -> None:
    assert {"row_count", "fresh", "psi"} <= set(WHOLE_RULES)
