"""Takes a snapshot: rows as Parquet, and a manifest whose digest is its id."""

import hashlib
from datetime import datetime
from pathlib import Path

import polars as pl

from lockgate.features.known import declared
from lockgate.records.snapshot import RowFile, Snapshot, SnapshotColumn
from lockgate.records.source import SourceSpec

__all__ = ["fingerprint", "take", "write_rows"]

_PIECE = 1 << 20


def take(spec: SourceSpec, frame: pl.DataFrame, path: Path) -> Snapshot:
    """Write a source's rows to a Parquet file and give the manifest.

    Rows are kept in the order in which the source gave them; the same rows give the same file and so the same id.
    """
    file = write_rows(frame, path)
    return Snapshot(
        source=spec.name,
        clock=spec.clock,
        columns=tuple(
            SnapshotColumn(name=name, type=str(kind), nulls=frame[name].null_count())
            for name, kind in frame.schema.items()
        ),
        rows=frame.height,
        files=(file,),
        fingerprint=fingerprint(frame),
        first_event=_moment(frame, pl.col(spec.event_time).min()) if spec.event_time else None,
        last_event=_moment(frame, pl.col(spec.event_time).max()) if spec.event_time else None,
        known_until=_moment(frame, declared(spec).max()) if spec.clocked else None,
    )


def _moment(frame: pl.DataFrame, expression: pl.Expr) -> datetime | None:
    found: datetime | None = frame.select(expression).item()
    return found


def write_rows(frame: pl.DataFrame, path: Path) -> RowFile:
    """Write rows as Parquet and digest the file."""
    frame.write_parquet(path, compression="zstd", statistics=True)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return RowFile(digest=f"sha256:{digest.hexdigest()}", bytes=path.stat().st_size, rows=frame.height)


def fingerprint(frame: pl.DataFrame) -> str:
    """Give an order-independent fingerprint of the rows; comparable within one Polars version, which it names."""
    total = int(frame.hash_rows(seed=0).cast(pl.UInt64).to_numpy().sum(dtype="uint64")) if frame.width else 0
    return f"polars-{pl.__version__}:{total:016x}"
