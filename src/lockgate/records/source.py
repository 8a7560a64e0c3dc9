"""A source: where rows come from, and what is known of their time."""

import enum
from datetime import timedelta
from typing import Any

import msgspec

from lockgate.kernel.canonical import Digest, Record, digest_of

__all__ = ["Reader", "ReaderKind", "SourceSpec"]


class ReaderKind(enum.Enum):
    """What reads a source."""

    FUNCTION = "function"  # a function of the project that gives a frame
    CSV = "csv"  # text files, here or in an object store
    PARQUET = "parquet"  # Parquet files, likewise
    SQL = "sql"  # a query of a database
    DELTA = "delta"  # a Delta Lake table at a version


class Reader(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the rows of a source are read: plain data, without credentials; those come from the environment."""

    # What reads it.
    kind: ReaderKind
    # Where: `module:qualname` of a function; a path, glob, folder or URL; the URL of a database.
    where: str
    # What else its kind can be told, by name: a query, a zone, a version.
    options: dict[str, Any] = {}


class SourceSpec(Record, tag="source/1", frozen=True, kw_only=True):
    """A declared source. With `event_time` it is clocked; without, a table that means "as in the snapshot"."""

    # The name that features, checks and records use.
    name: str
    # How its rows are read.
    reader: Reader
    # The column that identifies an entity.
    key: str
    # The column that says when a row happened; None for a table.
    event_time: str | None = None
    # The column that says when a row could first be known; null there means not yet.
    available_time: str | None = None
    # Or how long after its event time a row is known; one of the two for every clocked source.
    available_delay: timedelta | None = None
    # How old (asked minus event time) a row may be and still be used; None for any age.
    stale_after: timedelta | None = None
    # How long after it is available a row may first show up where it is read; None where nobody says.
    ingest_lag: timedelta | None = None
    # The column that tells rows apart: a later row of the same one corrects it. None: key and event time do.
    event_id: str | None = None

    @property
    def clocked(self) -> bool:
        """Whether rows have a time."""
        return self.event_time is not None

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns that tell rows apart."""
        if self.event_id is not None:
            return (self.event_id,)
        return (self.key,) if self.event_time is None else (self.key, self.event_time)

    @property
    def clock(self) -> Digest:
        """The digest of how its times are read: snapshots of one clock continue each other."""
        return digest_of([self.name, self.key, self.event_time, self.available_time, self.available_delay])
