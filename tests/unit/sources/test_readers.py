"""Files, databases and tables are read as they were known by then, and later only what is new of them."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from msgspec.structs import replace

from lockgate.kernel.errors import Failed, Invalid, LockgateError, NotFound, Unavailable
from lockgate.records.source import Reader, ReaderKind, SourceSpec
from lockgate.sources.read import RowsRead, read
from tests.making.servers import S3

START = datetime(2013, 3, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
TIME = pl.Datetime("us", "UTC")


def source(kind: ReaderKind, where: str, **options: object) -> SourceSpec:
    reader = Reader(kind=kind, where=where, options=options)
    return SourceSpec(name="s", reader=reader, key="k", event_time="at", available_time="told")


def frame(*rows: tuple[int, int, int | None]) -> pl.DataFrame:
    """Give rows of key, hour, hour told."""
    return pl.DataFrame(
        {
            "k": [key for key, _, _ in rows],
            "at": [START + at * HOUR for _, at, _ in rows],
            "told": [None if told is None else START + told * HOUR for _, _, told in rows],
        },
        schema={"k": pl.Int64, "at": TIME, "told": TIME},
    )


def taken(spec: SourceSpec, folder: Path, before: RowsRead | None = None, hours: int = 100) -> tuple[RowsRead, Any]:
    rows = read(spec, folder, START + hours * HOUR, before=before.state if before else None)
    found = pl.concat(rows.batches)
    return rows, found


# --- files -----------------------------------------------------------------------------------------------------------

KINDS = {"csv": ReaderKind.CSV, "parquet": ReaderKind.PARQUET}


def write(kind: str, rows: pl.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "csv":
        rows.write_csv(path, datetime_format="%Y-%m-%dT%H:%M:%S%z")
    else:
        rows.write_parquet(path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["one.{}", "folder", "folder/*.{}", "absolute"])
def test_a_file_a_folder_and_a_glob_are_read(tmp_path: Path, kind: str, where: str) -> None:
    write(kind, frame((1, 0, 1)), tmp_path / f"one.{kind}")
    write(kind, frame((2, 0, 1), (3, 0, 200)), tmp_path / "folder" / f"b.{kind}")
    write(kind, frame((1, 0, 1)), tmp_path / "folder" / f"a.{kind}")
    (tmp_path / "folder" / "notes.txt").write_text("no rows")
    place = str(tmp_path / "folder") if where == "absolute" else where.format(kind)
    rows, found = taken(source(KINDS[kind], place), tmp_path)

    assert found.schema == frame().schema
    assert found["k"].to_list() == ([1] if where.startswith("one") else [1, 2])
    assert rows.whole
    assert rows.held_back == (0 if where.startswith("one") else 1)


@pytest.mark.parametrize("kind", KINDS)
def test_only_new_files_are_read_later(tmp_path: Path, kind: str) -> None:
    spec = source(KINDS[kind], "rows")
    write(kind, frame((1, 0, 1)), tmp_path / "rows" / f"a.{kind}")
    first, _ = taken(spec, tmp_path)
    again, nothing = taken(spec, tmp_path, first)
    write(kind, frame((2, 0, 1)), tmp_path / "rows" / f"b.{kind}")
    second, new = taken(spec, tmp_path, again)

    assert (again.whole, nothing.height, nothing.schema) == (False, 0, frame().schema)
    assert (second.whole, second.corrects, new["k"].to_list()) == (False, False, [2])
    assert len(second.state) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_changed_or_vanished_has_everything_read_again(tmp_path: Path, kind: str) -> None:
    spec = source(KINDS[kind], "rows")
    write(kind, frame((1, 0, 1)), tmp_path / "rows" / f"a.{kind}")
    write(kind, frame((2, 0, 1)), tmp_path / "rows" / f"b.{kind}")
    first, _ = taken(spec, tmp_path)
    write(kind, frame((1, 0, 1), (3, 0, 1)), tmp_path / "rows" / f"a.{kind}")
    changed, found = taken(spec, tmp_path, first)
    assert (changed.whole, found["k"].to_list()) == (True, [1, 3, 2])
    (tmp_path / "rows" / f"b.{kind}").unlink()
    vanished, found = taken(spec, tmp_path, changed)
    assert (vanished.whole, found["k"].to_list()) == (True, [1, 3])


def test_a_file_with_rows_that_were_not_known_yet_is_read_again(tmp_path: Path) -> None:
    spec = source(ReaderKind.PARQUET, "rows")
    write("parquet", frame((1, 0, 1), (2, 0, 50)), tmp_path / "rows" / "a.parquet")
    write("parquet", frame((3, 0, 1)), tmp_path / "rows" / "b.parquet")
    first, found = taken(spec, tmp_path, hours=10)
    later, more = taken(spec, tmp_path, first, hours=60)

    assert (found["k"].to_list(), first.held_back) == ([1, 3], 1)
    assert (later.whole, more["k"].to_list(), later.held_back) == (False, [1, 2], 0)


def test_a_csv_is_read_as_it_is_told(tmp_path: Path) -> None:
    rows = "k;at;told;v\n1;2013-03-10 05:00:00;2013-03-10 06:00:00;-\n007;2013-11-03 01:30:00;;x\n"
    (tmp_path / "a.csv").write_text(rows)
    types = {"k": "text", "told": "time"}
    spec = source(ReaderKind.CSV, "a.csv", separator=";", null=["-"], types=types, timezone="America/New_York")
    told = read(spec, tmp_path, None)
    (found,) = list(told.batches)

    assert found["k"].to_list() == ["1"]
    assert found["told"].to_list() == [datetime(2013, 3, 10, 10, tzinfo=UTC)]
    assert found["v"].to_list() == [None]
    assert told.held_back == 1


def test_an_hour_that_clocks_show_twice_is_the_later_one(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("k,at,told\n1,2013-11-03 01:30:00,2013-11-03 01:30:00\n")
    spec = source(ReaderKind.CSV, "a.csv", timezone="America/New_York")
    (found,) = list(read(spec, tmp_path, None).batches)

    assert found["told"].to_list() == [datetime(2013, 11, 3, 6, 30, tzinfo=UTC)]


def naive(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.col("at", "told").dt.replace_time_zone(None))


WRONG: dict[str, tuple[type[LockgateError], str, dict[str, pl.DataFrame | bytes]]] = {
    "no file": (NotFound, "finds no file", {}),
    "a file without the clock": (Invalid, "no column told", {"a.parquet": frame((1, 0, 1)).drop("told")}),
    "a naive time": (Invalid, "timezone=", {"a.parquet": naive(frame((1, 0, 1)))}),
    "a column that vanished": (
        Invalid,
        "v is missing",
        {"a.parquet": frame((1, 0, 1)).with_columns(v=1), "b.parquet": frame((1, 0, 1))},
    ),
    "a column of another type": (
        Invalid,
        "k is String",
        {"a.parquet": frame((1, 0, 1)), "b.parquet": frame((1, 0, 1)).with_columns(pl.col("k").cast(pl.String))},
    ),
    "no Parquet": (Failed, "can't be read", {"a.parquet": b"rows"}),
}


@pytest.mark.parametrize("what", WRONG)
def test_files_that_can_not_be_read_say_why(tmp_path: Path, what: str) -> None:
    kind, said, files = WRONG[what]
    (tmp_path / "rows").mkdir()
    for name, content in files.items():
        path = tmp_path / "rows" / name
        path.write_bytes(content) if isinstance(content, bytes) else content.write_parquet(path)
    with pytest.raises(kind) as refused:
        taken(source(ReaderKind.PARQUET, "rows"), tmp_path)

    assert said in str(refused.value)
    assert refused.value.way_out or refused.value.found


@pytest.mark.parametrize("place", ["rows", "rows/*.parquet", "rows/a.parquet"])
def test_files_in_a_bucket_are_read_and_only_new_ones_later(s3: S3, tmp_path: Path, place: str) -> None:
    frame((1, 0, 1)).write_parquet(f"{s3.url}/rows/a.parquet")
    spec = source(ReaderKind.PARQUET, f"{s3.url}/{place}")
    first, found = taken(spec, tmp_path)
    assert found["k"].to_list() == [1]

    frame((2, 0, 1)).write_parquet(f"{s3.url}/rows/b.parquet")
    later, new = taken(spec, tmp_path, first)
    assert later.whole is False
    assert new["k"].to_list() == ([] if place.endswith("a.parquet") else [2])


def test_a_bucket_that_can_not_be_reached_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setattr("lockgate.sources.files.RETRIES", {"max_retries": 0})
    with pytest.raises(Unavailable, match="the bucket nowhere, which can be reached"):
        taken(source(ReaderKind.PARQUET, "s3://nowhere/rows"), tmp_path)


# --- databases -------------------------------------------------------------------------------------------------------


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    path = tmp_path / "sales.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE told (k INTEGER, at TEXT, price REAL)")
    connection.close()
    return path


POSTGRES = (
    "CREATE TABLE told (n serial PRIMARY KEY, k int, at timestamptz, told timestamptz, price numeric(8,2), day date)"
)


def put(url: str, *statements: str) -> None:
    from sqlalchemy import create_engine, text  # noqa: PLC0415 - what the source under test uses

    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def row(key: int, told: int) -> str:
    moment = (START + told * HOUR).isoformat()
    values = f"{key}, '{START.isoformat()}', '{moment}', 1.25, '2013-03-10'"
    return f"INSERT INTO told (k, at, told, price, day) VALUES ({values})"  # noqa: S608 - made up


@pytest.mark.parametrize("how", [{"table": "told"}, {"query": "SELECT * FROM told ORDER BY n"}], ids=["table", "query"])
def test_a_database_is_read(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: dict[str, str]
) -> None:
    put(postgres_url, POSTGRES, row(1, 1), row(2, 2), row(3, 500))
    monkeypatch.setenv("SALES", postgres_url)
    rows, found = taken(source(ReaderKind.SQL, "", url_env="SALES", **how), tmp_path)

    assert found["k"].to_list() == [1, 2]
    assert found.schema["told"] == TIME
    assert found["price"].to_list() == [1.25, 1.25]
    assert (rows.whole, rows.held_back, set(rows.state)) == (True, 1, {"reader"})


def test_with_a_cursor_only_later_rows_are_asked_for(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(postgres_url, POSTGRES, row(1, 1), row(2, 2))
    monkeypatch.setenv("SALES", postgres_url)
    spec = source(ReaderKind.SQL, "", url_env="SALES", table="told", cursor="n", overlap=1)
    first, _ = taken(spec, tmp_path)
    put(postgres_url, row(3, 3), row(4, 500), row(5, 4))
    second, new = taken(spec, tmp_path, first)
    third, later = taken(spec, tmp_path, second, hours=1000)

    assert first.state["cursor"] == 2
    assert (second.whole, second.corrects, new["k"].to_list()) == (False, True, [1, 2, 3, 5])
    assert second.held_back == 1
    assert 4 in later["k"].to_list()
    assert third.state["cursor"] == 5


def test_a_cursor_may_be_a_time(postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(postgres_url, POSTGRES, row(1, 1), row(2, 5))
    monkeypatch.setenv("SALES", postgres_url)
    spec = source(ReaderKind.SQL, "", url_env="SALES", table="told", cursor="told", overlap_seconds=3600)
    first, _ = taken(spec, tmp_path)
    put(postgres_url, row(3, 4), row(4, 7), row(5, 2))
    _, new = taken(spec, tmp_path, first)

    assert new["k"].to_list() == [3, 2, 4]


def test_sqlite_is_read_too_and_naive_times_get_the_zone_that_is_told(sales: Path, tmp_path: Path) -> None:
    with sqlite3.connect(sales) as connection:
        connection.execute("INSERT INTO told VALUES (1, '2013-03-10 05:00:00', 2.5)")
    connection.close()
    reader = Reader(kind=ReaderKind.SQL, where=f"sqlite:///{sales}", options={"table": "told"})
    table = SourceSpec(name="s", reader=reader, key="k")
    (found,) = list(read(table, tmp_path, None).batches)

    assert found.to_dicts() == [{"k": 1, "at": "2013-03-10 05:00:00", "price": 2.5}]


REFUSED: dict[str, tuple[type[LockgateError], str, dict[str, Any]]] = {
    "no such table": (NotFound, "nothing", {"table": "nothing"}),
    "a broken query": (Invalid, "refuses what it is asked", {"query": "SELEC * FROM told"}),
    "no such cursor": (Invalid, "no column nn", {"table": "told", "cursor": "nn"}),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_question_that_a_database_refuses_is_told(sales: Path, tmp_path: Path, what: str) -> None:
    kind, said, options = REFUSED[what]
    reader = Reader(kind=ReaderKind.SQL, where=f"sqlite:///{sales}", options=options)
    spec = SourceSpec(name="s", reader=reader, key="k")
    with pytest.raises(kind) as refused:
        list(read(spec, tmp_path, None).batches)

    assert said in str(refused.value)


def test_a_database_that_does_not_answer_shows_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SALES", "postgresql://ada:secret@127.0.0.1:9/sales")
    with pytest.raises(Unavailable) as refused:
        taken(source(ReaderKind.SQL, "", url_env="SALES", table="told"), tmp_path)

    assert "secret" not in str(refused.value)
    assert "127.0.0.1" in str(refused.value)


def test_a_variable_that_is_not_set_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SALES", raising=False)
    with pytest.raises(Invalid, match="the variable SALES"):
        taken(source(ReaderKind.SQL, "", url_env="SALES", table="told"), tmp_path)


# --- Delta Lake ------------------------------------------------------------------------------------------------------


def test_a_table_is_read_at_its_newest_version_or_the_one_that_is_named(tmp_path: Path) -> None:
    frame((1, 0, 1)).write_delta(tmp_path / "t")
    frame((2, 0, 1)).write_delta(tmp_path / "t", mode="append")
    newest, found = taken(source(ReaderKind.DELTA, "t"), tmp_path)
    _, old = taken(source(ReaderKind.DELTA, "t", version=0), tmp_path)

    assert sorted(found["k"]) == [1, 2]
    assert (newest.state["version"], old["k"].to_list()) == (1, [1])


def test_only_files_that_a_table_grew_by_are_read_later(tmp_path: Path) -> None:
    spec = source(ReaderKind.DELTA, "t")
    frame((1, 0, 1)).write_delta(tmp_path / "t")
    first, _ = taken(spec, tmp_path)
    again, nothing = taken(spec, tmp_path, first)
    frame((2, 0, 1)).write_delta(tmp_path / "t", mode="append")
    second, new = taken(spec, tmp_path, again)
    frame((3, 0, 1)).write_delta(tmp_path / "t", mode="overwrite")
    third, whole = taken(spec, tmp_path, second)

    assert (again.whole, nothing.height) == (False, 0)
    assert (second.whole, new["k"].to_list()) == (False, [2])
    assert (third.whole, whole["k"].to_list()) == (True, [3])


def test_a_table_with_rows_that_were_not_known_yet_is_read_whole_again(tmp_path: Path) -> None:
    spec = source(ReaderKind.DELTA, "t")
    frame((1, 0, 1), (2, 0, 50)).write_delta(tmp_path / "t")
    first, found = taken(spec, tmp_path, hours=10)
    later, more = taken(spec, tmp_path, first)

    assert (found["k"].to_list(), first.held_back) == ([1], 1)
    assert (later.whole, sorted(more["k"])) == (True, [1, 2])


def test_a_table_that_is_not_copied_is_referred_to(tmp_path: Path) -> None:
    frame((1, 0, 1)).write_delta(tmp_path / "t")
    rows, found = taken(source(ReaderKind.DELTA, "t", copy=False), tmp_path)

    assert rows.reference is not None
    assert (rows.whole, rows.reference.version, found["k"].to_list()) == (True, 0, [1])
    (file,) = rows.reference.files
    assert file.bytes == Path(file.path).stat().st_size


def test_a_table_in_a_bucket_is_read(s3: S3, tmp_path: Path) -> None:
    uri = f"{s3.url}/tables/t"
    frame((1, 0, 1)).write_delta(uri)
    spec = source(ReaderKind.DELTA, uri)
    first, found = taken(spec, tmp_path)
    frame((2, 0, 1)).write_delta(uri, mode="append")
    later, new = taken(spec, tmp_path, first)
    referred, _ = taken(replace(spec, reader=replace(spec.reader, options={"copy": False})), tmp_path)

    assert (found["k"].to_list(), new["k"].to_list(), later.whole) == ([1], [2], False)
    assert referred.reference is not None
    assert all(file.path.startswith("s3://") for file in referred.reference.files)


ABSENT: dict[str, tuple[type[LockgateError], str, dict[str, Any]]] = {
    "no table": (NotFound, "finds no Delta Lake table", {"where": "nowhere"}),
    "no such version": (NotFound, "version 9", {"where": "t", "version": 9}),
    "a partitioned one to refer to": (Invalid, "partitioned", {"where": "parts", "copy": False}),
}


@pytest.mark.parametrize("what", ABSENT)
def test_a_table_that_can_not_be_read_says_why(tmp_path: Path, what: str) -> None:
    kind, said, options = ABSENT[what]
    frame((1, 0, 1)).write_delta(tmp_path / "t")
    frame((1, 0, 1)).write_delta(tmp_path / "parts", delta_write_options={"partition_by": ["k"]})
    with pytest.raises(kind) as refused:
        taken(source(ReaderKind.DELTA, options.pop("where"), **options), tmp_path)

    assert said in str(refused.value)


def test_a_version_whose_files_were_vacuumed_says_so(tmp_path: Path) -> None:
    frame((1, 0, 1)).write_delta(tmp_path / "t")
    for path in (tmp_path / "t").glob("*.parquet"):
        path.unlink()
    with pytest.raises(Failed, match="Version 0"):
        taken(source(ReaderKind.DELTA, "t"), tmp_path)
