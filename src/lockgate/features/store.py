"""The online store: bytes under keys, written by ingest alone, read by every worker. What the bytes mean: `series`.

    memory:    sqlite:////absolute/path    valkey://host:port/db

- A change is one transaction: the rows of a batch and the place in the log up to which they go are there together or
  not at all. Two who change the same key at once never lose what one of them wrote.
- A reader waits for nobody: it sees what was last committed, or is refused at once with `Unavailable`.
- What is not there is None. Nothing is ever made up.
"""

import importlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from lockgate.kernel.errors import Invalid
from lockgate.kernel.names import nearest

__all__ = ["Change", "MemoryStore", "OnlineStore", "Readable", "open_store"]

Change = Callable[[list[bytes | None]], Sequence[bytes | None]]
"""From what is under some keys to what is to be there, None for nothing. It may be asked again, so it changes nothing
else."""


class Readable(Protocol):
    """What workers need of it."""

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Give what is under keys, all as of one moment; None for nothing.

        Raises:
            Unavailable: the store can't be read now.
        """


class OnlineStore(Readable, Protocol):
    """What ingest needs of it."""

    def change(self, keys: Sequence[bytes], change: Change) -> None:
        """Replace what is under keys, each named once, in one transaction.

        Raises:
            Unavailable: the store can't be written now; nothing was changed.
        """

    def keys(self, prefix: bytes) -> Iterator[bytes]:
        """Give the keys that begin so, in no order; those that come or go meanwhile may be among them.

        Raises:
            Unavailable: the store can't be read now.
        """

    def close(self) -> None:
        """Let go of it."""


class MemoryStore:
    """The twin in memory: for tests, for what is prepared before it is written, and for one process alone."""

    def __init__(self) -> None:
        """Start empty."""
        self._kept: dict[bytes, bytes] = {}
        self._lock = threading.Lock()

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Give what is under keys."""
        with self._lock:
            return [self._kept.get(key) for key in keys]

    def change(self, keys: Sequence[bytes], change: Change) -> None:
        """Replace what is under keys."""
        with self._lock:
            wanted = change([self._kept.get(key) for key in keys])
            for key, data in zip(keys, wanted, strict=True):
                if data is None:
                    self._kept.pop(key, None)
                else:
                    self._kept[key] = data

    def keys(self, prefix: bytes) -> Iterator[bytes]:
        """Give the keys that begin so."""
        with self._lock:
            return iter([key for key in self._kept if key.startswith(prefix)])

    def close(self) -> None:
        """Keep everything: it lives as long as this object."""


_STORES = {
    "memory": ("memory:", "", ""),
    "sqlite": ("sqlite:////absolute/path", "lockgate.features.sqlite_store", ""),
    "valkey": ("valkey://host:port/db", "lockgate.features.valkey_store", "valkey"),
}
"""For each scheme how its URL looks, the module that opens it, and the extra that this needs."""


def open_store(url: str, *, read_only: bool = False) -> OnlineStore:
    """Open the online store at a URL.

    Args:
        url: where it is.
        read_only: for those who only read: then none is made, and nobody is waited for.

    Raises:
        Invalid: no such scheme, the URL is not whole, or the extra that it needs is not installed.
        Unavailable: it can't be opened now.
    """
    scheme = url.partition(":")[0]
    if scheme not in _STORES:
        raise Invalid(
            f"No online store can be opened at {_without_password(url)}",
            expected=" or ".join(form for form, _, _ in _STORES.values()),
            found=f"the scheme '{scheme}'" if ":" in url else "no scheme",
            way_out=nearest(scheme, _STORES),
        )
    _, module, extra = _STORES[scheme]
    if not module:
        return MemoryStore()
    try:
        opening = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise Invalid(
            f"A store at {scheme}:// needs an extra that is not installed",
            expected=f"lockgate[{extra}]",
            found=str(error),
            way_out=f"pip install 'lockgate[{extra}]'",
        ) from error
    opened: OnlineStore = opening.open_at(url, read_only=read_only)
    return opened


def _without_password(url: str) -> str:
    """Leave out what stands before the host: errors are shown and kept."""
    scheme, slashes, rest = url.partition("://")
    return f"{scheme}{slashes}{rest.rpartition('@')[2]}"
