"""Snapshots continue each other: what was known at a moment is the same whenever it is asked, and nothing leaks."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lockgate.features.known import AVAILABLE, declared, held, known_rows
from lockgate.kernel.canonical import digest_of
from lockgate.records.snapshot import Snapshot, TableReference
from lockgate.records.source import SourceSpec
from lockgate.snapshots.take import Parent, Taken, as_recorded, take
from tests.making.readers import by_function

START = datetime(2013, 3, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
TIME = pl.Datetime("us", "UTC")
SPEC = SourceSpec(name="s", reader=by_function(), key="k", event_time="event", available_time="told")
STATED = SourceSpec(name="s", reader=by_function(), key="k", event_time="event", available_time="told", ingest_lag=HOUR)
SCHEMA = {"k": pl.Int64(), "event": TIME, "told": TIME, "v": pl.Int64()}

Row = tuple[int, int, int, int]
"""Key, event hour, hour at which it says it was told, value."""


def frame(rows: Iterable[Row]) -> pl.DataFrame:
    made = [(key, START + event * HOUR, START + told * HOUR, value) for key, event, told, value in rows]
    return pl.DataFrame(made, schema=SCHEMA, orient="row")


class Chain:
    """A source that is read again and again, and its snapshots."""

    def __init__(self, folder: Path, spec: SourceSpec = SPEC) -> None:
        self.folder, self.spec = folder, spec
        self.taken: list[tuple[int, Taken, list[str]]] = []
        self._files: dict[str, str] = {}

    def read(self, hour: int, rows: Iterable[Row]) -> Taken:
        known = frame(rows).filter(declared(self.spec) <= START + hour * HOUR)
        taken = take(
            self.spec, [known], self.folder / f"{len(self.taken)}", at=START + hour * HOUR, parent=self.parent()
        )
        self._files |= taken.written
        self.taken.append((hour, taken, self.paths(taken.snapshot)))
        return taken

    def parent(self) -> Parent | None:
        if not self.taken:
            return None
        hour, taken, paths = self.taken[-1]
        return Parent(
            digest=digest_of(taken.snapshot),
            snapshot=taken.snapshot,
            paths=tuple(paths),
            taken_as_of=START + hour * HOUR,
            gone_rows=taken.gone_rows,
        )

    def paths(self, snapshot: Snapshot) -> list[str]:
        return [self._files[file.digest] for file in snapshot.files]

    def known(self, number: int = -1) -> pl.DataFrame:
        """Give the rows of a snapshot with their effective clock."""
        _, taken, paths = self.taken[number]
        files = [(path, file.not_before) for path, file in zip(paths, taken.snapshot.files, strict=True)]
        return known_rows(self.spec, files, taken.gone_rows).collect()

    def then(self, hour: int) -> Taken:
        """Give what was known at an hour, from the newest snapshot."""
        _, taken, paths = self.taken[-1]
        found = as_recorded(self.spec, taken.snapshot, paths, self.folder / f"then-{hour}", at=START + hour * HOUR)
        self._files |= found.written
        return found


def told(rows: pl.DataFrame, hour: int) -> list[Row]:
    """Give the rows available at an hour, sorted."""
    known = rows.filter(pl.col(AVAILABLE) <= START + hour * HOUR)
    return sorted(
        (key, (event - START) // HOUR, (said - START) // HOUR, value)
        for key, event, said, value in known.select("k", "event", "told", "v").iter_rows()
    )


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return Chain(tmp_path)


def test_what_is_new_is_added_and_the_files_before_stay(chain: Chain) -> None:
    first = chain.read(2, [(1, 0, 1, 10)])
    second = chain.read(4, [(1, 0, 1, 10), (2, 3, 3, 20)])

    assert second.snapshot.files[:1] == first.snapshot.files
    assert (second.new, second.backfilled, second.gone) == (1, 0, 0)
    assert second.snapshot.rows == 2


def test_nothing_new_is_the_same_snapshot(chain: Chain) -> None:
    first = chain.read(2, [(1, 0, 1, 10), (1, 0, 1, 10)])
    again = chain.read(4, [(1, 0, 1, 10), (1, 0, 1, 10)])

    assert digest_of(again.snapshot) == digest_of(first.snapshot)
    assert (again.new, again.written) == (0, {})


def test_one_more_of_the_same_row_is_new(chain: Chain) -> None:
    chain.read(2, [(1, 0, 1, 10)])

    assert chain.read(4, [(1, 0, 1, 10), (1, 0, 1, 10)]).new == 1


def test_a_backfilled_row_counts_from_the_reading_it_first_showed_up_in(chain: Chain) -> None:
    chain.read(2, [(1, 0, 1, 10)])
    second = chain.read(5, [(1, 0, 1, 10), (2, 0, 1, 20), (3, 3, 4, 30)])

    assert second.backfilled == 1
    assert told(chain.known(), 2) == [(1, 0, 1, 10)]
    assert told(chain.known(), 4) == [(1, 0, 1, 10), (3, 3, 4, 30)]
    assert told(chain.known(), 5) == [(1, 0, 1, 10), (2, 0, 1, 20), (3, 3, 4, 30)]


def test_with_a_stated_lag_a_row_counts_from_so_long_before_the_reading(tmp_path: Path) -> None:
    chain = Chain(tmp_path, STATED)
    chain.read(2, [(1, 0, 1, 10)])
    second = chain.read(9, [(1, 0, 1, 10), (2, 0, 1, 20), (3, 3, 4, 30), (4, 8, 8, 40)])

    assert second.backfilled == 2
    assert told(chain.known(), 7) == [(1, 0, 1, 10)]
    assert told(chain.known(), 8) == [(1, 0, 1, 10), (2, 0, 1, 20), (3, 3, 4, 30), (4, 8, 8, 40)]


def test_a_row_that_is_gone_stays_in_history_and_is_marked(chain: Chain) -> None:
    chain.read(2, [(1, 0, 1, 10), (2, 0, 1, 20)])
    second = chain.read(4, [(2, 0, 1, 20)])

    assert second.gone == 1
    assert held(chain.known())["k"].to_list() == [2]
    assert told(chain.known(), 2) == [(1, 0, 1, 10), (2, 0, 1, 20)]


def test_a_row_that_comes_back_was_known_all_along(chain: Chain) -> None:
    chain.read(2, [(1, 0, 1, 10)])
    chain.read(4, [])
    third = chain.read(6, [(1, 0, 1, 10)])

    assert (third.new, third.gone, third.gone_rows) == (0, 0, None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows.with_columns(w=pl.lit(1)), "w is new"),
        (lambda rows: rows.drop("v"), "v is gone"),
        (lambda rows: rows.with_columns(pl.col("v").cast(pl.Float64)), "v was Int64 and is Float64"),
        (lambda rows: rows.select("v", "k", "event", "told"), "another order"),
    ],
    ids=["a column more", "a column less", "another type", "another order"],
)
def test_other_columns_begin_a_history_of_their_own(chain: Chain, change: object, said: str) -> None:
    chain.read(2, [(1, 0, 1, 10)])
    parent = chain.parent()
    other = take(SPEC, [change(frame([(1, 0, 1, 10)]))], chain.folder / "other", at=START + 4 * HOUR, parent=parent)  # type: ignore[operator]  # a case of the table

    assert said in other.begins
    assert other.snapshot.parents == ()


def test_a_snapshot_that_only_referred_to_its_rows_is_not_continued_by_a_copy(chain: Chain) -> None:
    chain.read(2, [(1, 0, 1, 10)])
    parent = chain.parent()
    assert parent is not None
    referring = replace(parent.snapshot, files=(), reference=TableReference(uri="t", version=1, files=()))
    copied = take(
        SPEC,
        [frame([(1, 0, 1, 10)])],
        chain.folder / "copied",
        at=START + 4 * HOUR,
        parent=replace(parent, snapshot=referring, paths=()),
    )

    assert "referred" in copied.begins
    assert (copied.snapshot.rows, sum(file.rows for file in copied.snapshot.files), copied.backfilled) == (1, 1, 0)


def test_a_table_is_replaced_whole(tmp_path: Path) -> None:
    table = SourceSpec(name="s", reader=by_function(), key="k")
    first = take(table, [frame([(1, 0, 1, 10)])], tmp_path / "1", at=START)
    parent = Parent(
        digest=digest_of(first.snapshot),
        snapshot=first.snapshot,
        paths=tuple(first.written.values()),
        taken_as_of=START,
    )
    second = take(table, [frame([(2, 0, 1, 20)])], tmp_path / "2", at=START + HOUR, parent=parent)

    assert second.snapshot.rows == 1
    assert second.snapshot.parents == ()


def test_rows_are_cut_into_files_however_they_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lockgate.snapshots.take.PER_FILE", 3)
    rows = frame([(key, 0, 1, key) for key in range(8)])
    whole = take(SPEC, [rows], tmp_path / "whole", at=START + HOUR)
    parts = take(SPEC, rows.iter_slices(2), tmp_path / "parts", at=START + HOUR)

    assert [file.rows for file in whole.snapshot.files] == [3, 3, 2]
    assert digest_of(whole.snapshot) == digest_of(parts.snapshot)


def test_the_past_is_the_snapshot_that_was_taken_then(chain: Chain) -> None:
    first = chain.read(2, [(1, 0, 1, 10), (2, 0, 2, 20)])
    chain.read(6, [(2, 0, 2, 20), (3, 0, 1, 30), (4, 5, 5, 40)])

    assert chain.then(2).snapshot.files == first.snapshot.files
    assert chain.then(1).snapshot.rows == 1
    assert chain.then(5).snapshot.rows == 3


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(["told", "late", "corrected", "deleted"]),
        st.integers(1, 3),
        st.integers(0, 12),
        st.integers(0, 3),
        st.integers(0, 9),
    ),
    max_size=12,
)
"""What happens to a source: kind, key, hour, how much earlier the event was, value."""


def replayed(changes: list[tuple[str, int, int, int, int]], hour: int, backfills: list[tuple[int, Row]]) -> list[Row]:
    """Give what the source holds at an hour: an oracle that knows when everything really came."""
    rows: list[Row] = []
    for kind, key, at, before, value in sorted(changes, key=lambda one: one[2]):
        if at > hour:
            break
        mine = [row for row in rows if row[0] == key]
        if kind in {"told", "late"}:
            rows.append((key, max(0, at - before - (4 if kind == "late" else 0)), at, value))
        elif mine and kind == "corrected":
            rows.append((key, mine[-1][1], at, value))
        elif mine:
            rows.remove(mine[-1])
    return rows + [row for came, row in backfills if came <= hour]


BACKFILL = 20
"""Values from here on are those of backfilled rows."""

BACKFILLED = st.tuples(st.integers(1, 3), st.integers(0, 4), st.integers(0, 6), st.integers(BACKFILL, 29))


@settings(max_examples=80, deadline=None)
@given(
    changes=CHANGES,
    backfills=st.lists(st.tuples(st.integers(0, 12), BACKFILLED), max_size=5),
    readings=st.lists(st.integers(0, 14), min_size=2, max_size=5, unique=True),
)
def test_what_was_known_at_a_moment_is_the_same_before_and_after_any_backfill(
    changes: list[tuple[str, int, int, int, int]], backfills: list[tuple[int, Row]], readings: list[int]
) -> None:
    # A backfilled row says that it was told before it came.
    backfills = [(came, row) for came, row in backfills if row[2] < came]
    with TemporaryDirectory() as folder:
        chain = Chain(Path(folder))
        for hour in sorted(readings):
            chain.read(hour, replayed(changes, hour, backfills))
            for number, (before, _, _) in enumerate(chain.taken):
                assert told(chain.known(), before) == told(chain.known(number), before)
            # A backfilled row is known once it came. The first reading is believed, and a row that says it was told
            # after the last reading that did not have it.
            believed = {row for came, row in backfills if row[2] > max((r for r in readings if r < came), default=-1)}
            for then in range(hour + 1):
                come = {*replayed(changes, then, backfills), *replayed(changes, min(readings), backfills)}
                assert {row for row in told(chain.known(), then) if row[3] >= BACKFILL} <= come | believed


@settings(max_examples=60, deadline=None)
@given(
    backfills=st.lists(st.tuples(st.integers(0, 12), BACKFILLED), max_size=5),
    readings=st.lists(st.integers(0, 14), min_size=2, max_size=5, unique=True),
    lag=st.integers(0, 2),
)
def test_with_a_stated_lag_no_row_is_known_longer_before_it_came_than_that(
    backfills: list[tuple[int, Row]], readings: list[int], lag: int
) -> None:
    backfills = [(came, row) for came, row in backfills if row[2] < came]
    with TemporaryDirectory() as folder:
        chain = Chain(Path(folder), replace(STATED, ingest_lag=lag * HOUR))
        for hour in sorted(readings):
            chain.read(hour, replayed([], hour, backfills))
            for then in range(min(readings), hour + 1):
                come = {*replayed([], then + lag, backfills), *replayed([], min(readings), backfills)}
                assert set(told(chain.known(), then)) <= come


@settings(max_examples=40, deadline=None)
@given(
    changes=CHANGES,
    readings=st.lists(st.integers(0, 14), min_size=2, max_size=4, unique=True),
    asked=st.integers(0, 14),
)
def test_the_past_can_be_taken_from_any_later_snapshot(
    changes: list[tuple[str, int, int, int, int]], readings: list[int], asked: int
) -> None:
    first, *later = sorted(readings)
    with TemporaryDirectory() as folder:
        chain = Chain(Path(folder))
        chain.read(first, replayed(changes, first, []))
        for hour in later:
            chain.read(hour, replayed(changes, hour, [(hour, (3, 0, 0, 99))]))
            moment = min(asked, first)
            found = chain.then(moment)

            assert found.snapshot.rows == len(told(chain.known(0), moment))
