"""The windows of the flight project say the same over history and online, question by question, bit for bit.

Online is the series as a store keeps them: told in the order in which departures became known, packed, read back.
"""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from lockgate.features.known import stamped
from lockgate.features.matrix import known_columns
from lockgate.features.offline import as_served
from lockgate.features.packing import Block, pack, unpack
from lockgate.features.series import Series, Told, Use, entity_key, merged, series_of, told_into
from lockgate.features.windows import WindowReader
from lockgate.project.bind import bind
from lockgate.project.blueprint import Blueprint
from lockgate.project.load import function_of, load
from lockgate.records.features import FeatureSet
from lockgate.records.source import SourceSpec
from lockgate.sources.read import kind_of_type
from tests.making.projects import traceless

FLIGHTS = Path(__file__).parents[2] / "examples/flight_delay"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
WINTER = datetime(2013, 2, 1, tzinfo=UTC), datetime(2013, 2, 8, tzinfo=UTC)
YEAR = datetime(2013, 1, 1, tzinfo=UTC), datetime(2014, 1, 2, tzinfo=UTC)

Rows = dict[str, tuple[SourceSpec, pl.DataFrame]]


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def flights(begin: datetime, end: datetime) -> tuple[Blueprint, FeatureSet, Rows]:
    """Give the project, its feature set and its rows: departures from two days before on."""
    rows = {}
    with traceless():
        blueprint = load(FLIGHTS).blueprint
        for spec in blueprint.sources:
            frame = function_of(FLIGHTS, spec.reader.where)()
            rows[spec.name] = (spec, stamped(spec, frame.lazy()).collect())
    kinds = {name: {one: kind_of_type(kind) for one, kind in frame.schema.items()} for name, (_, frame) in rows.items()}
    due = pl.col("scheduled_departure")
    for name, since in (("departures", begin - timedelta(days=2)), ("schedule", begin)):
        spec, frame = rows[name]
        rows[name] = (spec, frame.filter(due.is_between(since, end, closed="left")))
    return blueprint, bind(blueprint, kinds, {}), rows


def windowed(features: FeatureSet, rows: Rows) -> list[Series]:
    found = series_of("flight-delay", features, [spec for spec, _ in rows.values()])
    return [one for one in found if one.use is Use.WINDOW]


def kept(series: list[Series], frame: pl.DataFrame) -> dict[bytes, Block]:
    """Tell departures as they became known, a batch at a time, some of them twice."""
    told = [
        Told("departures", row["flight_id"], micros(row["scheduled_departure"]), micros(row["@available"]), row)
        for row in frame.sort("@available", maintain_order=True).iter_rows(named=True)
    ]
    chance, size, packed = random.Random(2013), max(200, len(told) // 40), dict[bytes, bytes | None]()
    for start in range(0, len(told), size):
        batch = told[start : start + size]
        for key, (one, more) in told_into(series, [*batch, *chance.sample(batch, len(batch) // 10)]).items():
            before = packed.get(key)
            packed[key] = merged(one, None if before is None else unpack(before), more, None)
    return {key: unpack(data) for key, data in packed.items() if data is not None}


def mismatches(begin: datetime, end: datetime, *, every: int) -> tuple[int, int]:
    """Compare windows of every n-th question; give (values compared, different)."""
    blueprint, features, rows = flights(begin, end)
    served = as_served(rows["schedule"][1], blueprint.request, features, rows).gather_every(every)
    series = windowed(features, rows)
    blocks = kept(series, rows["departures"][1])
    prefixes = {one.by: one.prefix for one in series}
    asked = [micros(moment) for moment in served["scheduled_departure"]]
    compared = different = 0
    for window, names in zip(features.windows, known_columns(features)[len(features.lookups) :], strict=True):
        reader, nothing = WindowReader(window), unpack(pack([], ()))
        answers = zip(served[window.by], asked, served.select(names).iter_rows(), strict=True)
        for entity, moment, expected in answers:
            block = nothing if entity is None else blocks.get(entity_key(prefixes[window.by], entity), nothing)
            found = reader.read(block, moment).values
            compared += len(found)
            different += sum(repr(one) != repr(other) for one, other in zip(found, expected, strict=True))
    return compared, different


def test_a_week_of_flights_has_no_window_that_differs() -> None:
    compared, different = mismatches(*WINTER, every=1)

    assert compared > 70_000
    assert different == 0


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_whole_year_has_no_window_that_differs() -> None:
    compared, different = mismatches(*YEAR, every=1)

    assert compared > 4_000_000
    assert different == 0
