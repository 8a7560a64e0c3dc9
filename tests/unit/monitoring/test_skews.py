"""Ten bugs of production, each planted in a copy of the serving path: found, in the right class, by its name."""

from pathlib import Path

import pytest

from lockgate.kernel.verdicts import Verdict
from tests.making.flights import Flights
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


def test_nothing_is_found_on_clean_traffic(tmp_path: Path) -> None:
    flights = Flights(tmp_path)
    flights.fly(5_000)
    report = flights.parity()

    assert report.predictions == report.covered == 5_000
    assert report.verdict is Verdict.PASS
    assert [(line.column, line.mismatched) for line in report.lines if line.exact != line.compared] == []
    assert all(line.compared == 5_000 for line in report.lines)
