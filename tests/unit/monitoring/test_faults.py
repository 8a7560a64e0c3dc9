"""Every cause is a hypothesis that fits the numbers of its own fault, and none that fits a fault of another kind."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from lockgate.kernel.verdicts import Verdict
from lockgate.records.monitoring import ParityCause, ParityLine
from lockgate.records.outcome import Event
from lockgate.records.prediction import Prediction
from tests.making.served import (
    HOUR,
    RELEASE,
    changed,
    compared,
    departures,
    line_of,
    questions,
    serve,
    side,
    weather,
)

ROWS = weather() + departures()


def of_weather(change: Callable[[Event], Event | None]) -> Callable[[Event], Event | None]:
    return lambda event: change(event) if event.source == "weather" else event


def of_departures(change: Callable[[Event], Event | None]) -> Callable[[Event], Event | None]:
    return lambda event: change(event) if event.source == "departures" else event


def wind(event: Event, change: Callable[[float], Any]) -> Event:
    return replace(event, values={"wind_speed": change(event.values["wind_speed"])})  # type: ignore[arg-type]


def is_even(event: Event) -> bool:
    return (event.event_time // HOUR) % 2 == 0


def number(event: Event) -> int:
    return int(str(event.key)[1:])


TOLD: dict[str, tuple[Callable[[Event], Event | None], str, ParityCause]] = {
    "rows that are told two hours late are late data": (
        of_weather(lambda one: replace(one, received_at=one.received_at + 2 * HOUR) if is_even(one) else one),
        "weather.wind_speed",
        ParityCause.LATE,
    ),
    "rows that are never told are late data": (
        of_weather(lambda one: None if is_even(one) else one),
        "weather.@event",
        ParityCause.LATE,
    ),
    "rows that the source corrects afterwards are a correction": (
        of_weather(lambda one: wind(one, lambda value: value + (one.event_time // HOUR) % 5 - 2)),
        "weather.wind_speed",
        ParityCause.CORRECTION,
    ),
    "rows whose hours were read in another zone are a time zone": (
        of_weather(
            lambda one: replace(one, event_time=one.event_time - 2 * HOUR, available_time=one.available_time - 2 * HOUR)
        ),
        "weather.@event",
        ParityCause.TIME_ZONE,
    ),
    "rows too old because of their zone are a time zone too": (
        of_weather(
            lambda one: replace(one, event_time=one.event_time - 5 * HOUR, available_time=one.available_time - 5 * HOUR)
        ),
        "weather.wind_speed",
        ParityCause.TIME_ZONE,
    ),
    "knots for kilometres an hour are a unit": (
        of_weather(lambda one: wind(one, lambda value: value / 1.852)),
        "weather.wind_speed",
        ParityCause.UNIT,
    ),
    "an offset is a unit too": (
        of_weather(lambda one: wind(one, lambda value: value + 273.15)),
        "weather.wind_speed",
        ParityCause.UNIT,
    ),
    "a factor and an offset together are a unit": (
        of_weather(lambda one: wind(one, lambda value: value * 1.8 + 32)),
        "weather.wind_speed",
        ParityCause.UNIT,
    ),
    "one decimal for many is a truncation": (
        of_weather(lambda one: wind(one, round)),
        "weather.wind_speed",
        ParityCause.TRUNCATION,
    ),
    "flights that are reported two hours late miss in windows as late data": (
        of_departures(lambda one: replace(one, received_at=one.received_at + 2 * HOUR) if number(one) % 2 else one),
        "carrier_count_3h",
        ParityCause.LATE,
    ),
    "a mean lacks what was never told": (
        of_departures(lambda one: one if number(one) % 2 else None),
        "carrier_mean_3h",
        ParityCause.LATE,
    ),
}


@pytest.mark.parametrize(("change", "column", "cause"), TOLD.values(), ids=TOLD.keys())
def test_a_fault_in_what_is_told_has_its_cause(
    change: Callable[[Event], Event | None], column: str, cause: ParityCause
) -> None:
    told = changed(ROWS, change)
    line = line_of(compared(serve(told, questions()), ROWS, told), column)

    assert line.mismatched > 5
    assert line.reasons[0].cause is cause
    assert line.reasons[0].explains == max(one.explains for one in line.reasons)
    assert sum(one.explains for one in line.reasons) == line.reasons[0].of == line.mismatched


def known(one: Prediction, place: int, **fields: Any) -> Prediction:  # noqa: ANN401 - fields of what was known
    return replace(one, known=(*one.known[:place], replace(one.known[place], **fields), *one.known[place + 1 :]))


def seen(one: Prediction, place: int, change: Callable[[float | None], float | None]) -> Prediction:
    return replace(one, x=(*one.x[:place], change(one.x[place]), *one.x[place + 1 :]))


def fewer(one: Prediction) -> Prediction:
    count, *rest = one.known[2].values
    return known(one, 2, values=(max(0, count - 1), *rest))


SERVED: dict[str, tuple[Callable[[Prediction], Prediction], str, ParityCause]] = {
    "a text for a number is a type coercion": (
        lambda one: known(one, 0, values=(str(one.known[0].values[0]),)),
        "weather.wind_speed",
        ParityCause.COERCION,
    ),
    "a category that only training knew is an unknown category": (
        lambda one: seen(one, 1, lambda code: None if code == 1.0 else code),
        "carrier",
        ParityCause.UNKNOWN_CATEGORY,
    ),
    "a missing aircraft of a fixed year is a default": (
        lambda one: known(one, 1, values=(1999,)) if one.known[1].values == (None,) else one,
        "planes.year",
        ParityCause.DEFAULT,
    ),
    "a missing aircraft that reaches the model as a number is a null fill": (
        lambda one: seen(one, 5, lambda year: -1.0 if year is None else year),
        "year",
        ParityCause.NULL_FILL,
    ),
    "fewer rows in a window than had been told are a stale value": (
        fewer,
        "carrier_count_3h",
        ParityCause.STALE,
    ),
    "answers at another threshold are a threshold": (
        lambda one: replace(one, value=one.score >= 0.7),
        "answer",
        ParityCause.THRESHOLD,
    ),
    "what fits nothing is unknown": (
        lambda one: seen(one, 2, lambda value: (value or 0.0) ** 1.5),
        "distance",
        ParityCause.UNKNOWN,
    ),
}


@pytest.mark.parametrize(("change", "column", "cause"), SERVED.values(), ids=SERVED.keys())
def test_a_fault_in_what_is_served_has_its_cause(
    change: Callable[[Prediction], Prediction], column: str, cause: ParityCause
) -> None:
    line = line_of(compared([change(one) for one in serve(ROWS, questions())], ROWS), column)

    assert line.mismatched
    assert [(one.cause, one.explains) for one in line.reasons] == [(cause, line.mismatched)]


def test_scores_of_another_version_in_the_span_are_that_version() -> None:
    first, second = serve(ROWS, questions()), serve(ROWS, questions(), seed=2)
    other = b"\x02" * 32
    mixed = [replace(one, score=two.score) for one, two in zip(first, second, strict=True)]
    own = [replace(one, release=other) for one in second]
    sides = {RELEASE: side(ROWS), other: side(ROWS, version=2, seed=2)}
    report = compared([*mixed, *own], ROWS, sides=sides)
    (line,) = [one for one in report.lines if one.column == "score" and one.mismatched]

    assert (line.version, line.reasons[0].cause) == (1, ParityCause.OTHER_VERSION)
    assert line.reasons[0].note == "v2 gives these scores"


def test_each_version_is_held_to_its_own_package() -> None:
    other = b"\x02" * 32
    asked = questions()
    predictions = [
        *serve(ROWS, asked[:30]),
        *(replace(one, release=other) for one in serve(ROWS, asked[30:], seed=2)),
    ]
    report = compared(predictions, ROWS, sides={RELEASE: side(ROWS), other: side(ROWS, version=2, seed=2)})

    assert report.verdict is Verdict.PASS
    assert {(one.version, one.compared) for one in report.lines} == {(1, 30), (2, 30)}


def test_two_faults_at_once_are_two_causes() -> None:
    def spoilt(place: int, one: Prediction) -> Prediction:
        return seen(one, 2, lambda value: (value or 0.0) * (1.609344 if place % 3 else 1000.0))

    line = line_of(compared([spoilt(*pair) for pair in enumerate(serve(ROWS, questions()))], ROWS), "distance")

    assert [(one.cause, one.explains) for one in line.reasons] == [(ParityCause.UNIT, 40), (ParityCause.UNIT, 20)]
    assert "1.609344 (miles and kilometres?)" in line.reasons[0].note


def test_one_difference_alone_is_no_unit() -> None:
    first, *rest = serve(ROWS, questions())
    line = line_of(compared([seen(first, 2, lambda value: (value or 0.0) * 2), *rest], ROWS), "distance")

    assert (line.mismatched, reasons(line)) == (1, [ParityCause.UNKNOWN])


def test_minus_zero_is_not_zero_and_every_nan_is_one() -> None:
    predictions = serve(ROWS, questions(12))
    zeros = [replace(one, x=(0.0, *one.x[1:])) for one in predictions]
    minus = [seen(one, 0, lambda value: -0.0 if value == 0.0 else value) for one in predictions]

    assert line_of(compared(predictions, ROWS), "year").exact == 12
    assert line_of(compared(zeros, ROWS), "origin").mismatched == 8
    assert line_of(compared(minus, ROWS), "origin").mismatched == 4


def test_sums_of_floats_are_within_a_tolerance_that_is_no_more_than_stated() -> None:
    predictions = serve(ROWS, questions())
    report = compared(predictions, ROWS)
    line = line_of(report, "carrier_sum_3h")

    assert (line.tolerance, line.mismatched) == (1e-9, 0)
    assert line.within > 0, "floats add up a little differently in another order"
    assert line_of(report, "carrier_count_3h").exact == line_of(report, "carrier_last_3h").exact == 60

    def moved(one: Prediction) -> Prediction:
        values = list(one.known[2].values)
        values[1:4] = [value + 1e-6 * max(1.0, abs(value)) for value in values[1:4]]
        return known(one, 2, values=tuple(values))

    report = compared([moved(one) for one in predictions], ROWS)
    assert {line_of(report, f"carrier_{name}_3h").mismatched for name in ("sum", "mean", "std")} == {60}


def reasons(line: ParityLine) -> list[ParityCause]:
    return [one.cause for one in line.reasons]
