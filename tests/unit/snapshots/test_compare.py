"""Two snapshots are compared: columns, rows, and how each column is spread."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.snapshots.compare import Side, compare
from lockgate.snapshots.take import columns_of

START = datetime(2013, 3, 10, tzinfo=UTC)


def side(folder: Path, name: str, *frames: pl.DataFrame, gone: list[int] | None = None) -> Side:
    paths = []
    for number, frame in enumerate(frames):
        paths.append(str(folder / f"{name}-{number}.parquet"))
        frame.write_parquet(paths[-1])
    places = None
    if gone:
        places = str(folder / f"{name}-gone.parquet")
        pl.DataFrame({"place": gone}, schema={"place": pl.UInt32}).write_parquet(places)
    return Side(columns=columns_of(pl.concat(frames)), paths=tuple(paths), gone_rows=places)


def rows(*given: tuple[int, str, float | None]) -> pl.DataFrame:
    return pl.DataFrame(given, schema={"k": pl.Int64, "t": pl.String, "x": pl.Float64}, orient="row")


def test_rows_are_added_gone_and_corrected(tmp_path: Path) -> None:
    one = side(tmp_path, "one", rows((1, "a", 1.0), (2, "a", 2.0), (3, "b", 3.0)))
    other = side(tmp_path, "other", rows((1, "a", 1.0)), rows((2, "a", 9.0), (4, "c", 4.0), (5, "c", 5.0)))
    found = compare(one, other, ["k"])

    assert (found.rows, found.added, found.gone, found.corrected) == ((3, 4), 3, 2, 1)


def test_rows_that_are_there_no_more_are_left_out(tmp_path: Path) -> None:
    one = side(tmp_path, "one", rows((1, "a", 1.0), (2, "a", 2.0)), gone=[1])
    other = side(tmp_path, "other", rows((1, "a", 1.0)), rows((2, "a", 2.0), (3, "b", 3.0)), gone=[0, 2])
    found = compare(one, other, ["k"])

    assert (found.rows, found.added, found.gone) == ((1, 1), 1, 1)
    assert {column.name: column.shares for column in found.columns}["t"] == ((1.0,), (1.0,))


def test_columns_say_how_they_changed(tmp_path: Path) -> None:
    one = side(tmp_path, "one", rows((1, "a", None)).drop("t"))
    other = side(tmp_path, "other", rows((1, "a", None)).with_columns(pl.col("k").cast(pl.String)).drop("x"))
    found = compare(one, other, ["k"])

    assert {column.name: column.change for column in found.columns} == {"k": "retyped", "x": "gone", "t": "added"}
    assert (found.added, found.gone, found.corrected) == (None, None, None)


def test_a_shift_shows_in_the_parts_and_their_distance(tmp_path: Path) -> None:
    one = side(tmp_path, "one", rows(*((i, "a" if i % 2 else "b", float(i)) for i in range(100))))
    other = side(tmp_path, "other", rows(*((i, "a", float(i) + 50) for i in range(100))))
    found = {column.name: column for column in compare(one, other, ["k"]).columns}

    assert found["k"].distance == 0
    assert found["x"].distance == pytest.approx(0.5, abs=0.1)
    assert found["t"].parts == ("a", "b")
    assert found["t"].shares == ((0.5, 0.5), (1.0, 0.0))
    assert found["t"].distance == 0.5


def test_many_values_are_shown_by_the_most_frequent_and_the_rest_together(tmp_path: Path) -> None:
    one = side(tmp_path, "one", rows(*((i, f"v{i % 20:02}", 0.0) for i in range(200))))
    found = {column.name: column for column in compare(one, one, ["k"]).columns}["t"]

    assert len(found.parts) == 11
    assert found.parts[-1] == "other"
    assert found.shares[0][-1] == pytest.approx(0.5)


def test_names_of_things_are_not_spread(tmp_path: Path) -> None:
    one = side(tmp_path, "one", rows(*((i, f"flight {i}", 0.0) for i in range(1000))))

    assert {column.name: column.parts for column in compare(one, one, ["k"]).columns}["t"] == ()


def test_times_are_spread_too_and_what_has_no_order_is_not(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {"k": range(20), "at": [START + timedelta(hours=i) for i in range(20)], "many": [[1]] * 20},
        schema_overrides={"at": pl.Datetime("us", "UTC")},
    )
    one = side(tmp_path, "one", frame)
    found = {column.name: column for column in compare(one, one, ["k"]).columns}

    assert len(found["at"].parts) == 10
    assert sum(found["at"].shares[0]) == pytest.approx(1)
    assert found["many"].parts == ()


def test_no_rows_and_nulls_alone_are_compared(tmp_path: Path) -> None:
    empty, nulls = side(tmp_path, "empty", rows()), side(tmp_path, "nulls", rows((1, "a", None)))
    found = compare(empty, nulls, ["k"])

    assert (found.rows, found.added) == ((0, 1), 1)
    assert {column.name: column.nulls for column in found.columns}["x"] == (0, 1)


ROW = st.tuples(st.integers(0, 4), st.sampled_from(["a", "b"]), st.none() | st.floats(0, 2, width=16))


@settings(max_examples=40, deadline=None)
@given(first=st.lists(ROW, max_size=8), second=st.lists(ROW, max_size=8))
def test_counts_are_those_of_multisets(
    first: list[tuple[int, str, float | None]],
    second: list[tuple[int, str, float | None]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("sides")
    found = compare(side(folder, "one", rows(*first)), side(folder, "other", rows(*second)), ["k"])
    spare = list(first)
    for row in second:
        if row in spare:
            spare.remove(row)
    assert found.gone == len(spare)
    assert found.added == len(second) - (len(first) - len(spare))
