"""The online store in a SQLite file: the embedded one.

- Write-ahead log: readers see the last commit and never wait for the writer, nor the writer for them.
- Readers open the file read-only and give up at once where SQLite would have them wait.
- A commit survives the end of every process. A loss of power may take the last ones, rows and place in the log
  together, and they are told again from the log.
"""

import contextlib
import functools
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from lockgate.features.store import Change
from lockgate.kernel.errors import Invalid, Unavailable

__all__ = ["SqliteStore", "open_at"]

_FORM = 1
_PATIENCE = 10.0
_FEW, _MOST = 16, 256
_CACHE_KIB = 32 * 1024  # with the 2 MiB that SQLite takes by itself, a few thousand entities are read from the file
_TABLE = "CREATE TABLE IF NOT EXISTS kept (key BLOB PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID"
_UPSERT = "INSERT INTO kept (key, data) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET data = excluded.data"


def open_at(url: str, *, read_only: bool) -> "SqliteStore":
    """Open the store at `sqlite:////absolute/path`.

    Raises:
        Invalid: the URL names no path.
        Unavailable: the file can't be opened.
    """
    parts = urlsplit(url)
    path = unquote(parts.path)[1:]
    if parts.netloc or not path:
        found = f"the host '{parts.netloc}'" if parts.netloc else "no path"
        raise Invalid(f"No online store can be opened at {url}", expected="sqlite:////absolute/path", found=found)
    return SqliteStore(Path(path), read_only=read_only)


class SqliteStore:
    """An online store in a file.

    Args:
        path: the file; made where it is missing, unless it is only to be read.
        read_only: whether nothing is to be written by this one.

    Raises:
        Unavailable: it can't be opened.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self._path, self._read_only = path, read_only
        # A worker asks from its loop and, while it loads, from a thread beside it.
        self._lock = threading.Lock()
        try:
            self._connection = self._connect()
        except (sqlite3.Error, OSError) as error:
            raise self._unavailable("opened", error) from error

    def _connect(self) -> sqlite3.Connection:
        if not self._read_only:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        mode = "ro" if self._read_only else "rwc"
        connection = sqlite3.connect(
            f"file:{quote(str(self._path))}?mode={mode}",
            uri=True,
            timeout=0.0 if self._read_only else _PATIENCE,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            if not self._read_only:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute(_TABLE)
                connection.execute(f"PRAGMA user_version = {_FORM}")
            connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            connection.execute("SELECT 1 FROM kept LIMIT 1").fetchone()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Give what is under keys.

        Raises:
            Unavailable: the file can't be read now.
        """
        try:
            with self._lock:
                return self._get(keys)
        except sqlite3.Error as error:
            raise self._unavailable("read", error) from error

    def _get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        if len(keys) == 1:
            row = self._connection.execute("SELECT data FROM kept WHERE key = ?", keys).fetchone()
            return [None if row is None else row[0]]
        if len(keys) <= _MOST:
            return self._some(keys)
        # More than one question: they are to see one moment.
        with self._transaction("BEGIN"):
            parts = [self._some(keys[start : start + _MOST]) for start in range(0, len(keys), _MOST)]
        return [data for part in parts for data in part]

    def _some(self, keys: Sequence[bytes]) -> list[bytes | None]:
        if not keys:
            return []
        # Few lengths, so that few statements are prepared: what fills up is null, and under no key.
        length = len(keys) if len(keys) <= _FEW else -(-len(keys) // _FEW) * _FEW
        asked = [*keys, *([None] * (length - len(keys)))]
        return list(self._connection.execute(_asking(length), asked).fetchone()[: len(keys)])

    def change(self, keys: Sequence[bytes], change: Change) -> None:
        """Replace what is under keys, in one transaction.

        Raises:
            Unavailable: the file can't be written now.
        """
        try:
            with self._lock, self._transaction("BEGIN IMMEDIATE"):
                before = [data for at in range(0, len(keys), _MOST) for data in self._some(keys[at : at + _MOST])]
                wanted = change(before)
                pairs = [*zip(keys, before, wanted, strict=True)]
                put = [(key, data) for key, old, data in pairs if data is not None and data != old]
                gone = [(key,) for key, old, data in pairs if data is None and old is not None]
                self._connection.executemany(_UPSERT, put)
                self._connection.executemany("DELETE FROM kept WHERE key = ?", gone)
        except sqlite3.Error as error:
            raise self._unavailable("written", error) from error

    @contextlib.contextmanager
    def _transaction(self, begin: str) -> Iterator[None]:
        self._connection.execute(begin)
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def keys(self, prefix: bytes) -> Iterator[bytes]:
        """Give the keys that begin so.

        Raises:
            Unavailable: the file can't be read now.
        """
        question = "SELECT key FROM kept WHERE key > ? AND key >= ? ORDER BY key LIMIT ?"
        last = b""
        while True:
            try:
                with self._lock:
                    found = [key for (key,) in self._connection.execute(question, (last, prefix, _MOST))]
            except sqlite3.Error as error:
                raise self._unavailable("read", error) from error
            fitting = [key for key in found if key.startswith(prefix)]
            yield from fitting
            if len(fitting) < _MOST:
                return
            last = fitting[-1]

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _unavailable(self, done: str, error: Exception) -> Unavailable:
        return Unavailable(
            f"The online store can't be {done}",
            expected=f"the file {self._path}, made by ingest",
            found=str(error),
            way_out="lockgate status says whether ingest runs.",
        )


@functools.cache
def _asking(length: int) -> str:
    """Ask for each key by itself, in one statement: of few keys a third faster than `IN`, of many as fast."""
    return f"SELECT {', '.join(['(SELECT data FROM kept WHERE key = ?)'] * length)}"  # noqa: S608 - marks only
