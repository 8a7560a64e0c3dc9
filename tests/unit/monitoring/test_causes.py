"""A difference is called what the numbers say it is: each cause that no planted bug has is put into a log by hand."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from lockgate.monitoring.parity import Side
from lockgate.records.monitoring import ParityCause, ParityClass, ParityLine, ParityReport
from lockgate.records.outcome import Event
from lockgate.records.prediction import Prediction
from tests.making.flights import Flights

HOUR = 3_600_000_000


def line_of(report: ParityReport, column: str) -> ParityLine:
    (line,) = [line for line in report.lines if line.column == column and line.version == 1]
    return line


def looked_up(one: Prediction, source: str, change: Callable[[Any], Any]) -> Prediction:
    known = tuple(
        replace(it, values=tuple(None if value is None else change(value) for value in it.values))
        if it.source == source
        else it
        for it in one.known
    )
    return replace(one, known=known)


def seen(one: Prediction, place: int, value: float | None) -> Prediction:
    return replace(one, x=(*one.x[:place], value, *one.x[place + 1 :]))


def as_text(one: Prediction, _: int) -> Prediction:
    return looked_up(one, "weather", str)


def without_a_carrier(one: Prediction, _: int) -> Prediction:
    return seen(one, 2, None) if one.x[2] == 1.0 else one


def noise(one: Prediction, number: int) -> Prediction:
    return seen(one, 3, (one.x[3] or 0.0) + math.sin(number) * 1e-4)


def rows_left_out(one: Prediction, number: int) -> Prediction:
    known = tuple(
        replace(it, values=(max(0, it.values[0] - 1 - number % 5), *it.values[1:])) if it.source == "origin" else it
        for it in one.known
    )
    return replace(one, known=known)


def other_threshold(one: Prediction, _: int) -> Prediction:
    return replace(one, value=one.score >= 0.35)


CHANGES: dict[str, tuple[Callable[[Prediction, int], Prediction], ParityClass, str, ParityCause]] = {
    "numbers served as texts": (as_text, ParityClass.DATA, "weather.wind_speed", ParityCause.COERCION),
    "a carrier that was not known": (without_a_carrier, ParityClass.TRANSFORM, "carrier", ParityCause.UNKNOWN_CATEGORY),
    "fewer rows than had been told": (rows_left_out, ParityClass.WINDOW, "origin_count_3h", ParityCause.STALE),
    "another threshold": (other_threshold, ParityClass.MODEL, "answer", ParityCause.THRESHOLD),
    "something that no hypothesis knows": (noise, ParityClass.TRANSFORM, "distance", ParityCause.UNKNOWN),
}


@pytest.mark.parametrize(("change", "part", "column", "cause"), CHANGES.values(), ids=CHANGES.keys())
def test_a_change_of_the_log_is_called_what_it_is(
    flights: Flights,
    logged: Sequence[Prediction],
    change: Callable[[Prediction, int], Prediction],
    part: ParityClass,
    column: str,
    cause: ParityCause,
) -> None:
    changed = [change(one, number) for number, one in enumerate(logged)]
    line = line_of(flights.parity(changed, classes=frozenset({part})), column)

    assert line.mismatched > 0
    assert [(reason.cause, reason.explains) for reason in line.reasons] == [(cause, line.mismatched)]


class _Squared:
    """Another model: its scores are the squares of this one's."""

    def __init__(self, scorer: Any) -> None:  # noqa: ANN401 - a scorer of any format
        self._scorer = scorer

    def score(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        scores: NDArray[np.float64] = self._scorer.score(x) ** 2
        return scores


def other_version(flights: Flights) -> Side:
    """Give a second version: the same but for its scores."""
    side = flights.side()
    package: Any = side.package
    package._scorer = _Squared(package._scorer)  # noqa: SLF001 - a rival that is not released
    return replace(side, version=2)


def test_scores_of_another_version_are_called_that(flights: Flights, logged: Sequence[Prediction]) -> None:
    changed = [replace(one, score=one.score**2) for one in logged]
    sides = {flights.release: flights.side(), b"\x02" * 32: other_version(flights)}
    line = line_of(flights.parity(changed, classes=frozenset({ParityClass.MODEL}), sides=sides), "score")

    assert [(reason.cause, reason.explains) for reason in line.reasons] == [
        (ParityCause.OTHER_VERSION, line.mismatched)
    ]
    assert line.reasons[0].note == "v2 gives these scores"


def told_otherwise(event: Event) -> Event:
    """Tell wind speeds that were measured again since."""
    speed = event.values.get("wind_speed")
    if not isinstance(speed, float):
        return event
    return replace(event, values={**event.values, "wind_speed": speed + math.sin(speed)})


def told_in_another_zone(event: Event) -> Event:
    """Tell the weather with its times two hours early."""
    if event.source != "weather":
        return event
    return replace(event, event_time=event.event_time - 2 * HOUR, available_time=event.available_time - 2 * HOUR)


TOLD = {
    "rows that were corrected since": (told_otherwise, ParityCause.CORRECTION),
    "rows with times of another zone": (told_in_another_zone, ParityCause.TIME_ZONE),
}


@pytest.mark.parametrize(("tell", "cause"), TOLD.values(), ids=TOLD.keys())
def test_rows_that_were_told_otherwise_are_called_what_they_are(
    tmp_path: Path, tell: Callable[[Event], Event], cause: ParityCause
) -> None:
    flights = Flights(tmp_path)
    flights.fly(150, tell=tell)
    line = line_of(flights.parity(classes=frozenset({ParityClass.DATA})), "weather.wind_speed")

    assert line.reasons[0].cause is cause
