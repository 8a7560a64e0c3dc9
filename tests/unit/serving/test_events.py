"""Rows of sources are read as all loaded versions want them."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from lockgate.kernel.errors import Invalid, NotFound
from lockgate.records.features import (
    Aggregate,
    FieldKind,
    Lookup,
    LookupColumn,
    Window,
    WindowColumn,
)
from lockgate.records.outcome import Event
from lockgate.records.package import Contract
from lockgate.records.source import SourceSpec
from lockgate.serving.eventclock import EventClock
from lockgate.serving.events import event_readers
from tests.making.package import NAME, START, contract
from tests.making.readers import by_function

DEPARTURES = SourceSpec(
    name="departures",
    reader=by_function("tables:departures"),
    key="flight_number",
    event_time="left",
    available_time="reported",
    event_id="report",
)


def looking_up(*columns: tuple[str, FieldKind]) -> Contract:
    """A contract that looks these columns of the weather up."""
    wanted = tuple(LookupColumn(name=name, type=kind) for name, kind in columns)
    lookup = Lookup(source="weather", by="origin", columns=wanted, clocked=True)
    features = msgspec.structs.replace(contract().features, lookups=(lookup,), columns=())
    return msgspec.structs.replace(contract(), features=features)


def counting(*, identified: bool = True, by: str = "carrier") -> Contract:
    """A contract whose windows alone read the departures."""
    column = WindowColumn(name="load_sum_1h", aggregate=Aggregate.SUM, span=timedelta(hours=1), type=FieldKind.INT)
    window = Window(name="load", source="departures", by=by, value="seats", value_type=FieldKind.INT, columns=(column,))
    features = msgspec.structs.replace(contract().features, lookups=(), windows=(window,), columns=())
    spec = DEPARTURES if identified else msgspec.structs.replace(DEPARTURES, event_id=None)
    return msgspec.structs.replace(contract(), features=features, sources=(spec,))


def read(source: str, contracts: list[Contract], **row: object) -> Event:
    body = msgspec.json.encode({"endpoint": NAME, "rows": [row]})
    (event,) = (
        event_readers(NAME, contracts).find(source).read(body, clock=EventClock(replay=True), now=START, by="tester")
    )
    return event


def weather(**more: object) -> dict[str, Any]:
    return {"origin": "JFK", "hour": "2013-03-01T06:00:00Z"} | more


def departure(**more: object) -> dict[str, Any]:
    clocks = {"left": "2013-03-01T06:00:00Z", "reported": "2013-03-01T06:05:00Z"}
    return {"flight_number": 7, "carrier": "UA", "seats": 150, "report": "r1", **clocks} | more


def test_a_row_has_the_columns_that_either_version_wants() -> None:
    live, previous = looking_up(("wind_speed", FieldKind.FLOAT)), looking_up(("gusts", FieldKind.FLOAT))

    assert read("weather", [live, previous], **weather(wind_speed=1, gusts=2)).values == {"wind_speed": 1.0, "gusts": 2}
    assert read("weather", [live, previous], **weather(wind_speed=1)).values == {"wind_speed": 1.0, "gusts": None}
    with pytest.raises(Invalid, match="gusts"):
        read("weather", [live], **weather(gusts=2))


def test_of_two_kinds_of_number_the_wider_is_taken() -> None:
    whole, wide = looking_up(("wind_speed", FieldKind.INT)), looking_up(("wind_speed", FieldKind.FLOAT))

    for contracts in ([whole, wide], [wide, whole]):
        assert read("weather", contracts, **weather(wind_speed=1.5)).values == {"wind_speed": 1.5}
    with pytest.raises(Invalid, match="wind_speed"):
        read("weather", [whole], **weather(wind_speed=1.5))


def test_a_source_that_only_windows_read_is_taken_with_what_they_group_aggregate_and_tell_apart() -> None:
    event = read("departures", [counting()], **departure())

    assert (event.key, event.values) == (7, {"carrier": "UA", "seats": 150, "report": "r1"})
    assert event.available_time - event.event_time == 300_000_000
    assert read("departures", [counting()], **departure(flight_number="UA 7", report=8)).values["report"] == 8


def test_the_column_that_tells_rows_apart_is_needed_where_the_live_version_states_it() -> None:
    with pytest.raises(Invalid, match="report"):
        read("departures", [counting()], **departure(report=None))
    both = [counting(identified=False), counting()]
    assert read("departures", both, **departure(report=None)).values["report"] is None


def test_a_row_in_no_group_and_one_without_a_value_are_taken() -> None:
    event = read("departures", [counting()], **departure(carrier=None, seats=None))

    assert event.values == {"carrier": None, "seats": None, "report": "r1"}


def test_a_key_that_tells_rows_apart_stands_among_the_values_as_well() -> None:
    spec = msgspec.structs.replace(DEPARTURES, event_id="flight_number")
    keyed = msgspec.structs.replace(counting(), sources=(spec,))
    row = departure()
    del row["report"]

    assert read("departures", [keyed], **row).values == {"carrier": "UA", "seats": 150, "flight_number": 7}


def test_a_source_that_only_the_previous_version_reads_is_taken_and_one_that_none_reads_is_not() -> None:
    live = looking_up(("wind_speed", FieldKind.FLOAT))

    assert read("departures", [live, counting()], **departure()).source == "departures"
    with pytest.raises(NotFound, match="takes no rows of a source 'departures'"):
        read("departures", [live], **departure())
