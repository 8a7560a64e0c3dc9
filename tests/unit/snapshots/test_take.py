"""The same rows are the same snapshot; another cell is another one."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from lockgate.kernel.canonical import digest_of, sha256
from lockgate.records.snapshot import Snapshot
from lockgate.records.source import SourceSpec
from lockgate.snapshots.take import fingerprint, take, write_rows
from tests.making.readers import by_function

START = datetime(2013, 3, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
TIME = pl.Datetime("us", "UTC")
SPEC = SourceSpec(name="s", reader=by_function(), key="k", event_time="at", available_delay=2 * HOUR)
SCHEMA = {"k": pl.Int64(), "t": pl.String(), "x": pl.Float64(), "at": TIME, "b": pl.Boolean()}

Row = tuple[int | None, str | None, float | None, datetime | None, bool | None]

ROW = st.tuples(
    st.none() | st.integers(-3, 3),
    st.none() | st.sampled_from(["", "a", "b", "ab"]),
    # -0.0 and 0.0 are one value.
    st.none() | st.floats().map(lambda value: value + 0.0),
    st.none() | st.integers(0, 5).map(lambda hours: START + hours * HOUR),
    st.none() | st.booleans(),
)
ROWS = st.lists(ROW, max_size=8)


def first(spec: SourceSpec, rows: pl.DataFrame, folder: Path) -> Snapshot:
    """Take the first snapshot of a source."""
    return take(spec, [rows], folder, at=START + 100 * HOUR).snapshot


def frame(rows: list[Row]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


@given(rows=ROWS, data=st.data())
def test_a_fingerprint_does_not_see_the_order_of_rows_or_how_they_are_laid_out(
    rows: list[Row], data: st.DataObject
) -> None:
    other = data.draw(st.permutations(rows))
    cut = data.draw(st.integers(0, len(rows)))
    laid_out = pl.concat([frame(other[:cut]), frame(other[cut:])], rechunk=False)

    assert fingerprint(frame(rows)) == fingerprint(laid_out)


@settings(max_examples=200)
@given(rows=st.lists(ROW, min_size=1, max_size=8), data=st.data())
def test_a_fingerprint_sees_every_cell(rows: list[Row], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(0, len(SCHEMA) - 1))
    new = data.draw(ROW)[column]
    assume(repr(new) != repr(rows[place][column]))
    changed = [*rows]
    changed[place] = (*rows[place][:column], new, *rows[place][column + 1 :])  # type: ignore[assignment]  # one cell of its own type

    assert fingerprint(frame(changed)) != fingerprint(frame(rows))


@given(rows=st.lists(ROW, min_size=1, max_size=6))
@example(rows=[(None, None, None, None, None)])
def test_a_fingerprint_sees_a_row_more_and_a_row_less(rows: list[Row]) -> None:
    assert len({fingerprint(frame(rows)), fingerprint(frame([*rows, rows[0]])), fingerprint(frame(rows[1:]))}) == 3


def test_a_fingerprint_names_the_version_it_is_comparable_within() -> None:
    assert fingerprint(frame([])).startswith(f"polars-{pl.__version__}:")
    assert fingerprint(pl.DataFrame()).endswith(":0000000000000000")


@settings(max_examples=30)
@given(rows=ROWS)
def test_the_same_rows_are_the_same_snapshot_with_the_same_bytes(rows: list[Row]) -> None:
    with TemporaryDirectory() as folder:
        one, two = (first(SPEC, frame(rows), Path(folder) / name) for name in ("one", "two"))

        assert digest_of(one) == digest_of(two)
        assert (Path(folder) / "one/rows-0.parquet").read_bytes() == (Path(folder) / "two/rows-0.parquet").read_bytes()


ROWS_OF_TWO: list[Row] = [(1, "a", 1.5, START + HOUR, True), (2, None, math.nan, START, None)]

CHANGES = {
    "a cell": frame([ROWS_OF_TWO[0], (2, "b", math.nan, START, None)]),
    "the order": frame(ROWS_OF_TWO[::-1]),
    "a name": frame(ROWS_OF_TWO).rename({"t": "u"}),
    "a type": frame(ROWS_OF_TWO).with_columns(pl.col("k").cast(pl.Int32)),
    "a row": frame(ROWS_OF_TWO[:1]),
}


@pytest.mark.parametrize("what", CHANGES)
def test_other_rows_are_another_snapshot(tmp_path: Path, what: str) -> None:
    one = first(SPEC, frame(ROWS_OF_TWO), tmp_path / "one")
    other = first(SPEC, CHANGES[what], tmp_path / "other")

    assert digest_of(one) != digest_of(other)


def test_another_reading_of_the_clock_is_another_snapshot(tmp_path: Path) -> None:
    slower = SourceSpec(name="s", reader=by_function(), key="k", event_time="at", available_delay=3 * HOUR)
    one, other = (first(spec, frame(ROWS_OF_TWO), tmp_path / "rows") for spec in (SPEC, slower))

    assert digest_of(one) != digest_of(other)
    assert one.fingerprint == other.fingerprint


def test_a_snapshot_says_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "rows-0.parquet"
    found = first(SPEC, frame(ROWS_OF_TWO), tmp_path)

    assert (found.source, found.rows) == ("s", 2)
    assert [(column.name, column.nulls) for column in found.columns] == [
        ("k", 0),
        ("t", 1),
        ("x", 0),
        ("at", 0),
        ("b", 1),
    ]
    assert found.columns[3].type == "Datetime(time_unit='us', time_zone='UTC')"
    assert (found.first_event, found.last_event, found.known_until) == (START, START + HOUR, START + 3 * HOUR)
    (file,) = found.files
    assert (file.digest, file.bytes, file.rows) == (sha256(path.read_bytes()), path.stat().st_size, 2)


def test_a_table_has_no_times(tmp_path: Path) -> None:
    found = first(SourceSpec(name="s", reader=by_function(), key="k"), frame(ROWS_OF_TWO), tmp_path)

    assert (found.first_event, found.last_event, found.known_until) == (None, None, None)


def test_a_clocked_source_without_rows_has_no_times_either(tmp_path: Path) -> None:
    found = first(SPEC, frame([]), tmp_path)

    assert (found.rows, found.first_event, found.last_event, found.known_until) == (0, None, None, None)


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    write_rows(frame(ROWS_OF_TWO), tmp_path / "rows.parquet")

    assert pl.read_parquet(tmp_path / "rows.parquet").equals(frame(ROWS_OF_TWO))
