"""All that is particular to SQLite, in one place.

- Write-ahead log: readers and the one writer do not wait for each other. A new file gets it and keeps it.
- `synchronous=FULL`: what was written is on the disk when the call returns, also after a power cut.
- A write begins with the write lock (BEGIN IMMEDIATE), so what it reads is still true when it writes.
- Who finds the lock taken waits, up to the ledger's patience.
- SQLite's errors become ours.
"""

import sqlite3
from datetime import timedelta
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from lockgate.kernel.errors import Broken, Corrupt, Invalid, Unavailable

__all__ = ["SqliteBackend"]

_ROUNDS = 100
_NOT_A_DATABASE = "Move it away, or restore it from a backup; a new ledger is made where there is no file."
_NO_ACCESS = "Let this user write in that folder, or name another state folder."

# SQLite's name for the error, or how it begins: what we raise, what was expected, the way out.
_MEANINGS: dict[str, tuple[type[Broken], str, str]] = {
    "SQLITE_BUSY": (Unavailable, "a turn within {patience:g} s", "Another process is writing to it; try again."),
    "SQLITE_LOCKED": (Unavailable, "a turn within {patience:g} s", "Another thread is writing to it; try again."),
    "TimeoutError": (Unavailable, "a free connection", "Too many threads are using it; try again."),
    "SQLITE_NOTADB": (Corrupt, "an SQLite database", _NOT_A_DATABASE),
    "SQLITE_CORRUPT": (Corrupt, "a sound SQLite database", _NOT_A_DATABASE),
    "SQLITE_CANTOPEN": (Unavailable, "a file that can be opened, in a folder that can be written to", _NO_ACCESS),
    "SQLITE_READONLY": (Unavailable, "a file and a folder that can be written to", _NO_ACCESS),
    "SQLITE_PERM": (Unavailable, "a file and a folder that can be written to", _NO_ACCESS),
    "SQLITE_FULL": (Unavailable, "room on the disk", "Free some space, then try again; nothing was written."),
    "SQLITE_IOERR": (Unavailable, "a disk that reads and writes", "Look at the disk and its space, then try again."),
    # What is left can only come from a file that somebody else has changed.
    "": (
        Corrupt,
        "a ledger as Lockgate left it",
        "Restore it from a backup. If nobody touched it, please report this.",
    ),
}


class SqliteBackend:
    """How a ledger is kept in one SQLite file.

    Args:
        url: `sqlite:///relative/path` or `sqlite:////absolute/path`.
        patience: how long a write waits for another process's.

    Raises:
        Invalid: the URL names no file; SQLite's memory is another one for each connection.
    """

    def __init__(self, url: URL, patience: timedelta) -> None:
        if not url.database or url.database == ":memory:":
            way_out = "For a ledger in memory: open_ledger('memory:')."
            raise Invalid("This URL names no file", expected="sqlite:///path", found=str(url), way_out=way_out)
        self._url = url
        self._patience = patience

    def engine(self) -> Engine:
        """Make the engine; a transaction with the option `lockgate_writes` holds the write lock from its beginning."""
        self._make_folder()
        engine = create_engine(self._url, connect_args={"timeout": self._patience.total_seconds()})
        event.listen(engine, "connect", _set_up)
        event.listen(engine, "begin", _begin)
        return engine

    @property
    def name(self) -> str:
        """The path of its file."""
        return str(self._url.database)

    def translate(self, error: SQLAlchemyError) -> Broken:
        """Say in our words what SQLite refused."""
        cause = getattr(error, "orig", None)
        name = getattr(cause, "sqlite_errorname", type(error).__name__)
        kind, expected, way_out = next(
            meaning for beginning, meaning in _MEANINGS.items() if name.startswith(beginning)
        )
        return kind(
            f"Cannot use the ledger {self.name}",
            expected=expected.format(patience=self._patience.total_seconds()),
            found=f"{cause or error} ({name})",
            way_out=way_out,
        )

    def _make_folder(self) -> None:
        # A URI (`file:…`) is for those who know what they open: nothing is made for it.
        if self._url.database and not self._url.database.startswith("file:"):
            folder = Path(self._url.database).parent
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                what = f"Cannot make the ledger's folder {folder}"
                raise Unavailable(
                    what, expected="a place where folders can be made", found=str(error), way_out=_NO_ACCESS
                ) from error


def _set_up(connection: sqlite3.Connection, entry: ConnectionPoolEntry) -> None:
    del entry  # every connection is set up alike
    # Python's own transactions begin too late and without the lock; `_begin` begins ours.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    # Only a new file: one with tables is a ledger and has it, or belongs to somebody else and is left as it is.
    if connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,):
        _use_write_ahead_log(connection)


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    for _ in range(_ROUNDS):
        if connection.execute("PRAGMA journal_mode").fetchone() == ("wal",):
            return
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname != "SQLITE_BUSY":
                raise
            # Somebody else is switching the same new file, and SQLite does not wait for that. It does wait to begin.
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("COMMIT")
    message = "this file can't have a write-ahead log"
    raise sqlite3.OperationalError(message)


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("lockgate_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
