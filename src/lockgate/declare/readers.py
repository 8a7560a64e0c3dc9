"""Readers of rows: files, databases and tables, instead of a function that gives a frame."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Literal

from lockgate.declare.mistakes import declaration, note, where

__all__ = ["ReaderWanted", "csv", "delta", "parquet", "sql"]

ColumnType = Literal["bool", "int", "float", "text", "time"]


class ReaderWanted:
    """A declared reader."""

    def __init__(self, kind: str, place: str, options: Mapping[str, Any]) -> None:
        """Keep what was said of it; what was left out is no option."""
        self.kind = kind
        self.place = place
        self.options = {name: value for name, value in options.items() if value is not None}
        self.where = where()


@declaration
def csv(
    path: str,
    *,
    separator: str = ",",
    null: Sequence[str] | None = None,
    types: Mapping[str, ColumnType] | None = None,
    timezone: str | None = None,
) -> ReaderWanted:
    """Read CSV files with a header: one, those of a folder, or those that a glob names, here or at `s3://…`.

    Args:
        path: of a file, a folder or a glob; relative to the project folder. Keys of an object store come from the
            environment (`AWS_ACCESS_KEY_ID` and its kin).
        separator: what stands between columns.
        null: texts that mean null, beside the empty one.
        types: types of columns that can't be told from the first rows of the first file: bool, int, float, text or
            time. Times are ISO 8601; the columns of the clock are times anyway.
        timezone: the zone of times that name none. An hour that its clocks show twice is taken as the later one; a time
            that they skip is refused.
    """
    said = {
        "separator": separator if separator != "," else None,
        "null": list(null) if null is not None else None,
        "types": dict(types) if types else None,
        "timezone": timezone,
    }
    return ReaderWanted("csv", path, said)


@declaration
def parquet(path: str, *, timezone: str | None = None) -> ReaderWanted:
    """Read Parquet files: one, those of a folder, or those that a glob names, here or at `s3://…`.

    Args:
        path: as for `lockgate.csv`.
        timezone: the zone of times that name none.
    """
    return ReaderWanted("parquet", path, {"timezone": timezone})


@declaration
def sql(
    url: str | None = None,
    *,
    table: str | None = None,
    query: str | None = None,
    url_env: str | None = None,
    cursor: str | None = None,
    overlap: timedelta | int | None = None,
    timezone: str | None = None,
) -> ReaderWanted:
    """Read a table or a query of a database that SQLAlchemy has a driver for.

    Args:
        url: of the database, without a password: `postgresql://reader@db/sales`, `sqlite:///sales.db`. A password comes
            from the environment, as the driver reads it (`PGPASSWORD`), or with `url_env`.
        table: the table, or
        query: the query.
        url_env: or the variable that holds the whole URL.
        cursor: a column that only grows and is never null; a later reading then asks only for rows from its last value
            on. So it does not see which rows are gone.
        overlap: how far before that value it begins: a timedelta for times, a number for numbers.
        timezone: the zone of times that name none.
    """
    if (table is None) == (query is None):
        note(where(), expected="a table or a query", found="neither" if table is None else "both")
    if (url is None) == (url_env is None):
        note(where(), expected="a url or url_env", found="neither" if url is None else "both")
    if overlap is not None and cursor is None:
        note(where(), expected="a cursor, for overlap to be before", found="none")
    steps = {"overlap_seconds": overlap.total_seconds()} if isinstance(overlap, timedelta) else {"overlap": overlap}
    said = {"table": table, "query": query, "url_env": url_env, "cursor": cursor, **steps, "timezone": timezone}
    return ReaderWanted("sql", url or "", said)


@declaration
def delta(uri: str, *, version: int | None = None, copy: bool = True, timezone: str | None = None) -> ReaderWanted:
    """Read a Delta Lake table, here or at `s3://…`.

    Args:
        uri: of the table; relative to the project folder.
        version: the version to stay at; left out, the newest one when a snapshot is taken, which is recorded.
        copy: whether a snapshot copies the rows. Without a copy it is only as immutable as the table owner's policy:
            a vacuum can take it away. A snapshot of it can be pinned, which copies it later.
        timezone: the zone of times that name none.
    """
    return ReaderWanted("delta", uri, {"version": version, "copy": None if copy else False, "timezone": timezone})
