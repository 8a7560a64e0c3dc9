"""Ledgers and blobs by URL, which is how a project says where it keeps them.

    ledger   memory:    sqlite:///relative/path    sqlite:////absolute/path    postgresql://user@host/database
    blobs    memory:    file:///absolute/path

A scheme that is not known is refused with the nearest one that is.
"""

from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from lockgate.kernel.errors import Invalid
from lockgate.kernel.names import nearest
from lockgate.ledger.blobs import disk_blobs, memory_blobs
from lockgate.ledger.memory import MemoryLedger
from lockgate.ledger.protocols import Blobs, Ledger
from lockgate.ledger.sql import SqlLedger

__all__ = ["open_blobs", "open_ledger"]

_POSTGRES = "postgresql://user@host/database"
_LEDGERS = {"memory": "memory:", "sqlite": "sqlite:///path", "postgresql": _POSTGRES, "postgres": _POSTGRES}
_BLOBS = {"file": "file:///path", "memory": "memory:"}


def open_ledger(url: str) -> Ledger:
    """Open the ledger at a URL; a new one is made where there is none.

    Raises:
        Invalid: no such scheme.
        Conflict, Unavailable, Corrupt: as `SqlLedger`.
    """
    scheme = _scheme(url, "ledger", _LEDGERS)
    return MemoryLedger() if scheme == "memory" else SqlLedger(url)


def open_blobs(url: str) -> Blobs:
    """Open the blobs at a URL; a new folder is made where there is none.

    Raises:
        Invalid: no such scheme, or the URL names no absolute path.
        Unavailable: as `disk_blobs`.
    """
    scheme = _scheme(url, "blobs", _BLOBS)
    return memory_blobs() if scheme == "memory" else disk_blobs(_path(url))


def _scheme(url: str, what: str, known: dict[str, str]) -> str:
    scheme = url.partition(":")[0]
    if scheme not in known:
        raise Invalid(
            f"No {what} can be opened at {url}",
            expected=" or ".join(dict.fromkeys(known.values())),
            found=f"the scheme '{scheme}'" if ":" in url else "no scheme",
            way_out=nearest(scheme, known),
        )
    return scheme


def _path(url: str) -> Path:
    parts = urlsplit(url)
    if parts.netloc or not parts.path.startswith("/"):
        found = f"the host '{parts.netloc}'" if parts.netloc else f"the path '{parts.path}'"
        raise Invalid(f"No blobs can be opened at {url}", expected="file:///absolute/path", found=found)
    return Path(url2pathname(parts.path))
