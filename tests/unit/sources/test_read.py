"""A source gives the rows that were known by then, with times in UTC; what can't be read so is refused."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.kernel.errors import Failed, Invalid
from lockgate.records.features import FieldKind
from lockgate.records.source import SourceSpec
from lockgate.sources.read import kind_of_type, read_function
from tests.making.readers import by_function

START = datetime(2013, 3, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
TIME = pl.Datetime("us", "UTC")

TOLD = SourceSpec(name="s", reader=by_function(), key="k", event_time="event", available_time="told")
DELAYED = SourceSpec(name="s", reader=by_function(), key="k", event_time="event", available_delay=2 * HOUR)
TABLE = SourceSpec(name="s", reader=by_function(), key="k")


def frame(*rows: tuple[int, int | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "k": range(len(rows)),
            "event": [START + event * HOUR for event, _ in rows],
            "told": [None if told is None else START + told * HOUR for _, told in rows],
        },
        schema_overrides={"event": TIME, "told": TIME},
    )


def read(spec: SourceSpec, function: Callable[..., Any], as_of: datetime | None) -> pl.DataFrame:
    return pl.concat(read_function(spec, function, as_of).batches)


def keys(spec: SourceSpec, rows: pl.DataFrame, as_of: datetime | None) -> list[int]:
    found: list[int] = read(spec, lambda: rows, as_of)["k"].to_list()
    return found


def test_rows_are_cut_by_when_they_were_known_not_by_when_they_happened() -> None:
    rows = frame((0, 5), (9, 1), (0, 2), (0, 3))

    assert keys(TOLD, rows, START + 2 * HOUR) == [1, 2]


def test_a_row_is_known_from_its_available_time_on() -> None:
    rows = frame((0, 2))

    assert keys(TOLD, rows, START + 2 * HOUR - timedelta(microseconds=1)) == []
    assert keys(TOLD, rows, START + 2 * HOUR) == [0]


def test_a_null_available_time_means_not_known_yet_also_where_nothing_is_cut() -> None:
    rows = frame((0, None), (0, 1))

    assert keys(TOLD, rows, None) == [1]
    assert keys(TOLD, rows, START + 100 * HOUR) == [1]


def test_a_delay_is_counted_from_the_event() -> None:
    rows = frame((0, None), (1, None))

    assert keys(DELAYED, rows, START + 2 * HOUR) == [0]
    assert keys(DELAYED, rows, START + 3 * HOUR) == [0, 1]
    assert keys(DELAYED, rows, None) == [0, 1]


def test_a_table_is_not_cut() -> None:
    assert keys(TABLE, frame((0, 5), (9, None)), START) == [0, 1]


@given(
    rows=st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(0, 9)), max_size=12),
    first=st.integers(0, 10),
    later=st.integers(0, 10),
)
def test_what_was_known_stays_known_and_in_order(rows: list[tuple[int, int | None]], first: int, later: int) -> None:
    known = keys(TOLD, frame(*rows), START + first * HOUR)

    assert known == [place for place, (_, told) in enumerate(rows) if told is not None and told <= first]
    assert set(known) <= set(keys(TOLD, frame(*rows), START + max(first, later) * HOUR))


def test_times_come_in_utc_and_microseconds_whatever_the_source_keeps() -> None:
    local = frame((0, 1)).with_columns(
        pl.col("event").dt.convert_time_zone("America/New_York").dt.cast_time_unit("ms"),
        pl.col("told").dt.convert_time_zone("Asia/Tokyo").dt.cast_time_unit("ns"),
    )
    found = read(TOLD, lambda: local, START + HOUR)

    assert found.schema["event"] == found.schema["told"] == TIME
    assert found.equals(frame((0, 1)))


GIVEN: dict[str, Callable[[], Any]] = {
    "a lazy frame": lambda: frame((0, 1)).lazy(),
    "a dictionary": lambda: frame((0, 1)).to_dict(as_series=False),
    "a list of rows": lambda: frame((0, 1)).to_dicts(),
    "an Arrow-like table": lambda: frame((0, 1)).to_dict(),
}


@pytest.mark.parametrize("what", GIVEN)
def test_anything_that_polars_can_make_a_frame_of_is_read(what: str) -> None:
    assert read(TOLD, GIVEN[what], None)["k"].to_list() == [0]


def raising() -> None:
    msg = "the warehouse is closed"
    raise OSError(msg)


FAILING: dict[str, tuple[Any, str]] = {
    "it raises": (raising, "OSError: the warehouse is closed"),
    "it gives a number": (lambda: 5, "TypeError"),
    "it gives a plan that does not run": (lambda: frame((0, 1)).lazy().select("nothing"), "ColumnNotFoundError"),
    "it wants arguments": (lambda wanted: wanted, "TypeError"),
}


@pytest.mark.parametrize("what", FAILING)
def test_a_source_that_can_not_be_read_says_what_happened(what: str) -> None:
    function, found = FAILING[what]
    with pytest.raises(Failed, match="The source s could not be read") as failed:
        read(TOLD, function, None)

    assert found in failed.value.found
    assert failed.value.way_out == "Try m:f by hand."


REFUSED: dict[str, tuple[pl.DataFrame, str]] = {
    "no event time": (frame((0, 1)).rename({"event": "evnt"}), "has no column event"),
    "no available time": (frame((0, 1)).drop("told"), "has no column told"),
    "an event time without a zone": (
        frame((0, 1)).with_columns(pl.col("event").dt.replace_time_zone(None)),
        "no time with a zone",
    ),
    "an available time without a zone": (
        frame((0, 1)).with_columns(pl.col("told").dt.replace_time_zone(None)),
        "no time with a zone",
    ),
    "an event time that is text": (frame((0, 1)).with_columns(pl.col("event").cast(pl.String)), "no time with a zone"),
    "a date": (frame((0, 1)).with_columns(pl.col("event").dt.date()), "no time with a zone"),
    "no columns": (pl.DataFrame(), "has no column event"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_clock_that_can_not_be_read_is_refused(what: str) -> None:
    rows, message = REFUSED[what]
    with pytest.raises(Invalid, match=message):
        read(TOLD, lambda: rows, None)


def test_a_misspelt_clock_is_told_the_nearest() -> None:
    with pytest.raises(Invalid) as refused:
        read(TOLD, lambda: frame((0, 1)).rename({"event": "evnt"}), None)

    assert refused.value.found == "Did you mean 'evnt'?"


@pytest.mark.parametrize("lazy", [False, True])
def test_an_empty_frame_is_no_rows_but_has_columns(lazy: bool) -> None:
    empty = frame((0, 1)).clear()
    found = read(TOLD, lambda: empty.lazy() if lazy else empty, START)

    assert (found.height, found.schema) == (0, empty.schema)


@pytest.mark.parametrize("lazy", [False, True])
def test_rows_come_in_batches_and_what_is_held_back_is_counted_over_all(
    monkeypatch: pytest.MonkeyPatch, lazy: bool
) -> None:
    monkeypatch.setattr("lockgate.sources.read.ROWS", 10)
    rows = frame(*((0, told) for told in range(95)))
    found = read_function(TOLD, lambda: rows.lazy() if lazy else rows, START + 49 * HOUR)
    batches = list(found.batches)

    assert max(batch.height for batch in batches) <= 10
    assert pl.concat(batches)["k"].to_list() == list(range(50))
    assert found.held_back == 45


KINDS: dict[str, tuple[Any, FieldKind | None]] = {
    "true and false": (pl.Boolean(), FieldKind.BOOL),
    "a small integer": (pl.Int8(), FieldKind.INT),
    "an integer without a sign": (pl.UInt64(), FieldKind.INT),
    "a float": (pl.Float32(), FieldKind.FLOAT),
    "text": (pl.String(), FieldKind.TEXT),
    "categories": (pl.Categorical(), FieldKind.TEXT),
    "an enum": (pl.Enum(["a"]), FieldKind.TEXT),
    "a moment": (TIME, FieldKind.TIME),
    "a moment in another zone": (pl.Datetime("ms", "Asia/Tokyo"), FieldKind.TIME),
    "a time without a zone": (pl.Datetime("us"), None),
    "a date": (pl.Date(), None),
    "a span": (pl.Duration(), None),
    "a list": (pl.List(pl.Int64()), None),
    "bytes": (pl.Binary(), None),
    "nothing": (pl.Null(), None),
}


@pytest.mark.parametrize("what", KINDS)
def test_a_column_type_has_a_field_type_or_none(what: str) -> None:
    kind, expected = KINDS[what]

    assert kind_of_type(kind) is expected
