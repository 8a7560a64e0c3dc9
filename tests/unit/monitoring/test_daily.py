"""Daily metrics come from the log alone: a day of a cohort counts when it has matured, and both figures stand there."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from lockgate.kernel.canonical import Digest, sha256
from lockgate.kernel.ids import IdMaker
from lockgate.monitoring.daily import Cohorts, read_cohorts
from lockgate.predictionlog.segments import Kind
from lockgate.predictionlog.writer import SegmentWriter
from lockgate.records.features import Code, FieldKind, OutcomeSpec
from lockgate.records.monitoring import DailyMetric
from lockgate.records.outcome import Event, Outcome
from lockgate.records.prediction import Prediction
from lockgate.statistics import brier, roc_auc

NEW_YORK = "America/New_York"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2013, 3, 1, 17, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ONE, TWO, UNKNOWN = sha256(b"one"), sha256(b"two"), sha256(b"unknown")
VERSIONS = {ONE: 1, TWO: 2}

LATE = OutcomeSpec(
    name="late",
    source="arrivals",
    inputs=("delay",),
    returns=FieldKind.BOOL,
    final_after=DAY,
    never="exclude",
    code=Code(name="late", source="def late(delay):\n    return delay > 15"),
)

_ids = IdMaker(0)
_counter = itertools.count()


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def asked(at: datetime, score: float = 0.5, release: Digest = ONE, key: str | None = None) -> Prediction:
    number = next(_counter)
    return Prediction(
        id=_ids.make(1, micros(START) // 1000)[0],
        release=bytes.fromhex(release.removeprefix("sha256:")),
        plan=1,
        key=key or f"f{number}",
        asked_at=micros(at),
        received_at=micros(START) + number,
        row=(key or f"f{number}",),
        known=(),
        x=(score,),
        score=score,
        value=score >= 0.5,
        unseen=(),
        by="tests",
    )


def told(
    about: Prediction | tuple[str, datetime],
    value: bool | float,
    at: datetime,
    *,
    revision: int | None = None,
    received: int = 0,
) -> Outcome:
    by_id = isinstance(about, Prediction)
    return Outcome(
        prediction=about.id if isinstance(about, Prediction) else None,
        key=None if by_id else about[0],  # type: ignore[index]  # a pair, then
        asked_at=None if by_id else micros(about[1]),  # type: ignore[index]  # likewise
        value=value,
        observed_at=micros(at),
        revision=revision,
        received_at=micros(START) + received,
        by="tests",
    )


def posted(event: datetime, known: datetime) -> Event:
    return Event(
        source="weather",
        key="EWR",
        event_time=micros(event),
        available_time=micros(known),
        values={},
        received_at=micros(START),
        by="tests",
    )


def cohorts(
    folder: Path,
    predictions: Sequence[Prediction] = (),
    outcomes: Sequence[Outcome] = (),
    events: Sequence[Event] = (),
) -> Cohorts:
    for kind, records in ((Kind.PREDICTION, predictions), (Kind.OUTCOME, outcomes), (Kind.EVENT, events)):
        writer = SegmentWriter(folder, "flights", kind, 0, lambda: START)
        writer.append(records)
        writer.close()
    return read_cohorts("flights", folder)


def daily(found: Cohorts, timezone: str = NEW_YORK, task: str = "binary") -> list[DailyMetric]:
    return found.daily(LATE, task=task, threshold=0.5, timezone=timezone, versions=VERSIONS)


def one(found: Cohorts, metric: str = "brier", **where: object) -> DailyMetric:
    (match,) = [
        row
        for row in daily(found)
        if row.metric == metric and all(getattr(row, name) == value for name, value in where.items())
    ]
    return match


def test_a_log_that_is_not_there_has_no_days(tmp_path: Path) -> None:
    found = read_cohorts("flights", tmp_path / "nothing")

    assert (found.predictions, found.joined, found.unmatched, found.watermark) == (0, 0, 0, None)
    assert daily(found) == []


def test_a_log_of_outcomes_alone_has_no_days_either(tmp_path: Path) -> None:
    found = cohorts(tmp_path, outcomes=[told(("f", START), value=True, at=START)])

    assert (found.predictions, found.unmatched) == (0, 1)
    assert daily(found) == []


def test_predictions_without_outcomes_are_counted_and_nothing_is_claimed_of_them(tmp_path: Path) -> None:
    row = one(cohorts(tmp_path, [asked(START), asked(START + HOUR)]))

    assert (row.predictions, row.matured, row.n, row.value, row.naive_n, row.naive_value) == (2, 0.0, 0, None, 0, None)
    assert (row.endpoint, row.version, row.day) == ("flights", 1, "2013-03-01")


def test_a_cohort_matures_when_the_watermark_has_passed_it_by_the_span(tmp_path: Path) -> None:
    first, second = asked(START, 0.9), asked(START + HOUR, 0.2)
    last = asked(START + DAY)
    row = one(
        cohorts(
            tmp_path,
            [first, second, last],
            [told(first, value=True, at=START + HOUR), told(second, value=True, at=START + 2 * HOUR)],
        ),
        day="2013-03-01",
    )

    # At the watermark the first is exactly a day old, the second an hour younger.
    assert (row.predictions, row.matured) == (2, 0.5)
    assert (row.n, row.naive_n) == (1, 2)
    assert row.value == pytest.approx(0.01)
    assert row.naive_value == pytest.approx((0.01 + 0.64) / 2)


def test_the_watermark_is_moved_by_predictions_outcomes_and_posted_rows(tmp_path: Path) -> None:
    prediction = asked(START)
    moves = {
        "by a prediction": cohorts(tmp_path / "a", [prediction, asked(START + 5 * HOUR)]),
        "by an outcome": cohorts(tmp_path / "b", [prediction], [told(prediction, value=True, at=START + 5 * HOUR)]),
        "by a row": cohorts(tmp_path / "c", [prediction], events=[posted(START + 5 * HOUR, START + 6 * HOUR)]),
        "by a row that was known before it happened": cohorts(
            tmp_path / "d", [prediction], events=[posted(START + 90 * DAY, START + 5 * HOUR)]
        ),
    }

    assert {what: found.watermark for what, found in moves.items()} == dict.fromkeys(moves, START + 5 * HOUR)


def test_a_row_that_was_posted_lets_a_cohort_mature(tmp_path: Path) -> None:
    prediction = asked(START, 0.9)
    found = cohorts(
        tmp_path, [prediction], [told(prediction, value=True, at=START)], [posted(START + DAY, START + DAY)]
    )

    assert (one(found).matured, one(found).n) == (1.0, 1)


def test_early_outcomes_that_are_not_like_late_ones_show_in_the_naive_figure_alone(tmp_path: Path) -> None:
    """The right answers come at once, the wrong ones after a day: naive looks perfect, matured does not."""
    old = [asked(START + n * timedelta(minutes=1), 0.9) for n in range(10)]
    young = [asked(START + 2 * DAY + n * timedelta(minutes=1), 0.9) for n in range(10)]
    outcomes = [told(p, value=n % 2 == 0, at=START + DAY) for n, p in enumerate(old)]
    outcomes += [told(p, value=True, at=START + 2 * DAY) for n, p in enumerate(young) if n % 2 == 0]
    found = cohorts(tmp_path, [*old, *young], outcomes)
    first, last = (one(found, "accuracy", day=day) for day in ("2013-03-01", "2013-03-03"))

    assert (first.matured, first.n, first.value, first.naive_value) == (1.0, 10, 0.5, 0.5)
    assert (last.matured, last.n, last.value) == (0.0, 0, None)
    assert (last.naive_n, last.naive_value) == (5, 1.0)


def test_the_last_word_on_an_outcome_counts(tmp_path: Path) -> None:
    corrected, revised, by_key = asked(START), asked(START), asked(START, key="UA-1")
    words = [
        told(corrected, value=False, at=START, received=1),
        told(corrected, value=True, at=START, received=2),
        told(revised, value=True, at=START, revision=2, received=1),
        told(revised, value=False, at=START, revision=1, received=9),
        told(by_key, value=False, at=START, received=1),
        told(("UA-1", START), value=True, at=START, received=2),
    ]
    found = cohorts(tmp_path, [corrected, revised, by_key, asked(START + 2 * DAY)], words)

    assert found.frame.sort("received_at")["outcome"].to_list()[:3] == [1.0, 1.0, 1.0]
    assert found.joined == 3
    assert one(found, day="2013-03-01").n == 3


def test_an_outcome_without_a_prediction_is_counted_not_forgotten(tmp_path: Path) -> None:
    prediction = asked(START, key="UA-1")
    nobody = asked(START)
    words = [
        told(prediction, value=True, at=START),
        told(nobody, value=True, at=START),
        told(("UA-1", START + HOUR), value=True, at=START),
        told(("UA-2", START), value=True, at=START),
        told(("UA-2", START), value=False, at=START, received=5),
    ]
    found = cohorts(tmp_path, [prediction], words)

    assert (found.predictions, found.joined, found.unmatched) == (1, 1, 3)


# The clock is put forward on 10 March 2013 and back on 3 November: those days have 23 and 25 hours.
DAYS = {
    "before midnight is the day before": (datetime(2013, 3, 2, 4, 59, 59, tzinfo=UTC), "2013-03-01"),
    "at midnight the day begins": (datetime(2013, 3, 2, 5, tzinfo=UTC), "2013-03-02"),
    "the short day begins at its midnight": (datetime(2013, 3, 10, 5, tzinfo=UTC), "2013-03-10"),
    "the short day ends an hour early": (datetime(2013, 3, 11, 3, 59, tzinfo=UTC), "2013-03-10"),
    "the day after the short one": (datetime(2013, 3, 11, 4, tzinfo=UTC), "2013-03-11"),
    "the long day begins at its midnight": (datetime(2013, 11, 3, 4, tzinfo=UTC), "2013-11-03"),
    "the long day ends an hour late": (datetime(2013, 11, 4, 4, 59, tzinfo=UTC), "2013-11-03"),
    "the day after the long one": (datetime(2013, 11, 4, 5, tzinfo=UTC), "2013-11-04"),
}


@pytest.mark.parametrize("what", DAYS)
def test_a_day_is_the_zones(tmp_path: Path, what: str) -> None:
    at, day = DAYS[what]
    found = cohorts(tmp_path, [asked(at)])

    assert {row.day for row in daily(found)} == {day}
    assert {row.day for row in daily(found, "UTC")} == {at.date().isoformat()}


@pytest.mark.parametrize(("first", "hours"), [(datetime(2013, 3, 10), 23), (datetime(2013, 11, 3), 25)])  # noqa: DTZ001 - local
def test_a_day_has_as_many_hours_as_the_clock_gives_it(tmp_path: Path, first: datetime, hours: int) -> None:
    midnight = first.replace(tzinfo=ZoneInfo(NEW_YORK)).astimezone(UTC)
    found = cohorts(tmp_path, [asked(midnight + n * HOUR) for n in range(-3, 30)])

    assert one(found, day=first.date().isoformat()).predictions == hours


def test_each_version_has_days_of_its_own_and_a_release_that_nobody_knows_is_version_0(tmp_path: Path) -> None:
    found = cohorts(
        tmp_path,
        [
            asked(START, release=TWO),
            asked(START, release=ONE),
            asked(START + DAY, release=ONE),
            asked(START, release=UNKNOWN),
            asked(START, release=ONE),
        ],
    )
    rows = [(row.version, row.day, row.predictions) for row in daily(found) if row.metric == "brier"]

    assert rows == [(0, "2013-03-01", 1), (1, "2013-03-01", 2), (1, "2013-03-02", 1), (2, "2013-03-01", 1)]


def test_every_metric_of_the_task_is_given_in_order(tmp_path: Path) -> None:
    found = cohorts(tmp_path, [asked(START)])

    assert [row.metric for row in daily(found)] == ["roc_auc", "accuracy", "log_loss", "brier"]
    assert [row.metric for row in daily(found, task="regression")] == ["mae", "rmse"]


def test_a_metric_that_is_not_defined_on_a_day_is_none_beside_those_that_are(tmp_path: Path) -> None:
    predictions = [asked(START, 0.9), asked(START, 0.8)]
    found = cohorts(
        tmp_path, [*predictions, asked(START + 2 * DAY)], [told(p, value=True, at=START) for p in predictions]
    )

    assert one(found, "roc_auc", day="2013-03-01").value is None
    assert one(found, "accuracy", day="2013-03-01").value == 1.0


def test_figures_are_those_of_the_rows(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    predictions = [
        asked(START + int(minutes) * timedelta(minutes=1), float(score))
        for minutes, score in zip(random.integers(0, 3 * 1440, 300), random.uniform(size=300), strict=True)
    ]
    known = {p.id: bool(random.uniform() < p.score) for p in predictions if random.uniform() < 0.8}
    words = [told(p, value=known[p.id], at=START + 3 * DAY) for p in predictions if p.id in known]
    found = cohorts(tmp_path, predictions, words)
    watermark = micros(START + 3 * DAY)
    zone = ZoneInfo(NEW_YORK)

    for row in [row for row in daily(found) if row.metric in {"roc_auc", "brier"}]:
        cohort = [
            p
            for p in predictions
            if (EPOCH + timedelta(microseconds=p.asked_at)).astimezone(zone).date().isoformat() == row.day
        ]
        final = [p for p in cohort if p.asked_at + 24 * 3600 * 1_000_000 <= watermark]
        metric = {"roc_auc": roc_auc, "brier": brier}[row.metric]
        for used, n, value in ((final, row.n, row.value), (cohort, row.naive_n, row.naive_value)):
            with_word = [p for p in used if p.id in known]
            y, scores = np.array([float(known[p.id]) for p in with_word]), np.array([p.score for p in with_word])
            expected = metric(y, scores) if with_word else None
            assert n == len(with_word)
            assert value == (None if expected is None else pytest.approx(expected))
        assert row.predictions == len(cohort)
        assert row.matured == pytest.approx(len(final) / len(cohort))


def test_numbers_are_judged_as_numbers(tmp_path: Path) -> None:
    prediction = asked(START, 7.0)
    found = cohorts(tmp_path, [prediction, asked(START + 2 * DAY)], [told(prediction, 10.0, START)])
    (row,) = [row for row in daily(found, task="regression") if row.metric == "mae" and row.day == "2013-03-01"]

    assert row.value == pytest.approx(3.0)


def test_a_prediction_that_was_asked_far_ahead_does_not_lose_its_day(tmp_path: Path) -> None:
    found = cohorts(tmp_path, [asked(START), asked(START + 400 * DAY)])

    assert isinstance(found.frame, pl.DataFrame)
    assert [row.matured for row in daily(found) if row.metric == "brier"] == [1.0, 0.0]
