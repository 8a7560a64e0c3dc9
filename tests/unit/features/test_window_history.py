"""Windows over history hold what an online store would have said, question by question: nothing later, nothing else.

The oracle is written anew from the words of the law (docs/spec/windows.md), slowly: it keeps every row that was told,
and goes over all of them for every question. Four answers are compared: the oracle's, that of history, that of the
reader which serves online, and that of the reader on series as a store keeps them.
"""

import math
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.features.offline import as_served
from lockgate.features.packing import pack, unpack
from lockgate.features.series import Told, entity_key, merged, series_of, told_into
from lockgate.features.windows import WindowReader
from lockgate.records.features import Aggregate, FeatureSet, Field, FieldKind, RequestSpec, Window, WindowColumn
from lockgate.records.source import Reader, ReaderKind, SourceSpec

START = datetime(2013, 3, 10, 4, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TIME = pl.Datetime("us", "UTC")
SPANS = (1, 3, 50)
FLOAT, INT, BOOL = FieldKind.FLOAT, FieldKind.INT, FieldKind.BOOL

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


class Row(msgspec.Struct, frozen=True):
    """A row as it was told; times in minutes from `START`."""

    place: str | None
    key: str | None
    id: int | None
    event: int | None
    available: int | None
    value: float | None


Ask = tuple[int, str | None]

MINUTES = st.sampled_from([*range(10), None])  # mostly there, or little would count
PLACES = st.sampled_from(["a", "a", "a", "b", None])
WHOLE = st.integers(-5, 99) | st.integers(2**62 - 3, 2**62) | st.integers(-(2**63), -(2**63) + 2)
DECIMAL = st.integers(-999, 999).map(lambda number: number / 100) | st.sampled_from(
    [math.nan, math.inf, 0.125, -0.0, 1e17, 2.675, 1e-9]
)
ROUGH = st.floats(-1e6, 1e6) | st.sampled_from([math.nan, -math.inf, -0.0])
VALUES = {INT: WHOLE, BOOL: st.booleans(), FLOAT: DECIMAL}
ASKS = st.lists(st.tuples(st.integers(-1, 13), st.sampled_from(["a", "a", "b", "c", None])), min_size=1, max_size=6)


def rows_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Row]]:
    row = st.builds(
        Row,
        place=PLACES,
        key=st.sampled_from(["k", "k", "l", "l", None]),
        id=st.sampled_from([1, 2, None]),
        event=MINUTES,
        available=MINUTES,
        value=values | values | values | st.none(),
    )
    # Some rows are told again, word for word.
    return st.lists(row, max_size=14).flatmap(lambda told: st.permutations(told + told[:2]))


def window(kind: FieldKind | None, scale: int | None = None) -> Window:
    wanted = [Aggregate.COUNT] if kind is None else list(Aggregate)
    return Window(
        name="w",
        source="seen",
        by="place",
        value=None if kind is None else "value",
        value_type=kind,
        scale=scale,
        columns=tuple(
            WindowColumn(name=f"w_{one.value}_{span}m", aggregate=one, span=span * MINUTE)
            for span in SPANS
            for one in wanted
        ),
    )


def source(*, identified: bool) -> SourceSpec:
    return SourceSpec(
        name="seen",
        reader=Reader(kind=ReaderKind.FUNCTION, where="m:f"),
        key="key",
        event_time="event",
        available_time="available",
        event_id="id" if identified else None,
    )


# --- the oracle ------------------------------------------------------------------------------------------------------


def counting(rows: Sequence[Row], asked: int, place: str | None, *, identified: bool) -> list[Row]:
    """Give the versions that count at a moment."""
    told: dict[Any, dict[int, Row]] = {}
    for row in rows:
        if place is None or row.place != place or row.key is None or row.event is None or row.available is None:
            continue
        identity = row.id if identified and row.id is not None else (row.key, row.event)
        told.setdefault(identity, {})[row.available] = row
    found = []
    for versions in told.values():
        known = [available for available, row in versions.items() if max(row.event or 0, available) <= asked]
        if known:
            found.append(versions[max(known)])
    return found


def answer(wanted: Window, rows: Sequence[Row], ask: Ask, *, identified: bool) -> tuple[Any, ...]:
    asked, place = ask
    alive = counting(rows, asked, place, identified=identified)
    found = []
    for column in wanted.columns:
        span = column.span // MINUTE
        held = [row for row in alive if row.event is not None and asked - span < row.event]
        if wanted.value is None:
            found.append(len(held))
        else:
            valued = [row for row in held if row.value is not None and math.isfinite(row.value)]
            valued.sort(key=lambda row: (row.event, row.available, row.value))
            found.append(aggregated(column.aggregate, [row.value for row in valued], wanted))
    return tuple(found)


def aggregated(aggregate: Aggregate, numbers: list[Any], wanted: Window) -> Any:  # noqa: ANN401 - an int, a float or None
    ten = 10 ** (wanted.scale or 0)
    whole = wanted.value_type is not FLOAT
    numbers = [int(number) if whole else number + 0.0 for number in numbers]  # there is one zero
    exact = [Fraction(number) for number in numbers]
    if wanted.scale is not None:
        numbers = [number for number in numbers if abs(number * ten) < 2**63 - 1]
        exact = [Fraction(round(number * ten), ten) for number in numbers]
    n = len(numbers)
    if aggregate is Aggregate.COUNT:
        return n
    if aggregate is Aggregate.SUM:
        total = sum(exact, Fraction(0))
        if whole:
            return int(total) if -(2**63) <= total < 2**63 else None
        return float(total)
    if n < (2 if aggregate is Aggregate.STD else 1):
        return None
    if aggregate is Aggregate.STD:
        return math.sqrt(float(statistics.variance(exact)))
    picked = {Aggregate.MIN: min(numbers), Aggregate.MAX: max(numbers), Aggregate.LAST: numbers[-1]}
    return float(sum(exact) / n) if aggregate is Aggregate.MEAN else picked[aggregate]


# --- what is compared with it ----------------------------------------------------------------------------------------


def moment(minutes: int | None) -> datetime | None:
    return None if minutes is None else START + minutes * MINUTE


def frame_of(rows: Sequence[Row], kind: FieldKind | None) -> pl.DataFrame:
    values: dict[FieldKind | None, Any] = {INT: pl.Int64, BOOL: pl.Boolean}
    return pl.DataFrame(
        [(row.place, row.key, row.id, moment(row.event), moment(row.available), row.value) for row in rows],
        schema={
            "place": pl.String,
            "key": pl.String,
            "id": pl.Int64,
            "event": TIME,
            "@available": TIME,
            "value": values.get(kind, pl.Float64),
        },
        orient="row",
    )


def offline(wanted: Window, rows: Sequence[Row], asks: Sequence[Ask], *, identified: bool) -> list[tuple[Any, ...]]:
    frame = pl.DataFrame(
        [(number, moment(asked), place) for number, (asked, place) in enumerate(asks)],
        schema={"id": pl.Int64, "asked": TIME, "place": pl.String},
        orient="row",
    )
    features = FeatureSet(timezone="UTC", lookups=(), windows=(wanted,), features=(), columns=())
    sources = {"seen": (source(identified=identified), frame_of(rows, wanted.value_type))}
    served = as_served(frame, REQUEST, features, sources).sort("id")
    return served.select(f"w.{column.name}" for column in wanted.columns).rows()


class Kept(msgspec.Struct):
    """The rows of a series as a store keeps them: one for each version, in order."""

    rows: list[tuple[int, int, Any, Any]]

    @property
    def events(self) -> list[int]:
        return [row[0] for row in self.rows]

    @property
    def available(self) -> list[int]:
        return [row[1] for row in self.rows]

    @property
    def ids(self) -> list[Any]:
        return [row[2] for row in self.rows]

    def column(self, name: str, start: int, end: int) -> list[Any]:
        return [row[3] if name == "value" else None for row in self.rows[start:end]]


def online(wanted: Window, rows: Sequence[Row], asks: Sequence[Ask], *, identified: bool) -> list[tuple[Any, ...]]:
    reader = WindowReader(wanted, identified=identified)
    return [reader.read(kept(rows, place, identified=identified), micros(asked)).values for asked, place in asks]


def kept(rows: Sequence[Row], place: str | None, *, identified: bool) -> Kept:
    versions: dict[Any, tuple[int, int, Any, Any]] = {}
    for row in rows:
        if place is None or row.place != place or row.key is None or row.event is None or row.available is None:
            continue
        alone = identified and row.id is not None
        own = f"{row.key}@{row.event}" if identified else row.key
        version = (row.id if alone else (row.key, row.event), row.available)
        versions[version] = (micros(row.event), micros(row.available), row.id if alone else own, row.value)
    return Kept(sorted(versions.values(), key=lambda one: one[:2]))


def stored(
    wanted: Window, rows: Sequence[Row], asks: Sequence[Ask], *, identified: bool, batch: int
) -> list[tuple[Any, ...]]:
    """Tell rows to the series that a store keeps, some at a time, pack them, and read them back."""
    features = FeatureSet(timezone="UTC", lookups=(), windows=(wanted,), features=(), columns=())
    (series,) = series_of("test", features, [source(identified=identified)])
    told = [
        Told(
            "seen",
            row.key,
            micros(row.event),
            micros(row.available),
            {"place": row.place, "id": row.id, "value": row.value},
        )
        for row in rows
        if row.key is not None and row.event is not None and row.available is not None
    ]
    packed: dict[bytes, bytes | None] = {}
    for start in range(0, len(told), batch):
        for key, (one, more) in told_into([series], told[start : start + batch]).items():
            before = packed.get(key)
            packed[key] = merged(one, None if before is None else unpack(before), more, None)
    reader, nothing = WindowReader(wanted, identified=identified), pack([], ())
    found = []
    for asked, place in asks:
        data = nothing if place is None else packed.get(entity_key(series.prefix, place)) or nothing
        found.append(reader.read(unpack(data), micros(asked)).values)
    return found


def micros(minutes: int) -> int:
    return (START + minutes * MINUTE - EPOCH) // timedelta(microseconds=1)


def same(one: Any, other: Any) -> bool:  # noqa: ANN401 - answers
    """Tell whether two answers are the same bit for bit."""
    return repr(one) == repr(other)


# --- the promises ----------------------------------------------------------------------------------------------------

EXACT = [(INT, None), (BOOL, None), (FLOAT, 2), (FLOAT, 0), (None, None)]


@pytest.mark.parametrize("identified", [False, True])
@pytest.mark.parametrize(("kind", "scale"), EXACT)
@given(data=st.data(), asks=ASKS)
@settings(deadline=None, max_examples=120)
def test_history_reader_and_store_say_what_the_oracle_says(
    data: st.DataObject, asks: list[Ask], kind: FieldKind | None, scale: int | None, *, identified: bool
) -> None:
    rows = data.draw(rows_of(VALUES[kind or FLOAT]))
    wanted = window(kind, scale)
    expected = [answer(wanted, rows, ask, identified=identified) for ask in asks]

    assert same(offline(wanted, rows, asks, identified=identified), expected)
    assert same(online(wanted, rows, asks, identified=identified), expected)
    batch = data.draw(st.integers(1, 5))
    assert same(stored(wanted, rows, asks, identified=identified, batch=batch), expected)


@given(rows=rows_of(ROUGH), asks=ASKS)
@settings(deadline=None, max_examples=150)
def test_floats_without_a_scale_are_within_the_stated_tolerance(rows: list[Row], asks: list[Ask]) -> None:
    wanted = window(FLOAT)
    expected = [answer(wanted, rows, ask, identified=False) for ask in asks]

    for found in (offline(wanted, rows, asks, identified=False), online(wanted, rows, asks, identified=False)):
        for ask, ours, theirs in zip(asks, found, expected, strict=True):
            alive = counting(rows, *ask, identified=False)
            magnitudes = [abs(row.value) for row in alive if row.value is not None and math.isfinite(row.value)]
            total, most = sum(magnitudes), max(magnitudes, default=0)
            for column, one, other in zip(wanted.columns, ours, theirs, strict=True):
                near = {Aggregate.SUM: total, Aggregate.MEAN: total, Aggregate.STD: most}.get(column.aggregate)
                if near is None or other is None:
                    assert one == other, column.name
                else:
                    assert abs(one - other) <= max(1e-9 * near, 1e-150), column.name


@given(rows=rows_of(WHOLE), asks=ASKS, later=rows_of(WHOLE))
@settings(deadline=None, max_examples=150)
def test_nothing_that_becomes_known_later_changes_an_answer(rows: list[Row], asks: list[Ask], later: list[Row]) -> None:
    wanted, last = window(INT), max(asked for asked, _ in asks)
    backfilled = [
        msgspec.structs.replace(row, available=last + 1 + row.available) for row in later if row.available is not None
    ]

    before = offline(wanted, rows, asks, identified=True)
    assert same(offline(wanted, rows + backfilled, asks, identified=True), before)


@given(rows=rows_of(WHOLE), asks=ASKS, seed=st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=100)
def test_the_order_of_telling_decides_only_what_was_told_twice_with_one_available_time(
    rows: list[Row],
    asks: list[Ask],
    seed: Any,  # noqa: ANN401 - random.Random of hypothesis
) -> None:
    apart = list({(row.place, row.key, row.event, row.available): row for row in rows}.values())
    shuffled = seed.sample(apart, len(apart))
    wanted = window(INT)

    assert same(offline(wanted, apart, asks, identified=False), offline(wanted, shuffled, asks, identified=False))


def test_no_questions_and_no_rows_give_empty_columns() -> None:
    assert offline(window(INT), [], [], identified=False) == []
    assert offline(window(FLOAT), [], [(0, "a"), (1, None)], identified=False) == [(0, 0.0, *[None] * 5) * 3] * 2


def test_sums_of_floats_do_not_cancel() -> None:
    rows = [Row("a", "k", None, 0, 0, 1e15), *(Row("a", "k", None, event, 0, 0.1) for event in (4, 5))]
    (found,) = offline(window(FLOAT), rows, [(6, "a")], identified=False)

    assert dict(zip((column.name for column in window(FLOAT).columns), found, strict=True))["w_sum_3m"] == 0.2
