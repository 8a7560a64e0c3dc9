"""Cohorts are taken by the span, threshold and versions that are given; where nobody asked there are no days."""

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from tests.unit.monitoring.test_daily import (
    DAY,
    HOUR,
    LATE,
    NEW_YORK,
    ONE,
    START,
    VERSIONS,
    asked,
    cohorts,
    daily,
    posted,
    told,
)

# How long an outcome may still change, and the share of the day's predictions that are older than that.
SPANS: dict[str, tuple[timedelta, float]] = {
    "at once, and every prediction is matured": (timedelta(0), 1.0),
    "just within the youngest one's age": (2 * HOUR, 1.0),
    "a microsecond beyond it": (2 * HOUR + timedelta(microseconds=1), 0.5),
    "within the oldest one's age": (3 * HOUR, 0.5),
    "beyond every age": (5 * DAY, 0.0),
}


@pytest.mark.parametrize("what", SPANS)
def test_a_cohort_matures_by_the_span_that_its_outcome_declares(tmp_path: Path, what: str) -> None:
    span, share = SPANS[what]
    first, second = asked(START), asked(START + HOUR)
    words = [told(first, value=True, at=START + 3 * HOUR), told(second, value=True, at=START + 3 * HOUR)]
    outcome = msgspec.structs.replace(LATE, final_after=span)
    rows = cohorts(tmp_path, [first, second], words).daily(
        outcome, task="binary", threshold=0.5, timezone=NEW_YORK, versions=VERSIONS
    )

    assert {(row.matured, row.n, row.naive_n) for row in rows} == {(share, int(2 * share), 2)}


# From which score on the answer was true; the matured prediction scored 0.3, the young one 0.6, and both came true.
THRESHOLDS: dict[str, tuple[float, float, float]] = {
    "a low one finds both": (0.3, 1.0, 1.0),
    "a middle one finds the young one only": (0.31, 0.0, 0.5),
    "a high one finds none": (0.61, 0.0, 0.0),
}


@pytest.mark.parametrize("what", THRESHOLDS)
def test_both_figures_are_taken_at_the_threshold_that_is_given(tmp_path: Path, what: str) -> None:
    threshold, matured, naive = THRESHOLDS[what]
    old, young = asked(START, 0.3), asked(START + HOUR, 0.6)
    words = [told(old, value=True, at=START + DAY), told(young, value=True, at=START + DAY)]
    rows = cohorts(tmp_path, [old, young], words).daily(
        LATE, task="binary", threshold=threshold, timezone=NEW_YORK, versions=VERSIONS
    )
    (row,) = [row for row in rows if row.metric == "accuracy"]

    assert (row.n, row.value, row.naive_n, row.naive_value) == (1, matured, 2, naive)


def test_where_no_release_is_numbered_everything_is_version_0(tmp_path: Path) -> None:
    found = cohorts(tmp_path, [asked(START, release=ONE)])
    rows = found.daily(LATE, task="binary", threshold=0.5, timezone=NEW_YORK, versions={})

    assert {(row.version, row.predictions) for row in rows} == {(0, 1)}


def test_a_log_folder_that_is_there_and_empty_has_no_days(tmp_path: Path) -> None:
    found = cohorts(tmp_path)

    assert list(tmp_path.iterdir()) == []
    assert (found.predictions, found.joined, found.unmatched, found.watermark) == (0, 0, 0, None)
    assert daily(found) == []


def test_rows_that_were_posted_before_anybody_asked_make_no_days(tmp_path: Path) -> None:
    found = cohorts(tmp_path, events=[posted(START, START)])

    assert (found.predictions, found.watermark) == (0, START)
    assert daily(found) == []
