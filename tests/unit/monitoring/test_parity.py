"""What was served is compared value by value: a difference is counted once, in its class; silence is not equality."""

from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lockgate.kernel.verdicts import Verdict
from lockgate.monitoring.parity import Side, compare
from lockgate.monitoring.span import Span, survey
from lockgate.predictionlog import reading
from lockgate.records.features import FieldKind
from lockgate.records.monitoring import ParityClass, ParityReport
from lockgate.records.prediction import Prediction
from tests.making.flights import NAME, Flights
from tests.unit.monitoring.conftest import ASKED


@cache
def side_of(flights: Flights) -> Side:
    """Load the package once."""
    return flights.side()


def compared(flights: Flights, predictions: Sequence[Prediction], **changes: Any) -> ParityReport:  # noqa: ANN401 - arguments of compare
    side = side_of(flights)
    if (until := changes.pop("until", None)) is not None:
        side = replace(side, until=until)
    given = {
        "sides": {flights.release: side},
        "span": survey(flights.log).span,
    }
    return compare(NAME, predictions, **{**given, **changes})


def wrong(report: ParityReport) -> list[tuple[ParityClass, str, int]]:
    return [(line.part, line.column, line.mismatched) for line in report.lines if line.mismatched]


def test_every_value_is_compared_and_is_one_of_three(flights: Flights, logged: list[Prediction]) -> None:
    report = compared(flights, logged)

    assert (report.predictions, report.covered, report.verdict) == (ASKED, ASKED, Verdict.PASS)
    assert {line.part for line in report.lines} == set(ParityClass)
    assert all(line.exact + line.within + line.mismatched == line.compared == ASKED for line in report.lines)


def test_what_no_snapshot_covers_is_counted_and_is_not_equal(flights: Flights, logged: list[Prediction]) -> None:
    moment = sorted(one.asked_at for one in logged)[ASKED // 2]
    report = compared(flights, logged, until={"weather": moment, "departures": 0})
    lines = {line.column: line for line in report.lines}
    known = sum(one.asked_at <= moment for one in logged)

    assert (lines["weather.wind_speed"].compared, lines["weather.wind_speed"].not_covered) == (known, ASKED - known)
    assert (lines["origin_count_3h"].compared, lines["origin_count_3h"].verdict) == (0, Verdict.INCONCLUSIVE)
    assert (lines["planes.year_built"].compared, report.covered) == (ASKED, 0)
    assert report.verdict is Verdict.INCONCLUSIVE


def test_nothing_asked_is_inconclusive(flights: Flights) -> None:
    report = compared(flights, [], span=Span(since=None, until=None))

    assert (report.predictions, report.lines, report.verdict) == (0, (), Verdict.INCONCLUSIVE)


def test_a_release_that_is_not_there_is_counted_by_reason(flights: Flights, logged: list[Prediction]) -> None:
    other = replace(logged[0], release=b"\x00" * 32)
    report = compared(flights, [other, *logged[1:]], left_out={b"\x00" * 32: "its signature does not hold"})

    assert report.left_out == {"its signature does not hold": 1}
    assert report.verdict is Verdict.INCONCLUSIVE
    assert wrong(report) == []


def test_only_the_last_part_is_compared(flights: Flights) -> None:
    whole, last = survey(flights.log), survey(flights.log, timedelta(hours=1))
    report = flights.parity()
    part = compared(flights, list(reading.predictions(flights.log)), span=last.span)

    assert whole.logged == ASKED
    assert 0 < part.predictions < report.predictions


def test_both_sides_nulls_are_equal_and_one_sided_ones_are_told(flights: Flights, logged: list[Prediction]) -> None:
    place = [column.name for column in flights.version.contract.features.columns].index("distance")
    x = list(logged[0].x)
    x[place] = None
    report = compared(
        flights, [replace(logged[0], x=tuple(x)), *logged[1:]], classes=frozenset({ParityClass.TRANSFORM})
    )
    (line,) = [line for line in report.lines if line.mismatched]

    assert (line.column, line.mismatched, line.served_null, line.expected_null) == ("distance", 1, 1, 0)
    assert line.worst is not None
    assert line.worst.prediction == logged[0].id


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_one_corrupted_value_is_found_once_in_its_class(
    flights: Flights, logged: list[Prediction], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, ASKED - 1))
    one, features = logged[place], flights.version.contract.features
    part = data.draw(st.sampled_from(list(ParityClass)))
    changed, column = one, ""
    if part is ParityClass.MODEL:
        changed, column = replace(one, score=one.score + 0.01, value=one.value), "score"
    elif part is ParityClass.TRANSFORM:
        at = data.draw(st.integers(0, len(features.columns) - 1))
        x = list(one.x)
        x[at] = (x[at] or 0.0) + 1.5
        changed, column = replace(one, x=tuple(x)), features.columns[at].name
    else:
        first = 0 if part is ParityClass.DATA else len(features.lookups)
        count = len(features.lookups) if part is ParityClass.DATA else len(features.windows)
        at = first + data.draw(st.integers(0, count - 1))
        values = list(one.known[at].values)
        inner = data.draw(st.integers(0, len(values) - 1))
        values[inner] = (values[inner] or 0) + 3
        known = list(one.known)
        known[at] = replace(known[at], values=tuple(values))
        changed = replace(one, known=tuple(known))
        names = [f"{it.source}.{name.name}" for it in features.lookups for name in it.columns]
        sizes = [len(it.columns) for it in features.lookups]
        column = (
            names[sum(sizes[:at]) + inner]
            if part is ParityClass.DATA
            else features.windows[at - first].columns[inner].name
        )
    predictions = [*logged[:place], changed, *logged[place + 1 :]]
    report = compared(flights, predictions, classes=frozenset({part}))

    assert report.verdict is Verdict.FAIL
    assert (part, column, 1) in wrong(report)
    assert {it for it, _, _ in wrong(report)} == {part}
    assert sum(count for _, _, count in wrong(report)) <= (2 if part is ParityClass.MODEL else 1)


def test_each_version_is_held_to_its_own_contract_and_has_lines_of_its_own(
    flights: Flights, logged: list[Prediction]
) -> None:
    second = b"\x02" * 32
    half = [replace(one, release=second) if place % 2 else one for place, one in enumerate(logged)]
    half[1] = replace(half[1], score=half[1].score + 0.01)
    sides = {flights.release: flights.side(), second: replace(flights.side(), version=2)}
    report = compared(flights, half, sides=sides, classes=frozenset({ParityClass.MODEL}))

    counted = {(line.version, line.column): (line.compared, line.mismatched) for line in report.lines}
    assert counted[1, "score"] == (ASKED // 2, 0)
    assert counted[2, "score"] == (ASKED // 2, 1)


def test_sums_of_floats_have_a_tolerance_and_what_only_chooses_has_none(
    flights: Flights, logged: list[Prediction]
) -> None:
    side = flights.side()
    contract = side.package.contract
    windows = tuple(replace(one, value_type=FieldKind.FLOAT) for one in contract.features.windows)
    side.package.contract = replace(contract, features=replace(contract.features, windows=windows))
    place, (names, known) = next(
        (place, (windows[0].columns, one.known[2].values)) for place, one in enumerate(logged) if one.known[2].values[1]
    )
    for share, said in ((1e-11, (1, 0)), (1e-6, (0, 1))):
        values = (known[0], known[1] * (1 + share), *known[2:])
        changed = replace(logged[place].known[2], values=values)
        one = replace(logged[place], known=(*logged[place].known[:2], changed, *logged[place].known[3:]))
        report = compared(
            flights,
            [*logged[:place], one, *logged[place + 1 :]],
            sides={flights.release: side},
            classes=frozenset({ParityClass.WINDOW}),
        )
        lines = {line.column: line for line in report.lines}
        mean, largest = lines[names[1].name], lines[names[2].name]
        assert (mean.within, mean.mismatched) == said
        assert (mean.tolerance, largest.tolerance) == (1e-9, 0.0)
        assert mean.exact + mean.within + mean.mismatched == mean.compared == ASKED


def test_a_log_is_read_once(flights: Flights, logged: list[Prediction]) -> None:
    assert flights.parity(iter(logged)).predictions == ASKED
