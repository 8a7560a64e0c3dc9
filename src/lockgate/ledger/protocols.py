"""What a ledger is. Every implementation sits the same exam (`lockgate.testing.ledger_exam`, `blob_exam`).

- A record is appended once and never changed. Appending the same record again is no error and changes nothing;
  appending another body under the same kind and id is refused.
- A pointer is moved by naming what one believes it to be. Of many who move it from the same value, one wins; the others
  are told both values. Every move is kept.
- A lease is held by one owner until it expires. Whoever takes it over gets a higher fencing token; a write that names a
  lease is refused, in the same transaction, once that token is no longer the newest or the lease has expired.
- A blob is named by the sha256 of its bytes, written whole or not at all, and verified on every read.
- Times are arguments; no implementation reads a clock. All of it may be called from several threads and processes.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import msgspec

from lockgate.kernel.canonical import Digest

__all__ = ["Blob", "Blobs", "Entry", "Lease", "Leases", "Ledger", "Move", "Pointers", "Records", "Stored"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A record on its way into the ledger."""

    # What it is: the part before the slash of its type (`snapshot`, `release`).
    kind: str
    # Unique within its kind; a digest where the record is content-addressed.
    id: str
    # What it belongs to: a project, an endpoint or a line; records can be listed by it.
    subject: str
    # Canonical JSON.
    body: bytes
    # Who caused it.
    by: str
    # When, by the control clock.
    at: datetime


class Stored(Entry, frozen=True, kw_only=True):
    """A record in the ledger."""

    # Its place; ascends, with gaps. Who has seen one need never look below it again.
    sequence: int


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A pointer's value, and how it came to be."""

    # The pointer's name.
    name: str
    # Counts its moves from 1.
    version: int
    # What it points to.
    value: str
    # Why, by whom, when.
    reason: str
    by: str
    at: datetime


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to act, for a while."""

    # What it is on.
    name: str
    # Who holds it.
    owner: str
    # The fencing token: higher with every new holder.
    token: int
    # Until when.
    expires_at: datetime


class Records(Protocol):
    """Append-only records."""

    def append(self, entry: Entry, *, fence: Lease | None = None, now: datetime | None = None) -> Stored:
        """Append a record, or give the one already there if it has the same body.

        `fence` refuses the write unless that lease is still held at `now`; both or neither are given.

        Raises:
            Conflict: another body stands under that kind and id, or the fence is not held any more.
        """

    def get(self, kind: str, record_id: str) -> Stored | None:
        """Give a record by kind and id."""

    def list(self, kind: str, *, subject: str | None = None, after: int = 0, limit: int = 1000) -> Sequence[Stored]:
        """Give records of a kind with a sequence above `after`, oldest first, `limit` at most."""

    def latest(
        self, kind: str, *, subject: str | None = None, before: int | None = None, limit: int = 1
    ) -> Sequence[Stored]:
        """Give the newest records of a kind with a sequence below `before`, if that is given, newest first."""

    def kinds(self) -> Sequence[str]:
        """Give every kind that there is a record of, sorted; also those that this release does not know."""


class Pointers(Protocol):
    """Names that point to records, moved by compare-and-swap."""

    def read(self, name: str) -> Move | None:
        """Give where a pointer stands; None where it has never been set."""

    def move(
        self,
        name: str,
        *,
        expected: str | None,
        value: str,
        reason: str,
        by: str,
        at: datetime,
        fence: Lease | None = None,
    ) -> Move:
        """Move a pointer from `expected` (None: never set) to `value`; `fence` as for records, held at `at`.

        Raises:
            Conflict: it does not stand at `expected`; the message names both values. Or the fence is lost.
        """

    def history(self, name: str) -> Sequence[Move]:
        """Give all its moves, oldest first."""


class Leases(Protocol):
    """The right to act, one holder at a time."""

    def acquire(self, name: str, *, owner: str, now: datetime, span: timedelta) -> Lease | None:
        """Take a lease that nobody holds at `now`; None while somebody does (its owner too: it renews instead)."""

    def renew(self, lease: Lease, *, now: datetime, span: timedelta) -> Lease:
        """Hold on for another span.

        Raises:
            Conflict: it expired, was released, or somebody else has it.
        """

    def release(self, lease: Lease) -> None:
        """Give it up, if still held; anybody who knows the lease may, to free one whose owner is dead."""

    def holder(self, name: str) -> Lease | None:
        """Give the lease as last held, expired or not; None where it was never held or was released."""


class Ledger(Protocol):
    """The three together, over one store. A context manager: leaving it closes the store."""

    @property
    def records(self) -> Records:
        """The records."""

    @property
    def pointers(self) -> Pointers:
        """The pointers."""

    @property
    def leases(self) -> Leases:
        """The leases."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""


class Blob(msgspec.Struct, frozen=True, kw_only=True):
    """A blob in a list of them."""

    # Its name.
    digest: Digest
    # Its size.
    bytes: int
    # When it was stored, by the clock of the store.
    at: datetime


class Blobs(Protocol):
    """Bytes named by their digest."""

    def put(self, data: bytes) -> Digest:
        """Store bytes; the same bytes are stored once."""

    def put_file(self, path: Path) -> Digest:
        """Store a file, streaming."""

    def get(self, digest: Digest) -> bytes:
        """Give the bytes, verified.

        Raises:
            NotFound: no such blob.
            Corrupt: its bytes are not the ones its name says.
        """

    def fetch(self, digest: Digest, path: Path) -> None:
        """Write a blob to a file, streaming; the file appears whole and verified, or not at all.

        Raises:
            NotFound, Corrupt: as `get`.
        """

    def has(self, digest: Digest) -> bool:
        """Tell whether a blob is there."""

    def digests(self) -> Iterator[Digest]:
        """Give the digests of all blobs, each once, in any order."""

    def listing(self) -> Iterator[Blob]:
        """Give all blobs with their sizes and ages, each once, in any order."""

    def delete(self, digest: Digest) -> None:
        """Delete a blob for good; one that is not there is no error."""
