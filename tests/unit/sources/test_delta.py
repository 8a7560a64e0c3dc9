"""A Delta Lake table is read at a version, and later only where it grew; what its files do not tell is not lost."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from lockgate.kernel.errors import Invalid
from lockgate.records.source import Reader, ReaderKind, SourceSpec
from lockgate.sources.read import RowsRead, read

START = datetime(2024, 3, 1, tzinfo=UTC)
LATER = datetime(2025, 1, 1, tzinfo=UTC)


def spec(**options: object) -> SourceSpec:
    reader = Reader(kind=ReaderKind.DELTA, where="t", options=options)
    return SourceSpec(name="s", reader=reader, key="k", event_time="t", available_delay=timedelta(0))


def add(folder: Path, *keys: int, **options: Any) -> None:  # noqa: ANN401 - whatever the writer takes
    times = [START + timedelta(days=key) for key in keys]
    frame = pl.DataFrame({"k": keys, "t": times}, schema={"k": pl.Int64, "t": pl.Datetime("us", "UTC")})
    frame = frame.with_columns(**options.pop("more", {}))
    frame.write_delta(folder / "t", mode="append", delta_write_options=options)


def taken(source: SourceSpec, folder: Path, before: RowsRead | None = None, days: int = 300) -> tuple[RowsRead, Any]:
    found = read(source, folder, START + timedelta(days=days), before=None if before is None else before.state)
    return found, pl.concat(list(found.batches))


def test_files_are_read_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    for key in range(12):
        add(tmp_path, key)

    assert taken(spec(), tmp_path)[1]["k"].to_list() == list(range(12))


def test_only_files_with_rows_that_were_not_known_yet_are_read_again(tmp_path: Path) -> None:
    add(tmp_path, 1)
    add(tmp_path, 2, 200)
    first, found = taken(spec(), tmp_path, days=100)
    later, more = taken(spec(), tmp_path, first)

    assert (found["k"].to_list(), first.held_back) == ([1, 2], 1)
    assert (later.whole, more["k"].to_list()) == (False, [2, 200])


def test_a_column_that_came_later_is_null_in_the_files_before(tmp_path: Path) -> None:
    add(tmp_path, 1)
    add(tmp_path, 2, more={"v": pl.lit(5)}, schema_mode="merge")
    add(tmp_path, 3, schema_mode="merge")
    first, found = taken(spec(), tmp_path)
    add(tmp_path, 4, schema_mode="merge")
    later, more = taken(spec(), tmp_path, first)

    assert found["v"].to_list() == [None, 5, None]
    assert (later.whole, more["k"].to_list(), more.schema) == (False, [4], found.schema)


def partitioned(folder: Path) -> None:
    add(folder, 1, more={"depot": pl.lit("ams")}, partition_by=["depot"])
    add(folder, 2, more={"depot": pl.lit("rtm")})


NEEDY: dict[str, tuple[Callable[[Path], None], str]] = {"partitions": (partitioned, "partitioned by depot")}


@pytest.mark.parametrize("what", NEEDY)
def test_what_its_files_alone_do_not_tell_is_read_whole_and_not_referred_to(tmp_path: Path, what: str) -> None:
    make, said = NEEDY[what]
    make(tmp_path)
    first, _ = taken(spec(), tmp_path)
    later, found = taken(spec(), tmp_path, first)

    assert later.whole
    assert dict(found.select("k", "depot").iter_rows()) == {1: "ams", 2: "rtm"}
    with pytest.raises(Invalid, match=f"(?s){said}.* Leave out copy=False"):
        read(spec(copy=False), tmp_path, LATER)


def test_a_table_without_rows_has_columns(tmp_path: Path) -> None:
    add(tmp_path, 1)
    DeltaTable(str(tmp_path / "t")).delete()
    found, rows = taken(spec(), tmp_path)

    assert (found.whole, rows.height, rows.columns) == (True, 0, ["k", "t"])


def test_a_compacted_table_is_read_whole(tmp_path: Path) -> None:
    add(tmp_path, 1)
    add(tmp_path, 2)
    first, _ = taken(spec(), tmp_path)
    DeltaTable(str(tmp_path / "t")).optimize.compact()
    later, found = taken(spec(), tmp_path, first)

    assert (later.whole, sorted(found["k"])) == (True, [1, 2])


def test_a_version_that_was_vacuumed_says_what_to_do(tmp_path: Path) -> None:
    add(tmp_path, 1)
    table = DeltaTable(str(tmp_path / "t"))
    table.delete("k = 1")
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)

    with pytest.raises(Exception, match=r"Version 0 of the table .* vacuumed it. Name a version"):
        taken(spec(version=0), tmp_path)
