"""Transactions on a database, and its schema brought up to date when it is opened.

- Writers take turns: a write transaction has the whole ledger to itself from its beginning, in every database. So a
  record's place ascends in the order of commits, and what a transaction read is still true when it writes.
- A transaction is kept whole or not at all; an error inside it undoes it.
- The schema is migrated inside one write transaction. Of two processes that open a new ledger, one migrates, the other
  waits and finds it done.
- A schema that this release does not know is left alone.
- No error of SQLAlchemy's leaves this module.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol

from sqlalchemy import URL, Connection, Engine, column, inspect, make_url, select, table
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from lockgate.kernel.errors import Broken, Conflict, Invalid, Unavailable
from lockgate.ledger.postgres import PostgresBackend
from lockgate.ledger.schema import HEAD, REVISIONS
from lockgate.ledger.sqlite import SqliteBackend

__all__ = ["Database"]

_EXPECTED = "sqlite:///path or postgresql://user@host/database"


class _Backend(Protocol):
    """What is particular to one kind of database."""

    @property
    def name(self) -> str:
        """Where it is, for people; without secrets."""

    def engine(self) -> Engine:
        """Make the engine; transactions with the option `lockgate_writes` take turns."""

    def translate(self, error: SQLAlchemyError) -> Broken:
        """Say in our words what the database refused."""


class Database:
    """A database whose schema is this release's.

    Args:
        url: where it is, as SQLAlchemy writes it.
        patience: how long a write waits for its turn.

    Raises:
        Invalid: no such kind of database.
        Conflict: another release's schema, or another program's database.
        Unavailable, Corrupt: it can't be opened.
    """

    def __init__(self, url: str, patience: timedelta) -> None:
        self._backend = _backend(_parsed(url), patience)
        self._reader = self._backend.engine()
        self._writer = self._reader.execution_options(lockgate_writes=True)
        self._process = os.getpid()
        try:
            self._bring_to_head()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read one state of the database."""
        with self._transaction(self._reader) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Read and write, alone."""
        with self._transaction(self._writer) as connection:
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self._reader.dispose()

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        self._refuse_other_process()
        try:
            with engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._backend.translate(error) from error

    def _refuse_other_process(self) -> None:
        # A connection carried over a fork shares its locks and its file position: two processes would corrupt the file.
        if os.getpid() != self._process:
            raise Unavailable(
                "This ledger was opened by another process, before a fork",
                expected=f"process {self._process}",
                found=f"process {os.getpid()}",
                way_out="Open the ledger again in this process.",
            )

    def _bring_to_head(self) -> None:
        with self.reading() as connection:
            if self._standing(connection) == HEAD:
                return
        with self.writing() as connection:
            # Asked again: while we waited for our turn, another process may have done it.
            if self._standing(connection) != HEAD:
                _migrate(connection)

    def _standing(self, connection: Connection) -> str | None:
        tables = inspect(connection).get_table_names()
        if not tables:
            return None
        if "alembic_version" not in tables:
            raise self._foreign(
                "a Lockgate ledger", f"a database with tables of another kind ({', '.join(sorted(tables))})"
            )
        version = connection.scalar(select(column("version_num")).select_from(table("alembic_version")))
        if version not in REVISIONS:
            raise self._foreign(f"schema {HEAD} or an older one", f"schema {version}")
        return str(version)

    def _foreign(self, expected: str, found: str) -> Conflict:
        return Conflict(
            f"Cannot open {self._backend.name}: it was written by a newer release, or is no ledger",
            expected=expected,
            found=found,
            way_out="Install that release, or name another place; this one was left as it is.",
        )


def _parsed(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError) as error:
        # Not shown: what can't be read may hold a password anywhere.
        raise Invalid("This is no database URL", expected=_EXPECTED, found="text of another form") from error


def _backend(url: URL, patience: timedelta) -> _Backend:
    kind = url.get_backend_name()
    if kind == "sqlite":
        return SqliteBackend(url, patience)
    if kind in {"postgresql", "postgres"}:
        return PostgresBackend(url, patience)
    raise Invalid("No ledger can be kept in this kind of database", expected=_EXPECTED, found=url.render_as_string())


def _migrate(connection: Connection) -> None:
    # Imported only where there is something to migrate: it costs a third of a second, which every command would pay.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "lockgate.ledger:migrations")
    command.upgrade(config, "head")
