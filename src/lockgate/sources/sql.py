"""Reads a table or a query of a database, streamed.

- With a cursor, a column that only grows, a later reading asks only for rows from its last value on, less an overlap.
  It begins no later than at rows that were not known yet.
- Columns have the types that the table states, else those of the first rows. Decimals become floats.
- No message shows a password, or the options of a URL.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus
from uuid import UUID

import polars as pl
import sqlalchemy as sa
from sqlalchemy.exc import NoSuchModuleError, NoSuchTableError, SQLAlchemyError
from sqlalchemy.sql.expression import FromClause

from lockgate.kernel.errors import Invalid, NotFound, Unavailable
from lockgate.kernel.names import nearest
from lockgate.records.source import SourceSpec
from lockgate.sources.clocks import Cut

__all__ = ["ROWS", "Queried", "query"]

ROWS = 100_000
"""How many rows are asked for at once; they are larger here than in a frame."""

_POSTGRES = "postgresql+psycopg"
_DRIVERS = {"postgresql": _POSTGRES, "postgres": _POSTGRES}
_EXTRAS = {_POSTGRES: "postgres"}
_TYPES: dict[type, Any] = {
    bool: pl.Boolean(),
    int: pl.Int64(),
    float: pl.Float64(),
    Decimal: pl.Float64(),
    str: pl.String(),
    UUID: pl.String(),
    bytes: pl.Binary(),
}
_NAMED: dict[str, Any] = {str(kind): kind for kind in (*_TYPES.values(), pl.Date(), pl.Datetime("us"))}
_NAMED["Datetime(time_unit='us', time_zone='UTC')"] = pl.Datetime("us", "UTC")
_PLACE = "@place"
_PARAMETER = re.compile(r"(?<![:\w\\]):(?=\w)")


class Queried:
    """Rows of a database on their way into a snapshot; `state` is whole once the batches were taken.

    Args:
        spec: the source.
        engine: the database.
        cut: cuts off what was not known.
        before: the state of the reading before.
    """

    def __init__(self, spec: SourceSpec, engine: sa.Engine, cut: Cut, before: Mapping[str, Any]) -> None:
        """Choose from where on is read."""
        self._spec, self._engine, self._cut = spec, engine, cut
        self._cursor: str | None = spec.reader.options.get("cursor")
        self._last = _restored(before.get("cursor")) if self._cursor else None
        self.whole = self._last is None
        known = before.get("columns", {})
        self._kinds = {} if self.whole else {name: _NAMED[kind] for name, kind in known.items() if kind in _NAMED}
        self._began = False
        self._held_from: Any = None
        self.state: dict[str, Any] = {}

    def batches(self) -> Iterator[pl.DataFrame]:
        """Give the rows, batch by batch; one empty frame where there are none.

        Raises:
            NotFound: there is no such table.
            Invalid: there is no such column, or one has values of several types; or the question is refused.
            Unavailable: the database can't be reached.
        """
        with _told(self._spec, self._engine) as connection:
            question = self._question(self._rows(connection))
            # Closed also where its rows are refused: the database keeps them ready until then.
            with connection.execution_options(yield_per=ROWS).execute(question) as result:
                yield from self._answered(result)
        self.state = self._state()

    def _answered(self, result: sa.CursorResult[Any]) -> Iterator[pl.DataFrame]:
        names = list(result.keys())
        self._check_cursor(names)
        twice = [name for place, name in enumerate(names) if name in names[:place]]
        if twice:
            raise Invalid(
                f"The source {self._spec.name} has several columns of one name",
                expected="each name once",
                found=f"{twice[0]} again",
                way_out=f"Give one another name in the query: ... AS other_{twice[0]}.",
            )
        empty = True
        for part in result.partitions():
            empty = False
            yield self._known(names, list(zip(*part, strict=True)))
        if empty:
            yield self._known(names, [() for _ in names])

    def _check_cursor(self, names: Sequence[str]) -> None:
        if self._cursor and self._cursor not in names:
            msg = f"The source {self._spec.name} has no column {self._cursor}"
            raise Invalid(msg, expected="the cursor among its columns", found=nearest(self._cursor, names))

    def _rows(self, connection: sa.Connection) -> FromClause | sa.TextClause:
        options = self._spec.reader.options
        if "query" in options:
            # Nobody can give it parameters: what looks like one is meant as it stands.
            plain = _PARAMETER.sub(r"\\:", options["query"].strip().rstrip(";"))
            # On a line of its own, since the query may end in a comment.
            return sa.text(f"({plain}\n) AS rows_read" if self._cursor else plain)
        schema, _, name = options["table"].rpartition(".")
        try:
            stated = sa.inspect(connection).get_columns(name, schema=schema or None)
        except NoSuchTableError:
            known = sa.inspect(connection)
            names = [*known.get_table_names(schema or None), *known.get_view_names(schema or None)]
            raise NotFound(
                f"The database of the source {self._spec.name} has no table {options['table']}",
                expected="a table or view that its user may read",
                found=nearest(name, names) or "none",
                way_out="Is it in another schema? table='schema.name'.",
            ) from None
        self._check_cursor([one["name"] for one in stated])
        told = {one["name"]: _kind_of(one["type"], connection.dialect.name) for one in stated}
        self._kinds = {name: kind for name, kind in told.items() if kind is not None} | self._kinds
        return sa.table(name, schema=schema or None)

    def _question(self, rows: FromClause | sa.TextClause) -> sa.Executable:
        if self._cursor is None:
            return rows if isinstance(rows, sa.TextClause) else sa.select(sa.text("*")).select_from(rows)
        cursor: sa.ColumnClause[Any] = sa.column(self._cursor)
        asked = sa.select(sa.text("*")).select_from(rows).order_by(cursor)
        return asked if self._last is None else asked.where(cursor >= _before(self._spec, self._last))

    def _known(self, names: Sequence[str], columns: Sequence[Sequence[Any]]) -> pl.DataFrame:
        """Give what was known of some rows; remember their types, and where a later reading goes on."""
        read = pl.DataFrame([self._column(name, values) for name, values in zip(names, columns, strict=True)])
        self._kinds, self._began = dict(read.schema), True
        kept, held = self._cut.split(read.with_row_index(_PLACE))
        if self._cursor and read.height:
            values = columns[names.index(self._cursor)]
            if None in values:
                raise Invalid(
                    f"The cursor of the source {self._spec.name} is null in some rows",
                    expected=f"a value of {self._cursor} in each",
                    found="null",
                    way_out=f"Leave them out by a query, WHERE {self._cursor} IS NOT NULL, or read without a cursor.",
                )
            if self._held_from is None and held.height:
                self._held_from = values[held[_PLACE][0]]
            self._last = values[-1]
        return kept.drop(_PLACE)

    def _column(self, name: str, values: Sequence[Any]) -> pl.Series:
        kind = self._kinds.get(name)
        try:
            return _series(name, values, kind)
        except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
            if not self._began and kind is not None:
                # What the table states need not hold (SQLite), and what held before need not hold now.
                self._kinds.pop(name)
                return self._column(name, values)
            raise Invalid(
                f"The source {self._spec.name} has values of several types, or of one that can't be kept, in {name}",
                expected="true or false, numbers, texts or times" if kind is None else f"{kind}, as in its first rows",
                found=str(error).strip().partition("\n")[0],
                way_out=f"Say which in a query: CAST({name} AS ...).",
            ) from error

    def _state(self) -> dict[str, Any]:
        last = self._last if self._held_from is None else self._held_from
        if self._cursor is None or last is None:
            return {}
        return {"cursor": _kept(last), "columns": {name: str(kind) for name, kind in self._kinds.items()}}


def query(spec: SourceSpec, folder: Path, cut: Cut, before: Mapping[str, Any]) -> Queried:
    """Find the database of a source; it is not asked yet.

    Raises:
        Invalid: the URL is none, or the variable that is to hold it is not set.
        NotFound: there is no such file.
        Unavailable: its driver is not installed.
    """
    url = _url(spec)
    if url.get_backend_name() == "sqlite" and url.database and not url.database.startswith(("file:", ":memory:")):
        path = folder / url.database
        if not path.is_file():
            msg = f"The source {spec.name} finds no database"
            raise NotFound(msg, expected=f"a file {path}", found="none", way_out="Paths are relative to the project.")
        url = url.set(database=str(path))
    try:
        engine = sa.create_engine(url, poolclass=sa.NullPool)
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        extra = _EXTRAS.get(url.drivername)
        raise Unavailable(
            f"The source {spec.name} needs a driver that is not installed",
            expected=url.drivername,
            found=str(error),
            way_out=f"pip install 'lockgate[{extra}]'" if extra else "Install the package that SQLAlchemy wants.",
        ) from error
    return Queried(spec, engine, cut, before)


def _url(spec: SourceSpec) -> sa.URL:
    variable = spec.reader.options.get("url_env")
    written = os.environ.get(variable, "") if variable else spec.reader.where
    if not written:
        raise Invalid(
            f"The source {spec.name} does not know its database",
            expected=f"its URL in the variable {variable}",
            found="nothing",
            way_out=f"export {variable}=postgresql://user:password@host/database",
        )
    try:
        url = sa.make_url(written)
    except (SQLAlchemyError, ValueError):
        # Not shown, nor what was said of it: it may hold a password.
        msg = f"The source {spec.name} has no URL of a database"
        raise Invalid(msg, expected="postgresql://user@host/database", found="something else") from None
    return url.set(drivername=_DRIVERS.get(url.drivername, url.drivername))


@contextmanager
def _told(spec: SourceSpec, engine: sa.Engine) -> Iterator[sa.Connection]:
    """Connect; what the database refuses is told in our words, without secrets."""
    url = engine.url
    shown = f"{url.get_backend_name()}://{url.host or ''}{f':{url.port}' if url.port else ''}/{url.database or ''}"
    try:
        connection = engine.connect()
    except SQLAlchemyError as error:
        raise Unavailable(
            f"The database of the source {spec.name} can't be reached",
            expected=f"an answer of {shown}",
            found=_said(error, url),
            way_out="Is it running, and may this user read there? A password comes from the environment, as the driver "
            "reads it (PGPASSWORD), or with url_env=.",
        ) from None
    try:
        with connection:
            yield connection
    except SQLAlchemyError as error:
        raise Invalid(
            f"The database of the source {spec.name} refuses what it is asked",
            expected=f"rows from {shown}",
            found=_said(error, url),
            way_out="Try the query there by hand, as the same user.",
        ) from None


def _said(error: SQLAlchemyError, url: sa.URL) -> str:
    said = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
    options = [one for value in url.query.values() for one in ([value] if isinstance(value, str) else value)]
    secrets = [str(one) for one in (url.password, *options) if one]
    for secret in (form for one in secrets for form in (one, quote(one), quote_plus(one))):
        said = said.replace(secret, "***")
    return said


def _kind_of(stated: Any, dialect: str) -> Any:  # noqa: ANN401 - types of SQLAlchemy and Polars
    """Give the type of a stated column; None where that does not tell."""
    try:
        kind = stated.python_type
    except NotImplementedError:
        return None
    if dialect == "sqlite" or kind not in {datetime, date}:
        return _TYPES.get(kind)  # SQLite has no times: they are text
    return pl.Date() if kind is date else pl.Datetime("us", "UTC" if stated.timezone else None)


def _series(name: str, values: Sequence[Any], kind: Any) -> pl.Series:  # noqa: ANN401 - a type of Polars
    first = next((one for one in values if one is not None), None)
    convert = _CONVERTED.get(type(first))
    if isinstance(first, datetime) and first.tzinfo is not None:
        convert = _in_utc
    elif kind == pl.Boolean and isinstance(first, int):
        convert = _truth
    plain = [None if one is None else convert(one) for one in values] if convert else values
    found = pl.Series(name, plain, dtype=pl.String if first is None and kind is None else kind, strict=True)
    if found.dtype.is_nested() or found.dtype == pl.Object:
        msg = type(first).__name__
        raise TypeError(msg)
    return found


def _in_utc(value: datetime) -> datetime:
    return value.astimezone(UTC)


def _truth(value: int) -> bool:
    if value not in {0, 1}:
        msg = f"{value} is not true or false"
        raise ValueError(msg)
    return bool(value)


_CONVERTED: dict[type, Callable[[Any], Any]] = {Decimal: float, UUID: str, memoryview: bytes}


def _before(spec: SourceSpec, last: Any) -> Any:  # noqa: ANN401 - a value of the cursor
    """Give where a later reading begins: before the last value, by the overlap."""
    options = spec.reader.options
    steps, span = options.get("overlap"), timedelta(seconds=options.get("overlap_seconds", 0))
    try:
        if isinstance(last, str) and span:
            return (datetime.fromisoformat(last) - span).isoformat(sep=last[10])
        if isinstance(last, datetime):
            return last - span
        if isinstance(last, date):
            return last - timedelta(days=ceil(span / timedelta(days=1)))
        return last - (steps or type(last)(span.total_seconds())) if steps or span else last
    except (TypeError, ValueError) as error:
        raise Invalid(
            f"The overlap of the source {spec.name} does not go with its cursor",
            expected="a timedelta for times, a number for numbers",
            found=f"a cursor like {last!r}",
        ) from error


def _kept(value: Any) -> Any:  # noqa: ANN401 - a value of the cursor
    if isinstance(value, datetime):
        return {"time": value.isoformat()}
    if isinstance(value, date):
        return {"date": value.isoformat()}
    return {"decimal": str(value)} if isinstance(value, Decimal) else value


def _restored(value: Any) -> Any:  # noqa: ANN401 - as `_kept` gave it
    if not isinstance(value, dict):
        return value
    read: dict[str, Callable[[str], Any]] = {
        "time": datetime.fromisoformat,
        "date": date.fromisoformat,
        "decimal": Decimal,
    }
    return next(read[name](text) for name, text in value.items())
