"""A Delta Lake table is read at a version, and later only where it grew; what its files do not tell is not lost."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import obstore
import polars as pl
import pytest
from deltalake import DeltaTable
from msgspec.structs import replace
from obstore.store import S3Store

from lockgate.kernel.errors import Invalid, Unavailable
from lockgate.records.source import Reader, ReaderKind, SourceSpec
from lockgate.sources.read import RowsRead, read
from tests.making.servers import BUCKET, S3

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


def partitioned(folder: Path, *keys: int) -> None:
    """Add rows whose other columns, some null, are told by the names of folders."""
    for key in keys:
        days = pl.lit(None if key % 2 else START.date(), dtype=pl.Date)
        more = {"depot": pl.lit(f"a /%{key}ü"), "day": days, "v": pl.lit(key)}
        add(folder, key, more=more, partition_by=["depot", "day"])


def test_a_partitioned_table_is_read_with_what_its_folders_tell_and_later_where_it_grew(tmp_path: Path) -> None:
    partitioned(tmp_path, 1, 2)
    first, found = taken(spec(), tmp_path)
    partitioned(tmp_path, 3)
    later, more = taken(spec(), tmp_path, first)

    told = pl.scan_delta(str(tmp_path / "t")).collect().sort("k")
    assert found.equals(told.head(2))
    assert (later.whole, more.equals(told.tail(1))) == (False, True)


def test_a_partitioned_clock_is_a_clock(tmp_path: Path) -> None:
    add(tmp_path, 1, 2, partition_by=["t"])

    assert taken(spec(), tmp_path, days=1)[1].rows() == [(1, START + timedelta(days=1))]


def evolved(folder: Path) -> None:
    add(folder, 1)
    add(folder, 2, more={"v": pl.lit(5)}, schema_mode="merge")


def naive(folder: Path) -> None:
    add(folder, 1, more={"t": pl.col("t").dt.replace_time_zone(None)})


NEEDY: dict[str, tuple[Callable[[Path], None], dict[str, Any], str]] = {
    "partitions": (lambda folder: partitioned(folder, 1), {}, "it is partitioned by depot, day"),
    "a column that came later": (evolved, {}, r"found /.*\.parquet has no v"),
    "times without a zone": (naive, {"timezone": "Asia/Tokyo"}, "it has t as Datetime.*, not Datetime"),
    "decimals": (
        lambda folder: add(folder, 1, more={"v": pl.lit("1.5").cast(pl.Decimal(9, 2))}),
        {},
        "it has v as Decimal.*, not Float64",
    ),
}


@pytest.mark.parametrize("what", NEEDY)
def test_a_table_whose_files_do_not_hold_rows_as_they_are_read_is_copied_but_not_referred_to(
    tmp_path: Path, what: str
) -> None:
    make, options, said = NEEDY[what]
    make(tmp_path)

    assert taken(spec(**options), tmp_path)[1].height > 0
    with pytest.raises(Invalid, match=f"(?s)can't be referred to .*{said}.* Leave out copy=False"):
        taken(spec(copy=False, **options), tmp_path)


@pytest.mark.parametrize("options", [{}, {"copy": False}], ids=["copied", "referred to"])
@pytest.mark.parametrize("name", ["a b", "ü", "a[x]", "a#b", "a?b", "a{b}"])
def test_a_table_may_lie_in_a_folder_of_any_name(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    add(tmp_path, 1)
    folder = (tmp_path / "t").rename(tmp_path / name).parent
    source = spec(**options)
    rows = read(replace(source, reader=replace(source.reader, where=name)), folder, LATER)

    assert pl.concat(list(rows.batches))["k"].to_list() == [1]
    assert rows.reference is None or all(Path(file.path).is_file() for file in rows.reference.files)


@pytest.mark.parametrize("name", ["a b", "ü", "a=b+c", "a#b"])
def test_a_table_in_a_bucket_may_have_any_name(s3: S3, tmp_path: Path, name: str) -> None:
    add(tmp_path, 1)
    store = S3Store(BUCKET, prefix=f"{s3.url.removeprefix(f's3://{BUCKET}/')}/{name}")
    for path in (tmp_path / "t").rglob("*.*"):
        obstore.put(store, str(path.relative_to(tmp_path / "t")), path)
    source = spec()
    source = replace(source, reader=replace(source.reader, where=f"{s3.url}/{name}"))

    assert taken(source, tmp_path)[1]["k"].to_list() == [1]


def test_a_bucket_that_does_not_let_us_in_is_told(s3: S3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = spec()
    source = replace(source, reader=replace(source.reader, where=f"{s3.url}/t"))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not this")
    with pytest.raises(Unavailable) as refused:
        taken(source, tmp_path)

    assert refused.value.found.endswith("403 Forbidden")
    assert "AWS_SECRET_ACCESS_KEY" in refused.value.way_out
    assert "not this" not in str(refused.value)


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
