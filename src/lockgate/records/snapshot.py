"""A snapshot: the rows of a source as they were read once, immutable and content-addressed."""

import msgspec

from lockgate.kernel.canonical import Digest, Instant, Record

__all__ = ["RowFile", "Snapshot", "SnapshotColumn"]


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


class Snapshot(Record, tag="snapshot/1", frozen=True, kw_only=True):
    """The manifest of a snapshot; its digest is the snapshot's id. When it was taken stands in the ledger beside it."""

    # The source's name.
    source: str
    # The digest of the source as declared, so of how its clocks were read.
    spec: Digest
    # The columns, in the order of the files.
    columns: tuple[SnapshotColumn, ...]
    # How many rows.
    rows: int
    # The Parquet files, in order.
    files: tuple[RowFile, ...]
    # Order-independent: equal for the same rows in another order or file layout. Stable within one Polars version,
    # which it names.
    fingerprint: str
    # The earliest and the latest event time; None for a table.
    first_event: Instant | None = None
    last_event: Instant | None = None
    # The latest available time: what this snapshot knows of, it knew by then; None for a table.
    known_until: Instant | None = None
    # Snapshots that this one was made from.
    parents: tuple[Digest, ...] = ()
