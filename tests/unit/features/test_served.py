"""A request sees the last of what was known when it was asked: nothing later, nothing that was never served.

The oracle is written anew, row by row, from the words of the law: of the rows of a key available when the request is
asked, the one with the latest event time counts, among those the one available last, among those the one told last;
and it counts only when it is not stale.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lockgate.features.offline import as_served, available
from lockgate.features.series import Told
from lockgate.records.features import (
    FeatureSet,
    Field,
    FieldKind,
    Lookup,
    LookupColumn,
    RequestSpec,
)
from lockgate.records.source import SourceSpec
from tests.making.online import resolver
from tests.making.readers import by_function, known

START = datetime(2013, 3, 10, 4, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TIME = pl.Datetime("us", "UTC")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

REQUEST = RequestSpec(
    name="Ask",
    key="id",
    asked_at="asked",
    history="asks",
    lateness=timedelta(days=7),
    fields=(
        Field(name="id", kind=FieldKind.INT),
        Field(name="asked", kind=FieldKind.TIME),
        Field(name="place", kind=FieldKind.TEXT, nullable=True),
    ),
)

Row = tuple[str | None, int | None, int | None, int | None]  # key, event, available (minutes from START), value
Ask = tuple[int, str | None]  # asked (minutes from START), key

MINUTES = st.integers(0, 12)
KEYS = st.sampled_from(["a", "b", None])
ROWS = st.lists(st.tuples(KEYS, st.none() | MINUTES, st.none() | MINUTES, st.none() | st.integers(0, 99)), max_size=14)
ASKS = st.lists(st.tuples(st.integers(-1, 14), st.sampled_from(["a", "b", "c", None])), min_size=1, max_size=6)
STALE = st.none() | st.integers(0, 8)


def moment(minutes: int | None) -> datetime | None:
    return None if minutes is None else START + minutes * MINUTE


def microseconds(minutes: int) -> int:
    return (START + minutes * MINUTE - EPOCH) // timedelta(microseconds=1)


def features(stale: int | None, *, clocked: bool = True) -> FeatureSet:
    return FeatureSet(
        timezone="America/New_York",
        lookups=(
            Lookup(
                source="seen",
                by="place",
                columns=(LookupColumn(name="value", type=FieldKind.INT),),
                clocked=clocked,
                stale_after=None if stale is None else stale * MINUTE,
            ),
        ),
        features=(),
        columns=(),
    )


CLOCKED = SourceSpec(name="seen", reader=by_function(), key="place", event_time="event", available_time="available")


def frame_of(rows: Sequence[Row]) -> pl.DataFrame:
    return pl.DataFrame(
        [(key, moment(event), moment(told), value) for key, event, told, value in rows],
        schema={"place": pl.String, "event": TIME, "available": TIME, "value": pl.Int64},
        orient="row",
    )


def asks_of(asks: Sequence[Ask]) -> pl.DataFrame:
    return pl.DataFrame(
        [(number, moment(asked), key) for number, (asked, key) in enumerate(asks)],
        schema={"id": pl.Int64, "asked": TIME, "place": pl.String},
        orient="row",
    )


def oracle(rows: Sequence[Row], ask: Ask, stale: int | None) -> int | None:
    asked, key = ask
    best: tuple[int, int, int] | None = None
    value = None
    for place, (of, event, told, given_value) in enumerate(rows):
        if key is None or of != key or event is None or told is None or told > asked:
            continue
        rank = (event, told, place)
        if best is None or rank > best:
            best, value = rank, given_value
    if best is None or (stale is not None and asked - best[0] > stale):
        return None
    return value


def offline(rows: Sequence[Row], asks: Sequence[Ask], stale: int | None) -> list[int | None]:
    frame = as_served(asks_of(asks), REQUEST, features(stale), {"seen": (CLOCKED, known(CLOCKED, frame_of(rows)))})
    found: list[int | None] = frame.sort("id")["seen.value"].to_list()
    return found


def online(rows: Sequence[Row], asks: Sequence[Ask], stale: int | None) -> list[Any]:
    told = [
        Told("seen", key, microseconds(event), microseconds(available), {"value": value})
        for key, event, available, value in rows
        if key is not None and event is not None and available is not None
    ]
    reading = resolver(REQUEST, features(stale), [CLOCKED], told)
    questions = [(number, moment(asked), key) for number, (asked, key) in enumerate(asks)]
    found = reading.resolve(questions, [microseconds(asked) for asked, _ in asks])
    return [known[0].values[0] for known in found]


@settings(max_examples=300)
@given(rows=ROWS, asks=ASKS, stale=STALE)
@example(rows=[("a", 5, 5, 1), ("a", 3, 6, 2)], asks=[(7, "a")], stale=None)  # a late, older row
@example(rows=[("a", 5, 5, 1), ("a", 5, 6, 2)], asks=[(5, "a"), (6, "a")], stale=None)  # a correction
@example(rows=[("a", 5, 5, 1), ("a", 5, 5, 2)], asks=[(5, "a")], stale=None)  # the same moment told twice
@example(rows=[("a", 5, 9, 1), ("a", 3, 9, 2)], asks=[(9, "a")], stale=None)  # two at once, out of order
@example(rows=[("a", 5, 5, None)], asks=[(6, "a")], stale=None)  # the last value is null, and stays it
@example(rows=[("a", 2, 2, 1)], asks=[(5, "a"), (6, "a")], stale=3)  # the last moment at which it is fresh
@example(rows=[("a", 9, 2, 1)], asks=[(3, "a")], stale=0)  # an event that lies ahead
@example(rows=[], asks=[(0, "a")], stale=None)
def test_history_is_joined_as_it_was_served(rows: list[Row], asks: list[Ask], stale: int | None) -> None:
    assert offline(rows, asks, stale) == [oracle(rows, ask, stale) for ask in asks]


@settings(max_examples=300)
@given(rows=ROWS, asks=ASKS, stale=STALE)
@example(rows=[("a", 5, 5, 1), ("a", 5, 5, 2)], asks=[(5, "a")], stale=None)
@example(rows=[("a", 5, 6, 2), ("a", 5, 5, 1)], asks=[(5, "a"), (6, "a")], stale=None)
@example(rows=[("a", 2, 2, 1)], asks=[(5, "a"), (6, "a")], stale=3)
def test_the_online_store_gives_the_same_in_whatever_order_rows_are_told(
    rows: list[Row], asks: list[Ask], stale: int | None
) -> None:
    assert online(rows, asks, stale) == [oracle(rows, ask, stale) for ask in asks]


@given(rows=ROWS, later=ROWS, asks=ASKS, stale=STALE)
def test_rows_that_become_known_after_a_request_change_nothing_for_it(
    rows: list[Row], later: list[Row], asks: list[Ask], stale: int | None
) -> None:
    last = max(asked for asked, _ in asks)
    unknown = [(key, event, last + 1 + (told or 0), value) for key, event, told, value in later]

    assert offline([*rows, *unknown], asks, stale) == offline(rows, asks, stale)
    assert online([*unknown, *rows], asks, stale) == online(rows, asks, stale)


@given(asks=ASKS)
def test_requests_come_back_in_the_order_asked_none_lost_none_twice(asks: list[Ask]) -> None:
    frame = as_served(
        asks_of(asks), REQUEST, features(None), {"seen": (CLOCKED, known(CLOCKED, frame_of([("a", 1, 1, 7)])))}
    )

    assert frame["asked"].is_sorted()
    assert sorted(frame["id"].to_list()) == list(range(len(asks)))


@given(rows=st.lists(st.tuples(KEYS, st.none() | st.integers(0, 99)), max_size=8), asks=ASKS)
def test_a_table_means_its_first_row_of_a_key_whenever_asked(
    rows: list[tuple[str | None, int | None]], asks: list[Ask]
) -> None:
    table = pl.DataFrame(rows, schema={"place": pl.String, "value": pl.Int64}, orient="row")
    spec = SourceSpec(name="seen", reader=by_function(), key="place")
    frame = as_served(asks_of(asks), REQUEST, features(None, clocked=False), {"seen": (spec, table)}).sort("id")
    first: dict[str | None, int | None] = {}
    for key, value in rows:
        first.setdefault(key, value)

    assert frame["seen.value"].to_list() == [None if key is None else first.get(key) for _, key in asks]


def test_a_delay_says_when_rows_are_known() -> None:
    spec = SourceSpec(name="seen", reader=by_function(), key="place", event_time="event", available_delay=5 * MINUTE)
    rows = frame_of([("a", 0, None, 1), ("a", 3, None, 2)])
    frame = as_served(
        asks_of([(4, "a"), (5, "a"), (7, "a"), (8, "a")]), REQUEST, features(None), {"seen": (spec, known(spec, rows))}
    )

    assert frame["seen.value"].to_list() == [None, 1, 1, 2]
    assert known(spec, rows).select(available(spec)).to_series().to_list() == [moment(5), moment(8)]


KEY_TYPES = {
    "categories": pl.Categorical(),
    "an enum": pl.Enum(["a", "b"]),
    "text": pl.String(),
}


@pytest.mark.parametrize("clocked", [True, False])
@pytest.mark.parametrize("what", KEY_TYPES)
def test_text_is_matched_with_text_however_the_source_keeps_it(what: str, clocked: bool) -> None:
    rows = frame_of([("a", 1, 1, 7), ("b", 1, 1, 8)]).with_columns(pl.col("place").cast(KEY_TYPES[what]))
    spec = CLOCKED if clocked else SourceSpec(name="seen", reader=by_function(), key="place")
    frame = as_served(
        asks_of([(2, "b"), (3, "a")]), REQUEST, features(None, clocked=clocked), {"seen": (spec, known(spec, rows))}
    )

    assert frame["seen.value"].to_list() == [8, 7]


@pytest.mark.parametrize("clocked", [True, False])
@pytest.mark.parametrize("kind", [pl.Int8, pl.Int32, pl.UInt16, pl.Int64])
def test_an_integer_is_matched_with_an_integer_however_wide_the_source_keeps_it(kind: Any, clocked: bool) -> None:  # noqa: ANN401 - a Polars type
    request = RequestSpec(
        name="Ask",
        key="id",
        asked_at="asked",
        history="asks",
        lateness=timedelta(0),
        fields=(
            Field(name="id", kind=FieldKind.INT),
            Field(name="asked", kind=FieldKind.TIME),
            Field(name="place", kind=FieldKind.INT),
        ),
    )
    asks = pl.DataFrame(
        {"id": [1, 2], "asked": [moment(3), moment(4)], "place": [5, 6]}, schema_overrides={"asked": TIME}
    ).with_columns(pl.col("id", "place").cast(kind))
    rows = pl.DataFrame({"place": [5], "event": [moment(1)], "available": [moment(1)], "value": [9]}).with_columns(
        pl.col("place").cast(kind)
    )
    spec = CLOCKED if clocked else SourceSpec(name="seen", reader=by_function(), key="place")
    frame = as_served(asks, request, features(None, clocked=clocked), {"seen": (spec, known(spec, rows))})

    assert frame["seen.value"].to_list() == [9, None]


def test_times_of_a_source_may_be_coarser_than_ours() -> None:
    rows = frame_of([("a", 1, 2, 7)]).with_columns(
        pl.col("event").dt.cast_time_unit("ms"), pl.col("available").dt.cast_time_unit("ms")
    )
    frame = as_served(asks_of([(1, "a"), (2, "a")]), REQUEST, features(None), {"seen": (CLOCKED, known(CLOCKED, rows))})

    assert frame["seen.value"].to_list() == [None, 7]


def test_two_sources_are_joined_each_by_its_own_clock() -> None:
    other = SourceSpec(name="other", reader=by_function(), key="place", event_time="event", available_delay=0 * MINUTE)
    both = FeatureSet(
        timezone="UTC",
        lookups=(
            *features(None).lookups,
            Lookup(source="other", by="place", columns=(LookupColumn(name="value", type=FieldKind.INT),), clocked=True),
        ),
        features=(),
        columns=(),
    )
    rows = {
        "seen": (CLOCKED, known(CLOCKED, frame_of([("a", 1, 5, 7)]))),
        "other": (other, known(other, frame_of([("a", 1, None, 8)]))),
    }
    frame = as_served(asks_of([(2, "a"), (5, "a")]), REQUEST, both, rows)

    assert frame.select("seen.value", "other.value").rows() == [(None, 8), (7, 8)]
    assert frame.columns == ["id", "asked", "place", "seen.value", "other.value"]


def test_of_many_rows_of_one_moment_the_one_told_last_counts_also_where_sorting_runs_in_parallel() -> None:
    count = 60_000
    rows = frame_of([("a", 1, 1, 0)]).select(pl.all().repeat_by(count).explode())
    rows = rows.with_columns(value=pl.int_range(count))
    frame = as_served(asks_of([(2, "a")]), REQUEST, features(None), {"seen": (CLOCKED, known(CLOCKED, rows))})

    assert frame["seen.value"].to_list() == [count - 1]
