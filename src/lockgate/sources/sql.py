"""Reads a table or a query of a database, streamed.

With a cursor, a column that only grows, a later reading asks only for rows from its last value on, less an overlap.
Rows that were not known yet are asked for again.
"""

import os
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
from sqlalchemy import URL, Connection, create_engine, make_url, text
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from lockgate.kernel.errors import Invalid, Unavailable
from lockgate.kernel.names import nearest
from lockgate.records.source import Reader, SourceSpec
from lockgate.sources.clocks import Cut

__all__ = ["Queried"]

_ROWS = 100_000

# SQLite calls an operational error what others call one of the program.
_REFUSALS = ("no such table", "no such column", "syntax error")
_DRIVERS = {"postgresql": ("postgresql+psycopg", "postgres"), "postgres": ("postgresql+psycopg", "postgres")}


class Queried:
    """Rows of a database on their way into a snapshot; `state` is whole once the batches were taken.

    Args:
        spec: the source.
        cut: cuts off what was not known.
        before: the state of the reading before.

    Raises:
        Invalid: the URL is none, or the variable that holds it is not set.
    """

    def __init__(self, spec: SourceSpec, cut: Cut, before: Mapping[str, Any]) -> None:
        """Find the database; it is not asked yet."""
        self._spec, self._cut = spec, cut
        self._url = _url(spec)
        self._cursor = spec.reader.options.get("cursor")
        self._since = _restored(before.get("cursor")) if self._cursor else None
        self.whole = self._since is None
        self.state: dict[str, Any] = {}

    def batches(self) -> Iterator[pl.DataFrame]:
        """Give the rows, batch by batch; one empty frame where there are none.

        Raises:
            Unavailable: the database can't be asked, or its driver is not installed.
            Invalid: it has no such table or column, or refuses the query.
        """
        try:
            engine = create_engine(self._url)
        except (ModuleNotFoundError, NoSuchModuleError) as error:
            extra = next((extra for name, extra in _DRIVERS.values() if self._url.drivername == name), "")
            raise Unavailable(
                f"The source {self._spec.name} needs a driver that is not installed",
                expected=self._url.drivername,
                found=str(error),
                way_out=f"pip install 'lockgate[{extra}]'" if extra else "Install the driver that SQLAlchemy names.",
            ) from error
        try:
            with engine.connect().execution_options(stream_results=True, max_row_buffer=_ROWS) as connection:
                yield from self._rows(connection)
        except SQLAlchemyError as error:
            raise self._refused(error) from error
        finally:
            engine.dispose()

    def _rows(self, connection: Connection) -> Iterator[pl.DataFrame]:
        question, values = _question(self._spec.reader, self._cursor, self._from())
        result = connection.execute(text(question), values)
        names = list(result.keys())
        if self._cursor and self._cursor not in names:
            raise Invalid(
                f"The source {self._spec.name} has no column {self._cursor}",
                expected="the cursor among its columns",
                found=nearest(self._cursor, names),
            )
        schema: dict[str, Any] | None = None
        latest, held_from = self._since, None
        for part in result.partitions(_ROWS):
            frame = _frame(names, [tuple(row) for row in part], schema)
            schema = schema or dict(frame.schema)
            held = self._cut.held_back
            kept = self._cut.known(frame)
            if self._cursor:
                latest = _latest(latest, frame[self._cursor].max())
                if self._cut.held_back > held and held_from is None:
                    held_from = frame[self._cursor].min()
            yield kept
        if schema is None:
            yield self._cut.known(_frame(names, [], None))
        if self._cursor and (last := latest if held_from is None else held_from) is not None:
            self.state = {"cursor": _kept(last)}

    def _from(self) -> Any:  # noqa: ANN401 - a value of the cursor
        options = self._spec.reader.options
        if self._since is None:
            return None
        if isinstance(self._since, datetime):
            return self._since - timedelta(seconds=options.get("overlap_seconds", 0))
        return self._since - options.get("overlap", 0) if options.get("overlap") else self._since

    def _refused(self, error: SQLAlchemyError) -> Invalid | Unavailable:
        said = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        shown = self._url.render_as_string(hide_password=True)
        if type(error).__name__ == "ProgrammingError" or any(words in said for words in _REFUSALS):
            return Invalid(
                f"The database of the source {self._spec.name} refuses the question",
                expected=f"a table or query that {shown} knows",
                found=said,
                way_out="Try it by hand, as the same user.",
            )
        return Unavailable(
            f"The database of the source {self._spec.name} can't be asked",
            expected=f"an answer from {shown}",
            found=said,
            way_out="Is it running, and may this user read there? A password comes from PGPASSWORD, or with url_env=.",
        )


def _url(spec: SourceSpec) -> URL:
    variable = spec.reader.options.get("url_env")
    written = os.environ.get(variable, "") if variable else spec.reader.where
    if not written:
        raise Invalid(
            f"The source {spec.name} does not know its database",
            expected=f"its URL in the variable {variable}",
            found="nothing there",
            way_out=f"export {variable}=postgresql://user:password@host/database",
        )
    try:
        url = make_url(written)
    except SQLAlchemyError as error:
        # Not shown: it may hold a password.
        msg = f"The source {spec.name} has no database URL"
        raise Invalid(msg, expected="postgresql://user@host/database", found="something else") from error
    driver = _DRIVERS.get(url.drivername, (url.drivername, ""))[0]
    return url.set(drivername=driver)


def _question(reader: Reader, cursor: str | None, since: Any) -> tuple[str, dict[str, Any]]:  # noqa: ANN401 - a value of the cursor
    table = reader.options.get("table")
    rows = ".".join(f'"{part}"' for part in table.split(".")) if table else f"({reader.options['query']}) AS rows_read"
    if cursor is None:
        return (f"SELECT * FROM {rows}" if table else reader.options["query"]), {}  # noqa: S608 - the user's own query
    where = f' WHERE "{cursor}" >= :since' if since is not None else ""
    return f'SELECT * FROM {rows}{where} ORDER BY "{cursor}"', {} if since is None else {"since": since}  # noqa: S608 - likewise


def _frame(names: list[str], rows: list[tuple[Any, ...]], schema: dict[str, Any] | None) -> pl.DataFrame:
    """Make a frame; amounts become floats, and every batch has the types of the first."""
    plain = [tuple(float(cell) if isinstance(cell, Decimal) else cell for cell in row) for row in rows]
    frame = pl.DataFrame(plain, schema=names, orient="row", infer_schema_length=None)
    return frame if schema is None else frame.cast({name: kind for name, kind in schema.items() if kind != pl.Null})


def _latest(one: Any, other: Any) -> Any:  # noqa: ANN401 - values of the cursor
    known = [value for value in (one, other) if value is not None]
    return max(known) if known else None


def _kept(value: Any) -> Any:  # noqa: ANN401 - a value of the cursor
    return {"time": value.isoformat()} if isinstance(value, datetime) else value


def _restored(value: Any) -> Any:  # noqa: ANN401 - as `_kept` gave it
    return datetime.fromisoformat(value["time"]) if isinstance(value, dict) else value
