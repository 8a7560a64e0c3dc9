"""Ten bugs of production, each planted in a copy of the serving path: found, in the right class, by its name."""

from pathlib import Path

import pytest

from lockgate.kernel.verdicts import Verdict
from lockgate.records.monitoring import ParityCause, ParityClass
from tests.making.flights import LATER, Flights
from tests.making.skews import SKEWS


@pytest.mark.parametrize("name", SKEWS)
def test_a_planted_bug_is_found_and_named_within_as_many_requests_as_stated(tmp_path: Path, name: str) -> None:
    skew, flights = SKEWS[name], Flights(tmp_path)
    skew.plant(flights.version)
    flights.fly(skew.within)
    report = flights.parity()

    assert report.predictions == report.covered == skew.within
    assert report.verdict is Verdict.FAIL
    wrong = [line for line in report.lines if line.mismatched]
    assert {line.part for line in wrong} == {skew.part}
    (line,) = [line for line in wrong if line.column == skew.column]
    assert line.reasons[0].cause is skew.cause
    assert line.reasons[0].explains == line.reasons[0].of == line.mismatched
    assert line.first_seen is not None
    assert line.worst is not None


UNTOLD = {
    "departures": (ParityClass.WINDOW, "origin_count_3h"),
    "weather": (ParityClass.DATA, "weather.wind_speed"),
}


@pytest.mark.parametrize("source", UNTOLD)
def test_rows_that_nobody_posted_are_missed_by_what_reads_them_and_nowhere_else(tmp_path: Path, source: str) -> None:
    part, column = UNTOLD[source]
    flights = Flights(tmp_path)
    flights.fly(150, tell=lambda event: None if event.source == source else event)
    report = flights.parity()

    wrong = {line.column: line for line in report.lines if line.mismatched}
    assert {line.part for line in wrong.values()} == {part}
    assert {line.reasons[0].cause for line in wrong.values()} == {ParityCause.LATE}
    assert column in wrong


def test_nothing_is_found_on_clean_traffic(tmp_path: Path) -> None:
    flights = Flights(tmp_path, again=LATER)
    flights.fly(5_000)
    assert_clean(flights, 5_000)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_nothing_is_found_in_a_million_clean_rows(tmp_path: Path) -> None:
    flights = Flights(tmp_path, again=LATER)
    flights.fly(1_000_000)
    assert_clean(flights, 1_000_000)


def assert_clean(flights: Flights, rows: int) -> None:
    report = flights.parity()
    assert report.predictions == report.covered == rows
    assert report.verdict is Verdict.PASS
    assert [(line.column, line.mismatched) for line in report.lines if line.exact != line.compared] == []
    assert all(line.compared == rows for line in report.lines)
