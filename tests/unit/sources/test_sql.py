"""A database is asked only for what is new, in types that stay, and no message shows a secret."""

import gc
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa

from lockgate.kernel.errors import Invalid, LockgateError, NotFound, Unavailable
from lockgate.records.source import Reader, ReaderKind, SourceSpec
from lockgate.sources import sql
from lockgate.sources.read import RowsRead, read

START = datetime(2024, 3, 1, tzinfo=UTC)
LATER = datetime(2025, 1, 1, tzinfo=UTC)


def spec(where: str = "sqlite:///sales.db", **options: object) -> SourceSpec:
    reader = Reader(kind=ReaderKind.SQL, where=where, options=options)
    return SourceSpec(name="s", reader=reader, key="k", event_time="t", available_delay=timedelta(0))


def run(folder: Path, *statements: str, url: str = "") -> None:
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:") or f"sqlite:///{folder / 'sales.db'}")
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def taken(
    source: SourceSpec, folder: Path, before: RowsRead | None = None, at: datetime = LATER
) -> tuple[RowsRead, pl.DataFrame]:
    found = read(source, folder, at, before=None if before is None else before.state)
    return found, pl.concat(list(found.batches))


TABLE = "CREATE TABLE sale (n INTEGER, k TEXT, t TIMESTAMP, amount NUMERIC(9, 2), paid BOOLEAN, note TEXT)"


def test_types_are_those_that_a_table_states_also_where_it_is_empty(tmp_path: Path) -> None:
    run(tmp_path, TABLE)
    _, nothing = taken(spec(table="sale"), tmp_path)
    run(tmp_path, "INSERT INTO sale VALUES (1, 'a', '2024-03-01T05:00:00Z', 2, 1, NULL)")
    _, found = taken(spec(table="sale"), tmp_path)

    assert (nothing.height, nothing.schema) == (0, found.schema)
    assert found.to_dicts() == [
        {"n": 1, "k": "a", "t": START + timedelta(hours=5), "amount": 2.0, "paid": True, "note": None}
    ]


@pytest.mark.parametrize("how", [{"table": "sale"}, {"query": "SELECT * FROM sale;"}], ids=["table", "query"])
def test_types_stay_where_a_later_reading_finds_only_nulls_or_nothing(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: dict[str, str]
) -> None:
    monkeypatch.setenv("DB", postgres_url)
    run(tmp_path, TABLE.replace("TIMESTAMP", "TIMESTAMPTZ"), url=postgres_url)
    run(tmp_path, "INSERT INTO sale VALUES (1, 'a', '2024-03-01 05:00+01', 1.5, true, 'x')", url=postgres_url)
    source = spec("", url_env="DB", cursor="n", **how)
    first, rows = taken(source, tmp_path)
    run(tmp_path, "INSERT INTO sale VALUES (2, 'b', '2024-03-02 05:00+01', NULL, NULL, NULL)", url=postgres_url)
    run(tmp_path, "DELETE FROM sale WHERE n = 1", url=postgres_url)
    second, more = taken(source, tmp_path, first)
    run(tmp_path, "DELETE FROM sale", url=postgres_url)
    third, none = taken(source, tmp_path, second)

    assert rows["t"].to_list() == [START + timedelta(hours=4)]
    assert more["k"].to_list() == ["b"]
    assert rows.schema == more.schema == none.schema
    assert (second.whole, second.corrects, third.whole, none.height) == (False, True, False, 0)
    assert third.state == second.state


CURSORS: dict[str, tuple[str, list[Any], dict[str, Any], list[int]]] = {
    "whole numbers": ("BIGINT", [10, 2**40, 2**40 + 1, 2**40 + 2], {"overlap": 1}, [2, 3, 4]),
    "amounts": ("NUMERIC", [Decimal("0.1"), Decimal("0.25"), Decimal("0.3"), Decimal(4)], {}, [3, 4]),
    "texts": ("TEXT", ["a", "b", "c'", "d"], {}, [3, 4]),
    "times with a zone": (
        "TIMESTAMPTZ",
        [f"2024-03-01 0{n}:00+00" for n in range(4)],
        {"overlap_seconds": 3600.0},
        [2, 3, 4],
    ),
    "times without a zone": ("TIMESTAMP", [f"2024-03-01 0{n}:00" for n in range(4)], {"overlap_seconds": 60.0}, [3, 4]),
    "dates": ("DATE", [f"2024-03-0{n}" for n in range(1, 5)], {"overlap_seconds": 60.0}, [2, 3, 4]),
}


@pytest.mark.parametrize("what", CURSORS)
def test_a_cursor_may_be_of_any_type_that_has_an_order(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    kind, values, overlap, expected = CURSORS[what]
    monkeypatch.setenv("DB", postgres_url)
    quoted = ["'" + str(value).replace("'", "''") + "'" for value in values]
    run(
        tmp_path,
        "SET timezone = 'Asia/Tokyo'",
        f'CREATE TABLE "Sale" (k INT, t TIMESTAMPTZ, "At" {kind})',
        url=postgres_url,
    )
    for k, value in enumerate(quoted[:3], start=1):
        run(tmp_path, f"INSERT INTO \"Sale\" VALUES ({k}, '2024-03-01Z', {value})", url=postgres_url)  # noqa: S608 - made up
    source = spec("", url_env="DB", table="Sale", cursor="At", **overlap)
    first, _ = taken(source, tmp_path)
    run(tmp_path, f"INSERT INTO \"Sale\" VALUES (4, '2024-03-01Z', {quoted[3]})", url=postgres_url)  # noqa: S608 - made up

    assert taken(source, tmp_path, first)[1]["k"].to_list() == expected


def test_times_that_sqlite_keeps_as_text_can_be_a_cursor_with_an_overlap(tmp_path: Path) -> None:
    source = spec(table="sale", cursor="t", overlap_seconds=3600.0, timezone="UTC")
    rows = [f"INSERT INTO sale (n, k, t) VALUES ({n}, 'a', '2024-03-01 0{n}:00:00.000000')" for n in range(5)]  # noqa: S608 - made up
    run(tmp_path, TABLE, *rows[:4])
    first, _ = taken(source, tmp_path)
    run(tmp_path, rows[4])

    assert taken(source, tmp_path, first)[1]["n"].to_list() == [2, 3, 4]


def test_a_later_reading_begins_at_rows_that_were_not_known_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "ROWS", 2)
    days = (1, 9, 2, 3, 8, 4)
    rows = [f"INSERT INTO sale (n, k, t) VALUES ({n}, 'a', '2024-03-0{day}T00:00Z')" for n, day in enumerate(days)]  # noqa: S608 - made up
    run(tmp_path, TABLE, *rows)
    first, known = taken(spec(table="sale", cursor="n"), tmp_path, at=START + timedelta(days=5))
    second, more = taken(spec(table="sale", cursor="n"), tmp_path, first)

    assert (known["n"].to_list(), first.held_back) == ([0, 2, 3, 5], 2)
    assert (more["n"].to_list(), second.state["cursor"]) == ([1, 2, 3, 4, 5], 5)


def test_a_query_is_asked_as_it_stands(tmp_path: Path) -> None:
    query = "SELECT ':n %s %(n)s' AS k, t, 10 % 3 AS rest FROM sale -- all of them"
    run(tmp_path, TABLE, "INSERT INTO sale (t) VALUES ('2024-03-01T00:00Z')")

    for options in ({}, {"cursor": "t"}):
        for asked in (query, f"{query.partition(' --')[0]} ; "):
            found = taken(spec(query=asked, **options), tmp_path)[1]
            assert found.select("k", "rest").rows() == [(":n %s %(n)s", 1)]


ROW = "INSERT INTO sale (n, k, t) VALUES (1, 'a', '2024-03-01T00:00Z')"

REFUSED: dict[str, tuple[list[str], SourceSpec, type[LockgateError], str]] = {
    "no such table": ([TABLE], spec(table="sales"), NotFound, "no table sales .* Did you mean 'sale'"),
    "no such cursor": ([TABLE], spec(query="SELECT n, k, t FROM sale", cursor="m"), Invalid, "no such column: m"),
    "a null in the cursor": (
        [TABLE, ROW, "INSERT INTO sale (k, t) VALUES ('b', '2024-03-01T00:00Z')"],
        spec(table="sale", cursor="n"),
        Invalid,
        "n IS NOT NULL",
    ),
    "a clock without a zone": (
        [TABLE, "INSERT INTO sale (t) VALUES ('2024-03-01 00:00:00')"],
        spec(table="sale"),
        Invalid,
        "timezone=",
    ),
    "values of several types": (
        [TABLE, ROW, "INSERT INTO sale (n, k, t) VALUES ('x', 'b', '2024-03-01T00:00Z')"],
        spec(table="sale"),
        Invalid,
        r"CAST\(n AS ...\)",
    ),
    "a name twice": (
        [TABLE, ROW],
        spec(query="SELECT n, k, t, n + 1 AS n FROM sale"),
        Invalid,
        "several columns of one name .* found n again.* AS other_n",
    ),
    "an overlap of time before a text": (
        [TABLE, ROW],
        spec(table="sale", cursor="k", overlap_seconds=60.0),
        Invalid,
        "does not go with its cursor",
    ),
    "a driver that nobody has": (
        [TABLE],
        spec("mysql://db/x", table="sale"),
        Unavailable,
        "a driver that is not installed",
    ),
    "a database that nobody knows": ([TABLE], spec("saledb://db/x", table="sale"), Unavailable, "saledb"),
    "no such file": ([TABLE], spec("sqlite:///sale.db", table="sale"), NotFound, "relative to the project"),
    "no variable": ([TABLE], spec("", url_env="NO_SUCH_DB", table="sale"), Invalid, "export NO_SUCH_DB="),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_can_not_be_read_says_so_and_what_to_do(tmp_path: Path, what: str) -> None:
    statements, source, error, said = REFUSED[what]
    run(tmp_path, *statements)
    with pytest.raises(error, match=said):
        taken(source, tmp_path, taken(source, tmp_path)[0])


@pytest.mark.parametrize("kind", ["jsonb", "int[]"])
def test_a_value_that_can_not_be_kept_is_refused_and_its_query_ended(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("DB", postgres_url)
    value = "'[1]'" if kind == "jsonb" else "'{1}'"
    run(tmp_path, f"CREATE TABLE x (k INT, t TIMESTAMPTZ, v {kind})", url=postgres_url)
    run(tmp_path, f"INSERT INTO x VALUES (1, '2024-03-01Z', {value})", url=postgres_url)  # noqa: S608 - made up

    # A cursor that is left open would warn, and a warning is an error.
    with pytest.raises(Invalid, match=r"or of one that can't be kept, in v .* found list.* CAST\(v AS ...\)"):
        taken(spec("", url_env="DB", table="x"), tmp_path)
    gc.collect()


def test_the_extra_is_named_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(Unavailable, match=r"pip install 'lockgate\[postgres\]'"):
        read(spec("postgresql://db/x", table="sale"), tmp_path, LATER)


SECRETS = {
    "in its place": "postgresql://lockgate:s%2Fcret@127.0.0.1:9/x",
    "in an option": "postgresql://lockgate@127.0.0.1:9/x?password=s%2Fcret",
    "of a wrong user": "postgresql://nobody:s%2Fcret@127.0.0.1:PORT/postgres",
    "in a URL that is none": "postgresql://lockgate:s/cret@127.0.0.1:9/x",
    "in an option that is none": "postgresql://lockgate@127.0.0.1:9/x?s%2Fcret=s%2Fcret",
}


@pytest.mark.parametrize("where", SECRETS)
def test_no_message_shows_a_password(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    url = SECRETS[where]
    if "PORT" in url:
        url = url.replace("PORT", str(request.getfixturevalue("postgres").port))
    monkeypatch.setenv("DB", url)
    with pytest.raises(LockgateError) as refused:
        taken(spec("", url_env="DB", table="sale"), tmp_path)

    for text in (str(refused.value), str(refused.value.__cause__)):
        assert "cret" not in text
