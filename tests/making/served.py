"""A small endpoint without processes: rows are told and questions asked in an order, and what is served is logged.

It serves by the resolver, the closure and a model of the package; `side` holds the rows as a snapshot has them. Told
rows may differ from those: then what is served differs from what is derived.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import polars as pl

from lockgate.features.known import stamped
from lockgate.features.series import Told, series_of, tell
from lockgate.features.store import MemoryStore
from lockgate.kernel.canonical import sha256
from lockgate.kernel.ids import IdMaker
from lockgate.monitoring.deriving import Side
from lockgate.monitoring.parity import compare
from lockgate.monitoring.span import Span
from lockgate.packages.formats.protocol import Stored
from lockgate.packages.formats.table import FORMATS
from lockgate.packages.runtime import LoadedPackage
from lockgate.records.features import Aggregate, FieldKind, WindowColumn
from lockgate.records.monitoring import ParityLine, ParityReport
from lockgate.records.outcome import Event
from lockgate.records.package import Contract, Package
from lockgate.records.prediction import Prediction
from tests.making.online import ENDPOINT, resolver
from tests.making.package import CARRIERS, ORIGINS, trained, with_windows

NAME = "served"
RELEASE = b"\x01" * 32
START = datetime(2013, 3, 1, tzinfo=UTC)
SECOND = 1_000_000
HOUR = 3_600 * SECOND

_BEGIN = int(START.timestamp()) * SECOND


def moment(hours: float) -> int:
    """Give a moment some hours after the start, in microseconds."""
    return _BEGIN + round(hours * HOUR)


@cache
def contract() -> Contract:
    """Give the contract: weather and aircraft looked up, delays of carriers aggregated, as floats."""
    plain = with_windows()
    (window,) = plain.features.windows
    of = (Aggregate.COUNT, Aggregate.SUM, Aggregate.MEAN, Aggregate.STD, Aggregate.MIN, Aggregate.LAST)
    columns = tuple(
        WindowColumn(
            name=f"carrier_{one.value}_3h",
            aggregate=one,
            span=timedelta(hours=3),
            type=FieldKind.INT if one is Aggregate.COUNT else FieldKind.FLOAT,
        )
        for one in of
    )
    window = msgspec.structs.replace(window, value_type=FieldKind.FLOAT, columns=columns)
    return msgspec.structs.replace(plain, features=msgspec.structs.replace(plain.features, windows=(window,)))


@cache
def package(seed: int = 1) -> LoadedPackage:
    """Give the package, loaded."""
    data, reference = trained(seed)
    nothing = sha256(b"")
    manifest = Package(
        project=NAME,
        format="skops/1",
        files=(),
        training_set=nothing,
        code=nothing,
        environment=nothing,
        parameters={},
    )
    found = LoadedPackage(nothing, manifest, contract(), FORMATS["skops/1"].load(Stored(data), "binary"))
    found.tables["planes"] = {f"N{number}A": (1990 + number,) for number in range(6)}
    found.reference_result = {"tolerance": reference.tolerance}
    return found


def weather(hours: int = 48) -> list[Event]:
    """Give an observation of every hour at every airport, told when it becomes known."""
    return [
        Event(
            "weather",
            origin,
            moment(hour),
            moment(hour + 5 / 6),
            {"wind_speed": 3.3 + (hour * 7 + place * 3) % 23 * 1.1},
            moment(hour + 5 / 6),
            "tests",
        )
        for hour in range(hours)
        for place, origin in enumerate(ORIGINS)
    ]


def departures(hours: int = 48, seed: int = 0) -> list[Event]:
    """Give flights that left, with their delays, told a quarter of an hour later."""
    rng = np.random.default_rng(seed)
    return [
        Event(
            "departures",
            f"F{number}",
            moment(number / 3),
            moment(number / 3 + 0.25),
            {"carrier": CARRIERS[number % 3], "delay": float(rng.normal(10, 30))},
            moment(number / 3 + 0.25),
            "tests",
        )
        for number in range(hours * 3)
    ]


def questions(count: int = 60, first: float = 6.0) -> list[dict[str, Any]]:
    """Give flights to ask about, one every 31 minutes."""
    return [
        {
            "flight_id": f"Q{number}",
            "scheduled_departure": moment(first + number * 31 / 60),
            "origin": ORIGINS[number % 3],
            "carrier": CARRIERS[number % 2],
            "tail_number": f"N{number % 7}A",
            "distance": 100.0 + number * 37,
            "seats": 150,
        }
        for number in range(count)
    ]


def serve(told: Sequence[Event], asked: Sequence[dict[str, Any]], seed: int = 1) -> list[Prediction]:
    """Tell rows and ask questions in the order in which they are received; a question is received when it is asked."""
    found, store = package(seed), MemoryStore()
    features, request = found.contract.features, found.contract.request
    reading = resolver(request, features, found.contract.sources, tables=found.tables, store=store)
    series = series_of(ENDPOINT, features, found.contract.sources)
    coming = sorted(told, key=lambda one: one.received_at)
    ids, served = IdMaker(0), []
    for question in sorted(asked, key=lambda one: int(one["scheduled_departure"])):
        now = question["scheduled_departure"]
        ready = [one for one in coming if one.received_at <= now]
        coming = coming[len(ready) :]
        tell(store, series, [Told(*_parts(one)) for one in ready])
        row = tuple(question[field.name] for field in request.fields)
        local = tuple(_local(value) if name == request.asked_at else value for name, value in question.items())
        (known,) = reading.resolve([local], [now])
        x, unseen = found.features(local, [one.values for one in known])
        score = float(found.score(np.array([x]))[0])
        (id_,) = ids.make(1, now // 1000)
        plain = tuple(None if value != value else value for value in x)  # noqa: PLR0124 - only NaN differs
        answer = found.answer(score)
        served.append(Prediction(id_, RELEASE, 1, row[0], now, now, row, known, plain, score, answer, unseen, "tests"))
    return served


def _parts(event: Event) -> tuple[Any, ...]:
    return event.source, event.key, event.event_time, event.available_time, event.values


def _local(microseconds: int) -> datetime:
    return (START + timedelta(microseconds=microseconds - _BEGIN)).astimezone(ZoneInfo("America/New_York"))


def side(rows: Sequence[Event], *, version: int = 1, seed: int = 1) -> Side:
    """Give what predictions are held against: a snapshot with these rows."""
    specs = {one.name: one for one in contract().sources}
    frames: dict[str, Any] = {}
    for name, spec in specs.items():
        frame = pl.DataFrame(
            [
                {
                    spec.key: one.key,
                    spec.event_time or "": one.event_time,
                    spec.available_time or "@told": one.available_time,
                    **one.values,
                }
                for one in rows
                if one.source == name
            ]
        )
        times = [column for column in (spec.event_time, spec.available_time) if column is not None]
        frame = frame.with_columns(pl.col(times).cast(pl.Datetime("us", "UTC"))).drop("@told", strict=False)
        frames[name] = (spec, stamped(spec, frame.lazy()).collect())
    register = pl.DataFrame({"tail_number": list(package().tables["planes"]), "year": range(1990, 1996)})
    frames["planes"] = (msgspec.structs.replace(specs["weather"], name="planes", key="tail_number", **_TABLE), register)
    until = dict.fromkeys(specs, moment(24 * 365))
    return Side(version=version, package=package(seed), rows=frames, until=until)


_TABLE: dict[str, Any] = {"event_time": None, "available_delay": None, "stale_after": None}


def compared(
    predictions: Sequence[Prediction],
    rows: Sequence[Event],
    told: Sequence[Event] | None = None,
    sides: Mapping[bytes, Side] | None = None,
) -> ParityReport:
    """Hold predictions against a snapshot with these rows; `told` is what the log has of posted rows."""
    posted = rows if told is None else told
    return compare(
        NAME,
        predictions,
        {RELEASE: side(rows)} if sides is None else sides,
        span=Span(since=0, until=moment(24 * 365)),
        events=lambda: posted,
    )


def line_of(report: ParityReport, column: str) -> ParityLine:
    """Give a column's line."""
    (found,) = [one for one in report.lines if one.column == column]
    return found


def changed(events: Sequence[Event], change: Callable[[Event], Event | None]) -> list[Event]:
    """Give events changed, or without some."""
    return [one for event in events if (one := change(event)) is not None]
