"""Who may do what, as the state folder says at the moment: looked at once a second at most.

A table that can't be read lets nobody in: the one before it may hold grants that were meant to be taken away.
"""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from lockgate.kernel.access import Access, Grant, Scope
from lockgate.kernel.canonical import parse
from lockgate.kernel.errors import LockgateError, Unavailable

__all__ = ["Grants"]

_SECONDS = 1.0


class Grants:
    """The table of grants.

    Args:
        path: the file `access/grants.json`.
        stopwatch: gives seconds that only grow.
    """

    def __init__(self, path: Path, stopwatch: Callable[[], float]) -> None:
        self._path, self._stopwatch = path, stopwatch
        self._looked = float("-inf")
        self._stamp: tuple[int, int, int] | None = None
        self._access = Access(())
        self._trouble: LockgateError | None = None

    def check(self, authorization: str | None, scope: Scope, now: datetime) -> str:
        """Give the caller's name.

        Raises:
            Unauthenticated, Forbidden: as `Access.check`.
            Unavailable: the table can't be read.
        """
        if self._stopwatch() - self._looked >= _SECONDS:
            self._look()
        if self._trouble is not None:
            raise self._trouble
        return self._access.check(authorization, scope, now)

    def _look(self) -> None:
        self._looked = self._stopwatch()
        try:
            found = self._path.stat()
            stamp = found.st_mtime_ns, found.st_ino, found.st_size
            if stamp != self._stamp:
                self._access = Access(parse(self._path.read_bytes(), tuple[Grant, ...]))
                self._stamp, self._trouble = stamp, None
        except FileNotFoundError:
            self._access, self._stamp, self._trouble = Access(()), None, None
        except (OSError, LockgateError) as error:
            self._stamp = None
            self._trouble = Unavailable(
                "Nobody can be let in: the table of grants can't be read",
                found=str(error),
                way_out="Mend access/grants.json of the state folder; no restart is needed.",
            )
