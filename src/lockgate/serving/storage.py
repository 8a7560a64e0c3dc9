"""The online store as a worker has it: only to be read, and opened when it is there."""

from collections.abc import Callable, Sequence

from lockgate.features.store import OnlineStore, open_store
from lockgate.kernel.errors import Unavailable

__all__ = ["Storage"]

_REST_SECONDS = 0.5


class Storage:
    """Reads the store at a URL. One that can't be read is opened anew, half a second later at the earliest.

    Args:
        url: where it is.
        stopwatch: seconds that only grow.
    """

    def __init__(self, url: str, stopwatch: Callable[[], float]) -> None:
        self._url, self._stopwatch = url, stopwatch
        self._store: OnlineStore | None = None
        self._trouble: Unavailable | None = None
        self._resting_until = 0.0

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Give what is under keys.

        Raises:
            Unavailable: the store can't be read now.
        """
        if self._trouble is not None and self._stopwatch() < self._resting_until:
            raise self._trouble.with_traceback(None)
        try:
            if self._store is None:
                self._store = open_store(self._url, read_only=True)
            found = self._store.get(keys)
        except Unavailable as error:
            if self._store is not None:
                self._store.close()
            self._store, self._trouble = None, error
            self._resting_until = self._stopwatch() + _REST_SECONDS
            raise
        self._trouble = None
        return found
