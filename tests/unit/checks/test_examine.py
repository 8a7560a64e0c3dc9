"""A rule passes only if it ran on every row and holds; one that did not run has failed."""

import math
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.checks.examine import MOST_EXAMPLES, examine
from lockgate.kernel.canonical import canonical, parse, sha256
from lockgate.kernel.verdicts import Verdict
from lockgate.records.check import CheckReport, Rule, RuleResult

SNAPSHOT = sha256(b"rows")
FRAME = pl.DataFrame(
    {
        "id": [1, 2, 2, 4],
        "name": ["a", None, "c", "d"],
        "size": [1.0, math.nan, None, 50.0],
        "at": [datetime(2013, 1, day, tzinfo=UTC) for day in (1, 2, 3, 4)],
    }
)


def rule(kind: str, column: str = "", at_most: float = 0.0, **parameters: Any) -> Rule:  # noqa: ANN401 - each rule has its own
    return Rule(source="s", kind=kind, column=column, at_most=at_most, parameters=parameters)


def result_of(one: Rule, frame: pl.DataFrame = FRAME) -> RuleResult:
    (found,) = examine(frame, [one], on=SNAPSHOT, source="s").results
    return found


RAN: dict[str, tuple[Rule, int, Verdict]] = {
    "unique, broken once": (rule("unique", "id"), 1, Verdict.FAIL),
    "unique, within its share": (rule("unique", "id", 0.25), 1, Verdict.PASS),
    "unique, just beyond its share": (rule("unique", "id", 0.2499), 1, Verdict.FAIL),
    "unique, held": (rule("unique", "name"), 0, Verdict.PASS),
    "missing, null": (rule("missing", "name"), 1, Verdict.FAIL),
    "missing, null and NaN": (rule("missing", "size", 0.5), 2, Verdict.PASS),
    "missing, held": (rule("missing", "id"), 0, Verdict.PASS),
    "between, NaN breaks it and null does not": (rule("between", "size", low=0, high=100), 1, Verdict.FAIL),
    "between, beyond": (rule("between", "size", low=0, high=10), 2, Verdict.FAIL),
    "between, integers": (rule("between", "id", low=1, high=4), 0, Verdict.PASS),
    "one of, broken": (rule("one_of", "name", values=["a", "c"]), 1, Verdict.FAIL),
    "one of, held": (rule("one_of", "name", values=["a", "c", "d"]), 0, Verdict.PASS),
}


@pytest.mark.parametrize("what", RAN)
def test_a_rule_counts_the_rows_that_break_it_and_is_judged_by_its_share(what: str) -> None:
    one, failures, verdict = RAN[what]
    found = result_of(one)

    assert (found.rows, found.failures, found.verdict, found.at_most) == (4, failures, verdict, one.at_most)
    assert len(found.examples) == failures
    assert found.rule == one.name


COUNTS: dict[str, tuple[int, int | None, Verdict]] = {
    "as many as the least": (4, None, Verdict.PASS),
    "fewer than the least": (5, None, Verdict.FAIL),
    "as many as the most": (1, 4, Verdict.PASS),
    "more than the most": (1, 3, Verdict.FAIL),
}


@pytest.mark.parametrize("what", COUNTS)
def test_rows_are_counted(what: str) -> None:
    least, most, verdict = COUNTS[what]

    assert result_of(rule("row_count", least=least, most=most)).verdict is verdict


NOT_RUN: dict[str, tuple[Rule, str]] = {
    "a column that is not there": (rule("missing", "nmae"), "there is no column nmae"),
    "a rule that nobody knows": (rule("prime", "id"), "no rule is called prime"),
    "bounds of text": (rule("between", "name", low=0, high=1), ""),
    "bounds of a moment": (rule("between", "at", low=0, high=1), ""),
    "a list of text for a number": (rule("one_of", "id", values=["a"]), ""),
}


@pytest.mark.parametrize("what", NOT_RUN)
def test_a_rule_that_did_not_run_has_failed_and_says_why(what: str) -> None:
    one, why = NOT_RUN[what]
    found = result_of(one)

    assert found.rows is None
    assert found.verdict is Verdict.FAIL
    assert found.note.startswith("it did not run: ")
    assert len(found.note) > len("it did not run: ")
    assert why in found.note


def test_a_rule_that_did_not_run_fails_however_much_it_may_be_broken() -> None:
    assert result_of(rule("missing", "nmae", 1.0)).verdict is Verdict.FAIL


def test_a_rule_that_did_not_run_does_not_keep_the_others_from_running() -> None:
    report = examine(
        FRAME, [rule("missing", "nmae"), rule("missing", "id"), rule("unique", "id")], on=SNAPSHOT, source="s"
    )

    assert [(found.rows, found.failures) for found in report.results] == [(None, 0), (4, 0), (4, 1)]
    assert report.verdict is Verdict.FAIL


def test_nothing_examined_is_inconclusive() -> None:
    assert examine(FRAME, [], on=SNAPSHOT, source="s").verdict is Verdict.INCONCLUSIVE


def test_an_empty_frame_breaks_the_count_and_nothing_else() -> None:
    rules = [rule("row_count", least=1, most=None), rule("unique", "id"), rule("missing", "id")]
    report = examine(FRAME.clear(), rules, on=SNAPSHOT, source="s")

    assert [found.verdict for found in report.results] == [Verdict.FAIL, Verdict.PASS, Verdict.PASS]
    assert report.verdict is Verdict.FAIL


def test_no_more_examples_are_kept_than_somebody_can_read() -> None:
    many = pl.DataFrame({"id": [1] * 500, "n": range(500)})
    found = result_of(rule("unique", "id"), many)

    assert found.failures == 499
    assert len(found.examples) == MOST_EXAMPLES == 100
    assert [row["n"] for row in found.examples] == list(range(1, 101))


def test_examples_are_the_whole_rows_in_words_that_json_has() -> None:
    (example,) = result_of(rule("between", "size", low=0, high=100)).examples

    assert example == {"id": 2, "name": None, "size": "NaN", "at": "2013-01-02 00:00:00+00:00"}


def test_a_report_with_hostile_cells_is_kept_and_read_back() -> None:
    frame = pl.DataFrame(
        {
            "x": [math.inf, -math.inf, math.nan, 1e300, 5e-324],
            "n": [2**63 - 1, -(2**63), 2**53 + 1, 0, None],
            "t": ["\x00", "\U0001f6eb", "", "\n", None],
            "b": [b"\xff", b"", b"x", b"y", None],
            "l": [[1], [], [2, 3], None, [4]],
        }
    )
    report = examine(frame, [rule("between", "x", low=0, high=0)], on=SNAPSHOT, source="s")

    assert parse(canonical(report), CheckReport) == report
    assert len(report.results[0].examples) == 5


@given(
    values=st.lists(st.none() | st.floats() | st.integers(-5, 5).map(float), min_size=1, max_size=30),
    at_most=st.floats(0, 1),
)
def test_the_count_is_that_of_plain_python(values: list[float | None], at_most: float) -> None:
    frame = pl.DataFrame({"x": pl.Series(values, dtype=pl.Float64)})
    found = result_of(rule("between", "x", at_most, low=-2.0, high=2.0), frame)
    broken = sum(value is not None and not -2 <= value <= 2 for value in values)

    assert found.failures == broken
    held = Verdict.WARN if values == [None] * len(values) else Verdict.PASS
    assert found.verdict is (held if broken / len(values) <= at_most else Verdict.FAIL)
