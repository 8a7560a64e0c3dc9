"""Ten bugs that make what is served differ from what was trained on, planted one by one, and found; no alarm without.

- A bug is planted where it happens in production, in a copy of the serving path; the log is written by the endpoint's
  own code from real flights. `log parity` must fail, and name the cause, within as many requests as are stated.
- Clean traffic is the year's flights, each asked about eight times, at moments at which other rows are known; by as
  many endpoints as it takes to have the rows.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from threadpoolctl import threadpool_limits

from benchmarks.data.sizes import Run
from benchmarks.harness import Figure, at_least, at_most
from lockgate.kernel.verdicts import Verdict
from lockgate.records.monitoring import ParityReport
from tests.making.flights import LATER, Flights
from tests.making.skews import SKEWS, Skew

__all__ = ["measure"]


def measure(run: Run) -> list[Figure]:
    """Plant the bugs, then fly without any."""
    names = list(SKEWS)[: run.sizes.skews]
    # As in a worker: for rows as few as these threads only wait for each other.
    with threadpool_limits(limits=1):
        found = {name: _is_found(SKEWS[name]) for name in names}
        rows, alarms = _clean(run.sizes.clean)
    missed = [name for name, was in found.items() if not was]
    note = f"missed: {', '.join(missed)}" if missed else "each in the right class and by its name"
    return [
        at_least("skew: planted bugs found and named", sum(found.values()), "of them", len(names), note),
        *(
            Figure(name=f"skew: {name}, found within", value=SKEWS[name].within, unit="requests")
            for name in names
            if found[name]
        ),
        at_most("skew: values that differ in clean traffic", alarms, "of them", 0, f"{rows:,} rows"),
    ]


def _is_found(skew: Skew) -> bool:
    with TemporaryDirectory() as folder:
        flights = Flights(Path(folder))
        skew.plant(flights.version)
        flights.fly(skew.within)
        report = flights.parity()
    named = [line.reasons[0].cause for line in report.lines if line.mismatched and line.column == skew.column]
    return report.verdict is Verdict.FAIL and named == [skew.cause]


def _clean(wanted: int) -> tuple[int, int]:
    """Fly until enough rows were asked; give how many, and how many values differ."""
    rows = alarms = 0
    while rows < wanted:
        report = _flown(wanted - rows)
        rows += report.covered
        alarms += sum(line.mismatched for line in report.lines)
    return rows, alarms


def _flown(most: int) -> ParityReport:
    with TemporaryDirectory() as folder:
        flights = Flights(Path(folder), again=LATER)
        flights.fly(most)
        return flights.parity()
