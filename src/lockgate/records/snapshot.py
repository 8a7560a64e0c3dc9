"""A snapshot: the rows of a source as they were read, immutable and content-addressed; and the readings that made it.

A snapshot of a clocked source is cumulative: the files of its parent, and files with what is new. So what was known
once stays known, and a row that was backfilled says since when. A table is replaced whole.
"""

from typing import Any

import msgspec

from lockgate.kernel.canonical import Digest, Instant, Record

__all__ = ["Reading", "ReferencedFile", "RowFile", "Snapshot", "SnapshotColumn", "TableReference"]


class SnapshotColumn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One column of a snapshot."""

    # Its name.
    name: str
    # Its Polars type, as Polars writes it (`Int64`, `Datetime(time_unit='us', time_zone='UTC')`).
    type: str
    # How many of its values are null.
    nulls: int


class RowFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One Parquet file of rows."""

    # The digest of its bytes; its blob's name.
    digest: Digest
    # Its size.
    bytes: int
    # How many rows it holds.
    rows: int
    # None of its rows was available before, whatever they say themselves; None: as they say.
    not_before: Instant | None = None


class ReferencedFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of rows that was left where it lies."""

    # Its path or URL.
    path: str
    # Its size when it was referenced.
    bytes: int
    # Rows that say they were available by `seen_after` were so only from here on; None: as they say.
    not_before: Instant | None = None
    # When the source had been read before, without this file; None where a stated ingest lag says all.
    seen_after: Instant | None = None


class TableReference(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table that was referenced, not copied: only as immutable as its owner's policy."""

    # Its URI.
    uri: str
    # Its version.
    version: int
    # Its files, and those of earlier versions whose rows were known.
    files: tuple[ReferencedFile, ...]
    # Rows known later than this are no part of it; None where it held none.
    known_by: Instant | None = None


class Snapshot(Record, tag="snapshot/1", frozen=True, kw_only=True):
    """The manifest of a snapshot; its digest is the snapshot's id. When it was taken stands in its readings."""

    # The source's name.
    source: str
    # The digest of the source's clock as declared, so of how its times were read.
    clock: Digest
    # The columns, in the order of the files.
    columns: tuple[SnapshotColumn, ...]
    # How many rows.
    rows: int
    # The Parquet files, in order; none where it is a reference.
    files: tuple[RowFile, ...]
    # Order-independent: equal for the same rows in another order or file layout. Stable within one Polars version,
    # which it names. Empty for a reference.
    fingerprint: str
    # The earliest and the latest event time; None for a table.
    first_event: Instant | None = None
    last_event: Instant | None = None
    # The latest available time: what this snapshot knows of, it knew by then; None for a table.
    known_until: Instant | None = None
    # The snapshot that this one continues or copies, if any.
    parents: tuple[Digest, ...] = ()
    # The table that it refers to, where its rows were not copied.
    reference: TableReference | None = None


class Reading(Record, tag="reading/1", frozen=True, kw_only=True):
    """A source was read: when, what came of it, and where a later reading may go on. A snapshot may have several."""

    # The project and the source.
    project: str
    source: str
    # The snapshot that holds what was known.
    snapshot: Digest
    # The source as it was declared.
    spec: Digest
    # The moment that the snapshot speaks of: what was to be known by then, else when it was read.
    taken_as_of: Instant
    # The reading that it was compared with; None where it begins a chain of its own.
    after: Digest | None
    # Why it begins one, in words; empty where it does not.
    begins: str = ""
    # Rows that had not been there before.
    new: int
    # Of those, rows that say they were available before they could be seen: their available time was raised.
    backfilled: int
    # Rows that are there no more; they stay in the snapshot. None where not all of the source was read again.
    gone: int | None
    # Rows that were not known yet at the time it speaks of, and are no part of it.
    held_back: int
    # The positions, in the snapshot, of all rows that are there no more: a blob, Parquet; None where there are none.
    gone_rows: Digest | None = None
    # What was read, so that the next reading need not read it again: files, a version, a cursor's last value.
    state: dict[str, Any] = {}
    # The walk in which it was read; empty for a copy.
    line: str = ""
