"""What a store holds after rows were told in any order is what all rows say of every question that may be asked."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lockgate.features.packing import Row, pack, unpack
from lockgate.features.resolving import Resolver
from lockgate.features.series import (
    MOST_LOOKUP_ROWS,
    Told,
    horizon_key,
    merged,
    pack_horizon,
    series_of,
    tell,
    told_into,
    unite,
)
from lockgate.features.store import MemoryStore, OnlineStore, open_store
from lockgate.kernel.errors import Corrupt, Invalid, Unavailable
from lockgate.records.features import (
    Aggregate,
    FeatureSet,
    Field,
    FieldKind,
    Lookup,
    LookupColumn,
    RequestSpec,
    Window,
    WindowColumn,
)
from lockgate.records.source import SourceSpec
from tests.making.online import ENDPOINT, READY, resolver
from tests.making.readers import by_function

MINUTE = 60_000_000
SPAN, STALE = 5, 4
REQUEST = RequestSpec(
    name="Asked",
    key="key",
    asked_at="asked",
    history="seen",
    lateness=timedelta(0),
    fields=(
        Field(name="key", kind=FieldKind.TEXT, nullable=True),
        Field(name="asked", kind=FieldKind.TIME),
        Field(name="group", kind=FieldKind.TEXT, nullable=True),
    ),
)


def source(*, identified: bool) -> SourceSpec:
    return SourceSpec(
        name="seen",
        reader=by_function("tables:seen"),
        key="key",
        event_time="at",
        available_time="known",
        event_id="id" if identified else None,
    )


def features(lookup: bool = True, window: bool = True) -> FeatureSet:
    stale = timedelta(minutes=STALE)
    columns = (LookupColumn(name="value", type=FieldKind.INT),)
    lookups = (Lookup(source="seen", by="key", columns=columns, clocked=True, stale_after=stale),)
    wanted = (Aggregate.COUNT, Aggregate.SUM, Aggregate.LAST)
    span = timedelta(minutes=SPAN)
    windows = (
        Window(
            name="of_group",
            source="seen",
            by="group",
            value="value",
            value_type=FieldKind.INT,
            columns=tuple(WindowColumn(name=one.value, aggregate=one, span=span, type=FieldKind.INT) for one in wanted),
        ),
    )
    return FeatureSet(
        timezone="UTC",
        lookups=lookups if lookup else (),
        windows=windows if window else (),
        features=(),
        columns=(),
    )


# --- the oracle: every row ever told, looked at for every question ----------------------------------------------------


def last_told(told: Sequence[Told], identity: Any) -> list[Told]:  # noqa: ANN401 - gives what identifies a row
    """Leave out rows that were told again with the same available time."""
    kept: dict[Any, Told] = {}
    for row in told:
        name = (identity(row), row.available_time)
        if kept.get(name) != row:
            kept.pop(name, None)
            kept[name] = row
    return list(kept.values())


def known_value(told: Sequence[Told], key: str | None, asked: int) -> int | None:
    rows = last_told([row for row in told if row.key == key], lambda row: row.event_time)
    seen = [row for row in rows if row.available_time <= asked]
    best = max(seen, key=lambda row: (row.event_time, row.available_time), default=None)
    stale = best is None or asked - best.event_time > STALE * MINUTE
    return None if best is None or stale else best.values["value"]


def held(told: Sequence[Told], group: str | None, asked: int, *, identified: bool) -> tuple[int, int, int | None]:
    def identity(row: Told) -> Any:  # noqa: ANN401 - anything
        return row.values["id"] if identified else (row.key, row.event_time)

    rows = last_told([row for row in told if group is not None and row.values["group"] == group], identity)
    counts: dict[Any, Told] = {}
    for row in rows:
        if max(row.event_time, row.available_time) <= asked:
            other = counts.get(identity(row))
            if other is None or other.available_time <= row.available_time:
                counts[identity(row)] = row
    inside = [row for row in rows if row in counts.values() and counts[identity(row)] is row]
    inside = [row for row in inside if asked - SPAN * MINUTE < row.event_time and row.values["value"] is not None]
    inside.sort(key=lambda row: (row.event_time, row.available_time))
    values = [row.values["value"] for row in inside]
    return len(values), sum(values), values[-1] if values else None


# --- rows late, corrected, repeated and out of order ------------------------------------------------------------------

MINUTES = st.integers(0, 12)
GROUPS = st.sampled_from(["x", "y", None])
ROWS = st.lists(
    st.builds(
        lambda key, event, known, value, group, id_: Told(
            "seen", key, event * MINUTE, known * MINUTE, {"value": value, "group": group, "id": id_}
        ),
        st.sampled_from(["a", "b"]),
        MINUTES,
        MINUTES,
        st.one_of(st.none(), st.integers(-3, 3)),
        GROUPS,
        st.sampled_from(["1", "2", "3"]),
    ),
    max_size=12,
)
ASKS = st.lists(st.tuples(st.sampled_from(["a", "b", None]), GROUPS, st.integers(0, 20)), min_size=1, max_size=6)
BATCHES = st.integers(1, 5)


def answers(reading: Resolver, asks: Sequence[tuple[Any, Any, int]]) -> list[tuple[Any, ...]]:
    rows = [(key, None, group) for key, group, _ in asks]
    found = reading.resolve(rows, [at * MINUTE for _, _, at in asks])
    return [(*lookup.values, *window.values) for lookup, window in found]


def expected(told: Sequence[Told], asks: Sequence[tuple[Any, Any, int]], *, identified: bool) -> list[tuple[Any, ...]]:
    return [
        (known_value(told, key, at * MINUTE), *held(told, group, at * MINUTE, identified=identified))
        for key, group, at in asks
    ]


def in_batches(told: Sequence[Told], size: int) -> Iterator[Sequence[Told]]:
    for start in range(0, len(told), size):
        yield told[start : start + size]


@settings(max_examples=200)
@given(told=ROWS, asks=ASKS, size=BATCHES, identified=st.booleans())
@example(
    told=[
        Told("seen", "a", 5 * MINUTE, 5 * MINUTE, {"value": 1, "group": "x", "id": "1"}),
        Told("seen", "a", 2 * MINUTE, 6 * MINUTE, {"value": 2, "group": "x", "id": "1"}),
    ],
    asks=[("a", "x", 5), ("a", "x", 6), ("a", "x", 7)],
    size=1,
    identified=True,
)
def test_whatever_was_told_in_whatever_batches_is_answered_as_if_every_row_were_looked_at(
    told: list[Told], asks: list[tuple[Any, Any, int]], size: int, identified: bool
) -> None:
    store, spec = MemoryStore(), source(identified=identified)
    for batch in in_batches(told, size):
        tell(store, series_of(ENDPOINT, features(), [spec]), batch)
    reading = resolver(REQUEST, features(), [spec], store=store)

    assert answers(reading, asks) == expected(told, asks, identified=identified)


@settings(max_examples=200)
@given(told=ROWS, asks=ASKS, size=BATCHES, horizons=st.lists(MINUTES, min_size=12, max_size=12))
def test_what_is_left_out_for_its_age_changes_no_answer_that_may_still_be_asked_for(
    told: list[Told], asks: list[tuple[Any, Any, int]], size: int, horizons: list[int]
) -> None:
    store, spec, horizon = MemoryStore(), source(identified=False), 0
    for batch, at in zip(in_batches(told, size), horizons, strict=False):
        horizon = max(horizon, at * MINUTE)
        tell(store, series_of(ENDPOINT, features(), [spec]), batch, horizon=horizon)
    reading = resolver(REQUEST, features(), [spec], store=store)
    later = [ask for ask in asks if ask[2] * MINUTE >= horizon]

    assert not later or answers(reading, later) == expected(told, later, identified=False)


@settings(max_examples=100)
@given(told=ROWS, again=st.data(), size=BATCHES)
def test_rows_told_again_in_their_order_change_nothing(told: list[Told], again: st.DataObject, size: int) -> None:
    store, series = MemoryStore(), series_of(ENDPOINT, features(), [source(identified=False)])
    for batch in in_batches(told, size):
        tell(store, series, batch)
    keys = sorted(store.keys(b""))
    before = store.get(keys)
    repeated = again.draw(st.sampled_from(told)) if told else None
    latest = (
        repeated is not None
        and [
            row
            for row in told
            if (row.key, row.event_time, row.available_time)
            == (repeated.key, repeated.event_time, repeated.available_time)
        ][-1]
    )
    tell(store, series, [latest] if latest else [])

    assert store.get(keys) == before


@settings(max_examples=100)
@given(told=ROWS, first=st.integers(0, 12))
def test_what_is_prepared_from_history_is_told_before_what_is_there(told: list[Told], first: int) -> None:
    """The tail of a log told first, then all of it as told before: as if told in order."""
    # A null is taken for a column that was not kept.
    told = [row for row in told if row.values["value"] is not None]
    series = series_of(ENDPOINT, features(), [source(identified=False)])
    ordered, late = MemoryStore(), MemoryStore()
    tell(ordered, series, told)
    tell(late, series, told[first:])
    for key, (one, rows) in told_into(series, told).items():
        late.change(
            [key],
            lambda there, one=one, rows=rows: [  # type: ignore[misc]
                merged(one, None if there[0] is None else unpack(there[0]), rows, None, before=True)
            ],
        )
    keys = sorted(ordered.keys(b""))

    assert sorted(late.keys(b"")) == keys
    for mine, other in zip(late.get(keys), ordered.get(keys), strict=True):
        assert mine is not None
        assert other is not None
        assert unpack(mine).rows(("value",)) == unpack(other).rows(("value",))


@pytest.fixture(params=["sqlite", "valkey"])
def real(request: pytest.FixtureRequest, tmp_path: Path) -> OnlineStore:
    if request.param == "valkey":
        return open_store(request.getfixturevalue("valkey_url"))
    return open_store(f"sqlite:///{tmp_path}/store.db")


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=ROWS, asks=ASKS)
def test_real_stores_answer_the_same(real: OnlineStore, told: list[Told], asks: list[tuple[Any, Any, int]]) -> None:
    real.change(keys := list(real.keys(b"")), lambda there: [None] * len(there))
    assert not list(real.keys(b"")), keys
    for row in told:
        tell(real, series_of(ENDPOINT, features(), [source(identified=False)]), [row])
    reading = resolver(REQUEST, features(), [source(identified=False)], store=real)

    assert answers(reading, asks) == expected(told, asks, identified=False)


# --- what can't be said is not made up --------------------------------------------------------------------------------


def row(event: int, known: int, value: int = 1) -> Told:
    return Told("seen", "a", event * MINUTE, known * MINUTE, {"value": value, "group": "x", "id": "1"})


def test_a_release_whose_series_are_not_marked_is_not_answered() -> None:
    store = MemoryStore()
    reading = resolver(REQUEST, features(), [source(identified=False)], [row(1, 1)], store=store)
    store.change([READY], lambda _: [None])

    with pytest.raises(Unavailable, match="does not hold what this release looks up"):
        reading.resolve([("a", None, "x")], [MINUTE])


def test_a_question_before_the_horizon_is_refused_with_its_place() -> None:
    store = MemoryStore()
    reading = resolver(REQUEST, features(), [source(identified=False)], [row(1, 1)], store=store)
    store.change([horizon_key(ENDPOINT)], lambda _: [pack_horizon(5 * MINUTE)])

    with pytest.raises(Invalid, match=r"rows\[1\]: expected a question asked at 1970-01-01T00:05:00\+00:00 or later"):
        reading.resolve([("a", None, "x")] * 2, [5 * MINUTE, 5 * MINUTE - 1])


def test_a_look_up_that_would_need_a_row_beyond_the_most_that_are_kept_is_refused() -> None:
    store, spec = MemoryStore(), source(identified=False)
    tell(store, series_of(ENDPOINT, features(window=False), [spec]), [row(n, n) for n in range(MOST_LOOKUP_ROWS + 2)])
    reading = resolver(REQUEST, features(window=False), [spec], store=store)

    assert reading.resolve([("a", None, "x")], [2 * MINUTE])[0][0].event_time == 2 * MINUTE
    with pytest.raises(Invalid, match="not kept any more"):
        reading.resolve([("a", None, "x")], [MINUTE])


def test_what_a_store_holds_that_is_not_ours_is_corrupt() -> None:
    for data in (b"", b"\xc1", pack([], ())[:-1], pack([], ()) + b"x"):
        with pytest.raises(Corrupt):
            unpack(data)


VALUES: dict[str, list[Any]] = {
    "floats": [1.5, -0.0, float("inf")],
    "whole numbers": [1, -(1 << 63), (1 << 63) - 1],
    "booleans": [True, False, True],
    "texts": ["", "ü", "x" * 300],
    "some of them nothing": [None, 1.5, None],
    "of several kinds": [1, 1.5, True],
    "numbers beyond 64 bits": [(1 << 64) - 1, 1, 2],
}


@pytest.mark.parametrize("what", VALUES)
def test_values_come_back_as_they_were_with_their_types(what: str) -> None:
    values = VALUES[what]
    rows = [Row(at, at + 1, None, (value, at)) for at, value in enumerate(values)]
    block = unpack(pack(rows, ("one", "two")))

    assert block.rows(("one", "two")) == rows
    assert [type(one) for one in block.column("one")] == [type(one) for one in values]
    assert [block.values(at, ("two", "one", "none"))[1] for at in range(3)] == values
    assert list(block.column("none")) == [None] * 3
    assert list(block.column("one", 1, 2)) == values[1:2]


def test_two_versions_share_a_series_with_all_columns_and_the_longer_span() -> None:
    spec = source(identified=False)
    long = features(lookup=False)
    (window,) = long.windows
    counted = tuple(
        WindowColumn(name=one.name, aggregate=one.aggregate, span=timedelta(days=1)) for one in window.columns
    )
    other = FeatureSet(
        timezone="UTC",
        lookups=(),
        windows=(Window(name="other", source="seen", by="group", value="more", columns=counted),),
        features=(),
        columns=(),
    )
    united = unite([*series_of(ENDPOINT, long, [spec]), *series_of(ENDPOINT, other, [spec])])
    (one,) = united.values()

    assert one.columns == ("value", "more")
    assert one.span == timedelta(days=1).total_seconds() * 1_000_000


def test_versions_whose_source_tells_rows_apart_in_another_way_do_not_share_a_series() -> None:
    prefixes = {
        one.prefix
        for identified in (False, True)
        for one in series_of(ENDPOINT, features(), [source(identified=identified)])
    }
    # The look-up is the same for both: it reads by clocks alone.
    assert len(prefixes) == 3


def test_the_number_1_and_the_text_1_are_two_entities() -> None:
    store, spec = MemoryStore(), source(identified=False)
    told = [Told("seen", key, 0, 0, {"value": value}) for key, value in ((1, 10), ("1", 20))]
    tell(store, series_of(ENDPOINT, features(window=False), [spec]), told)
    reading = resolver(REQUEST, features(window=False), [spec], store=store)

    found = reading.resolve([(1, None, None), ("1", None, None)], [0, 0])
    assert [known[0].values for known in found] == [(10,), (20,)]


def test_times_come_back_as_moments() -> None:
    spec = source(identified=False)
    columns = (LookupColumn(name="value", type=FieldKind.TIME),)
    moments = FeatureSet(
        timezone="UTC",
        lookups=(Lookup(source="seen", by="key", columns=columns, clocked=True),),
        features=(),
        columns=(),
    )
    reading = resolver(REQUEST, moments, [spec], [row(0, 0, 90_000_000)])

    assert reading.resolve([("a", None, None)], [0])[0][0].values == (datetime(1970, 1, 1, 0, 1, 30, tzinfo=UTC),)
